"""Manifest and statistics -> the data card; a pure function, and a missing fact makes it fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import jinja2
import yaml

from data_cards import layout
from data_cards.card_evidence import evidence_facts
from data_cards.card_parts import marked
from data_cards.escape import Trusted, code, embedded_markdown, escape_markdown, printable
from data_cards.evidence import Evidence
from data_cards.manifest import DataSetManifest
from data_cards.records import AgreementRecord, Cell, ReviewerRecord
from data_cards.responsible_ai import NOBODY_ASSESSED, NOBODY_PROMISED, PERSONAL_DATA
from data_cards.statistics import DataSetStatistics, Quantiles, RowCount
from sdg.errors import ContractError
from sdg.language import UNDETERMINED
from sdg.schemas import GIVEN_PAIR

_TEMPLATE = "card.md.j2"
_NO_EVIDENCE = Evidence()
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
    (10_000_000_000, "1B<n<10B"),
    (100_000_000_000, "10B<n<100B"),
    (1_000_000_000_000, "100B<n<1T"),
)


class Share(NamedTuple):
    """A part of a whole."""

    part: int
    whole: int

    def __str__(self) -> str:
        """Return "3 of 4 (75.0 %)"; a part of nothing has no percentage."""
        if not self.whole:
            return f"{self.part} of 0"
        return f"{self.part:,} of {self.whole:,} ({100 * self.part / self.whole:.1f} %)"


def render_card(
    manifest: DataSetManifest, statistics: DataSetStatistics, evidence: Evidence = _NO_EVIDENCE
) -> str:
    """Return README.md: Hugging Face front matter, then the body.

    Equal inputs give equal text. Every text that came from documents, models or configuration is
    escaped.

    Args:
        manifest: What the data set was made of.
        statistics: What its files hold.
        evidence: What audit and probe found; without any, the card says that nobody looked.

    Raises:
        ContractError: If the template needs a fact that is missing, or manifest and statistics
            disagree on the number of rows.
    """
    if manifest.rows != statistics.rows:
        raise ContractError(
            f"The card must describe one data set, but its manifest counts {manifest.rows} rows "
            f"and its files hold {statistics.rows}. Write the manifest again."
        )
    front = front_text(front_matter(manifest, statistics))
    try:
        body = _environment().get_template(_TEMPLATE).render(_facts(manifest, statistics, evidence))
    except jinja2.UndefinedError as error:
        raise ContractError(
            f"The card must state every fact of its template, but one is missing: {error}. "
            "Add it to the manifest, or take it out of the template."
        ) from error
    return f"---\n{front}---\n\n{body}"


def front_text(front: Mapping[str, Any]) -> str:
    """Return front matter as YAML; with an invisible character in it, all of it is ASCII."""
    text = yaml.safe_dump(dict(front), sort_keys=False, allow_unicode=True, width=100)
    if all(printable(line) == line for line in text.split("\n")):
        return text
    return yaml.safe_dump(dict(front), sort_keys=False, allow_unicode=False, width=100)


def front_matter(manifest: DataSetManifest, statistics: DataSetStatistics) -> dict[str, Any]:
    """Return the Hugging Face metadata; languages are ISO 639-3 without the script."""
    tags = {entry.query_language for entry in statistics.row_counts}
    tags |= {entry.positive_language for entry in statistics.row_counts}
    languages = sorted({tag.split("-")[0] for tag in tags if tag != "und"})
    is_generated = any(entry.generator for entry in statistics.row_counts)
    is_found = any(not entry.generator for entry in statistics.row_counts)
    creators = ["machine-generated"] * is_generated + ["found"] * is_found
    front: dict[str, Any] = {
        "pretty_name": manifest.name,
        "license": manifest.licence,
        "language": languages,
        "multilinguality": ["multilingual" if len(languages) > 1 else "monolingual"],
        "annotations_creators": ["machine-generated"],
        "language_creators": creators,
        "source_datasets": ["original"],
        "size_categories": [_size_category(statistics.rows)],
        "task_categories": ["text-retrieval", "sentence-similarity", "text-ranking"],
        "tags": ["pairmill", "sentence-transformers", "hard-negatives"],
        "configs": _configs(manifest),
    }
    if is_generated:
        front["tags"].append("synthetic")
    return {key: value for key, value in front.items() if value}


def _configs(manifest: DataSetManifest) -> list[dict[str, Any]]:
    """Return one entry per folder with rows; a split without a file would break loading."""
    configs: list[dict[str, Any]] = []
    written = {layout.split_of(p) for p in manifest.files if p.startswith(f"{layout.DATA}/")}
    splits = [split for split in manifest.splits if split in written]
    if splits:
        files = [{"split": split, "path": layout.data_glob(split)} for split in splits]
        configs.append({"config_name": layout.DEFAULT_CONFIG, "data_files": files, "default": True})
    for folder in (layout.CORPUS, layout.REJECTED, layout.MINERS, layout.REVIEWS):
        if any(path.startswith(f"{folder}/") for path in manifest.files):
            files = [{"split": folder, "path": f"{folder}/*.parquet"}]
            configs.append({"config_name": folder, "data_files": files})
    return marked(configs, manifest.files)


def _size_category(rows: int) -> str:
    return next((name for bound, name in _SIZES if rows < bound), "n>1T")


@cache
def _environment() -> jinja2.Environment:
    # Compiling a template takes longer than rendering it.
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("data_cards"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown, not HTML; `finalize` escapes every value
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(code=code, number=_number, reasons=_reasons, settings=_settings)
    return environment


def _finalize(value: object) -> object:
    if isinstance(value, jinja2.Undefined):
        return str(value)  # raises, and names what is missing
    if value is None:
        raise jinja2.UndefinedError("a value is null where the card needs one")
    if isinstance(value, Trusted):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    return escape_markdown(str(value))


def _number(value: float) -> str:
    return f"{value:,.3f}".rstrip("0").rstrip(".")


def _reasons(rejected: Mapping[str, int]) -> Trusted:
    """Return "`reason` 3, `other` 2", most frequent first; "none" if nothing was rejected."""
    ordered = sorted(
        ((r, n) for r, n in rejected.items() if n), key=lambda item: (-item[1], item[0])
    )
    return Trusted(", ".join(f"{code(reason)} {count:,}" for reason, count in ordered) or "none")


def _settings(values: Mapping[str, object]) -> Trusted:
    """Return "`key` = value, …" in key order, "`key` (`part` = value, …)" for parts; or "none"."""
    parts = []
    for key in sorted(values):
        value = values[key]
        if isinstance(value, Mapping):
            parts.append(f"{code(key)} ({_settings(value)})")
        else:
            parts.append(f"{code(key)} = {escape_markdown(str(value))}")
    return Trusted(", ".join(parts) or "none")


def _facts(
    manifest: DataSetManifest, statistics: DataSetStatistics, evidence: Evidence
) -> dict[str, Any]:
    """Return what the template may use."""
    counts = statistics.row_counts
    negatives = sum(statistics.negative_sources.values())
    return {
        "manifest": manifest,
        "statistics": statistics,
        "layout": {
            "corpus": layout.CORPUS,
            "rejected": layout.REJECTED,
            "data": layout.DATA,
            "reviews": layout.REVIEWS,
        },
        "languages": sorted({entry.query_language for entry in counts}),
        "composition": _composition(counts),
        "splits": _splits(manifest, counts),
        "given": Share(sum(e.rows for e in counts if e.task == GIVEN_PAIR), statistics.rows),
        "written": Share(_rows(counts, written=True), statistics.rows),
        "written_by_language": _written_by_language(counts),
        "cross_lingual": Share(
            sum(
                e.rows
                for e in counts
                if e.query_language != e.positive_language
                and not {e.query_language[:3], e.positive_language[:3]} & {UNDETERMINED}
            ),
            statistics.rows,
        ),
        "changed": Share(statistics.changed_positives, statistics.rows),
        "negatives": negatives,
        "has_rejected": any(p.startswith(f"{layout.REJECTED}/") for p in manifest.files),
        "spreads": _spreads(statistics),
        "barren": [cell for cell in manifest.cells if cell.requested and not cell.kept],
        "cell_share": _cell_share,
        "drops": [
            (rule, Share(rule.dropped, manifest.mining.candidates))
            for rule in manifest.mining.rules
        ],
        "relabelled": _relabelled(manifest),
        **_judged(manifest),
        "reviewed": _reviewed(manifest),
        "unreviewed": sorted({p.language for p in manifest.prompts if p.reviewed_by is None}),
        "fallbacks": [fact for fact in manifest.facts if fact.kind == "fallback"],
        "problems": [fact for fact in manifest.facts if fact.kind == "problem"],
        "notes": [fact for fact in manifest.facts if fact.kind == "note"],
        "unknown": {
            "personal_data": PERSONAL_DATA,
            "social_impact": NOBODY_ASSESSED,
            "maintenance": NOBODY_PROMISED,
        },
        "changelog": embedded_markdown(evidence.changelog, depth=2),
        **evidence_facts(manifest, evidence),
    }


def _rows(counts: tuple[RowCount, ...], *, written: bool) -> int:
    return sum(entry.rows for entry in counts if bool(entry.generator) is written)


def _composition(counts: tuple[RowCount, ...]) -> list[tuple[str, str, str, str, int]]:
    """Return (task, query language, positive language, generator, rows), all splits together."""
    rows: Counter[tuple[str, str, str, str]] = Counter()
    for e in counts:
        rows[(e.task, e.query_language, e.positive_language, e.generator)] += e.rows
    return [(*key, rows[key]) for key in sorted(rows)]


def _splits(
    manifest: DataSetManifest, counts: tuple[RowCount, ...]
) -> list[tuple[str, float, int]]:
    rows: Counter[str] = Counter()
    for entry in counts:
        rows[entry.split] += entry.rows
    return [(split, share, rows[split]) for split, share in manifest.splits.items()]


def _written_by_language(counts: tuple[RowCount, ...]) -> list[tuple[str, Share]]:
    languages = sorted({entry.query_language for entry in counts})
    by_language = {name: [e for e in counts if e.query_language == name] for name in languages}
    return [
        (name, Share(_rows(tuple(own), written=True), sum(e.rows for e in own)))
        for name, own in by_language.items()
    ]


def _cell_share(cell: Cell) -> Share:
    return Share(cell.kept, cell.requested)


def _relabelled(manifest: DataSetManifest) -> Share | None:
    if manifest.relabel is None:
        return None
    return Share(manifest.relabel.changed, manifest.relabel.queries)


def _reviewed(manifest: DataSetManifest) -> list[tuple[ReviewerRecord, Share]]:
    """Return each reviewer with the share of pairs that stopped there."""
    record = manifest.review
    reviewers = () if record is None else record.reviewers
    return [(r, Share(r.rejected, r.asked)) for r in reviewers]


def _judged(manifest: DataSetManifest) -> dict[str, Any]:
    record = manifest.judge
    if record is None:
        return {}
    opinion = record.agreement
    return {
        "judged": {
            "queries": Share(record.queries_flagged, record.queries),
            "pairs": Share(record.pairs_flagged, record.pairs),
            "unreadable": Share(record.pairs_unreadable, record.pairs),
        },
        "agreement": opinion,
        "agreement_rates": [] if opinion is None else _rates(opinion),
    }


def _rates(opinion: AgreementRecord) -> list[tuple[str, Share, str, str]]:
    named = {
        "both say the same": opinion.same,
        "flagged by the cascade": opinion.first,
        "flagged by the second judge": opinion.second,
        "published negatives that the second judge flags": opinion.false_negatives,
    }
    return [
        (name, Share(r.part, r.whole), f"{100 * r.low:.1f} %", f"{100 * r.high:.1f} %")
        for name, r in named.items()
    ]


def _spreads(statistics: DataSetStatistics) -> list[tuple[str, Quantiles]]:
    return [
        ("query, characters", statistics.query_characters),
        ("positive, characters", statistics.positive_characters),
        ("negative, characters", statistics.negative_characters),
        ("negatives per row", statistics.negatives_per_row),
        ("score of positives", statistics.positive_scores),
        ("score of negatives", statistics.negative_scores),
        ("rank of negatives, from 0", statistics.negative_ranks),
    ]
