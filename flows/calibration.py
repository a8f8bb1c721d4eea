"""`pairmill calibrate`: thresholds of a score rule per language, from a sample of given pairs.

The stages up to the queries' vectors are those of `pairmill mine`, in the same directory: a mining
run that follows finds them done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from prefect import flow
from rich.console import Console
from rich.table import Table

from flows import resources
from flows.given_miners import open_given_index
from flows.given_stages import open_given_corpus
from flows.mine import embedded_pairs
from flows.mine_config import MineConfig, load_mine_config
from flows.progress import saying
from flows.result_directory import opened
from flows.run import Run
from flows.runners import task_runner
from flows.workspace import Workspace
from mining.calibrate import Calibration, Sample, calibrate, loosest_rule, rule_at, share_dropped
from mining.candidates import CandidateSearch
from mining.embed import EmbeddedQueries
from mining.filters import ScoreRule
from mining.known import Known
from mining.recall import sample_queries
from sdg.errors import ConfigError
from sdg.schemas import POSITIVES
from sdg.shards import Shard


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for.

    Attributes:
        rule: "percent", "margin" or "absolute".
        drop: Share of the nearest documents that are to be dropped: "0.2" for every language,
            "fra-Latn=0.3" for one.
        like: "eng-Latn=0.95": as much as this threshold drops there; "" if `drop` is given.
        num_queries: Sample, at most.
        depth: Nearest documents of each query.
    """

    rule: str
    drop: tuple[str, ...]
    like: str
    num_queries: int
    depth: int


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Thresholds, and what they are worth.

    Attributes:
        calibration: By language.
        queries: Language -> queries of the sample.
        target: Language ("" overall) -> share that was asked for.
    """

    calibration: Calibration
    queries: dict[str, int]
    target: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return it for `--json`; `rule` is what goes into `mining.rules`."""
        return {
            "rule": self.calibration.settings(),
            "dropped": self.calibration.dropped,
            "target": self.target,
            "queries": self.queries,
            "too_few_candidates": self.calibration.too_few,
        }


def run_calibrate(
    config: Path | None,
    preset: str | None,
    directory: Path,
    arguments: Sequence[str],
    overrides: Sequence[str],
    wish: Wish,
) -> Calibrated:
    """Return thresholds for the pairs that the command line names; see `calibrate_pairs`."""
    return calibrate_pairs(load_mine_config(config, preset, arguments, overrides), directory, wish)


def calibrate_pairs(config: MineConfig, directory: Path, wish: Wish) -> Calibrated:
    """Return the loosest threshold of a rule per language that drops as much as is asked for.

    Candidates are the nearest documents of a sample of queries, drawn by the seed, that no rule of
    `config.mining` drops but the score rules, which are left out.

    Raises:
        ConfigError: If the wish cannot be met, or another run is at work in `directory`.
        DataError: If pairs, corpus or vectors cannot be used.
        BackendError: If the encoder or the index fails for good.
    """
    asked = _asked(wish)
    with opened(directory, "mine"), resources.released_at_end():
        runner = task_runner(config.runner)
        space = Workspace(directory)
        sample = _sample_stages.with_options(task_runner=runner)(config, space, wish)
    target = _target(wish, asked, sample)
    queries = {tag: sample.languages.count(tag) for tag in sorted(set(sample.languages))}
    return Calibrated(calibrate(sample, wish.rule, target), queries, target)


def print_calibrated(found: Calibrated, console: Console) -> None:
    """Print a line per language, then the rule as it goes into `mining.rules`."""
    own = found.calibration
    table = Table("language", "queries", own.setting, "dropped", "asked for")
    for language in ("", *found.queries):
        count = sum(found.queries.values()) if not language else found.queries[language]
        if language in own.too_few:
            told = f"too few candidates ({own.too_few[language]:,}): as all"
            table.add_row(language, f"{count:,}", told, "", "")
            continue
        threshold = own.per_language[language] if language else own.overall
        asked = found.target.get(language, found.target[""])
        dropped = f"{own.dropped[language]:.1%}"
        table.add_row(language or "all", f"{count:,}", f"{threshold:g}", dropped, f"{asked:.1%}")
    console.print(table)
    console.print("For `mining.rules`:", highlight=False)
    rule = yaml.safe_dump(own.settings(), default_flow_style=True, sort_keys=False, width=10_000)
    console.print(f"- {rule.strip()}", markup=False, highlight=False, soft_wrap=True)


@flow(name="pairmill-calibrate", persist_result=False, validate_parameters=False)
def _sample_stages(config: MineConfig, space: Workspace, wish: Wish) -> Sample:
    pairs = embedded_pairs(Run(), config, space)
    with saying(
        f"searching the {wish.depth} nearest documents of up to {wish.num_queries} queries"
    ):
        return _sample(config, space, wish, pairs.parts, pairs.vectors, pairs.documents)


def _sample(
    config: MineConfig,
    space: Workspace,
    wish: Wish,
    parts: Sequence[Shard],
    vectors: Sequence[Shard],
    documents: Sequence[Shard],
) -> Sample:
    tables = [shard.table("vectors") for shard in vectors]
    ids = [query_id for table in tables for query_id in table["query_id"].to_pylist()]
    drawn = sample_queries(ids, config.seed, wish.num_queries).tolist()
    wanted = pa.array([ids[place] for place in drawn], pa.string())

    def only(table: pa.Table) -> pa.Table:
        return table.filter(pc.is_in(table["query_id"], value_set=wanted))

    queries = EmbeddedQueries.from_table(pa.concat_tables(map(only, tables)).combine_chunks())
    every = [POSITIVES.empty_table(), *(only(part.table("positives")) for part in parts)]
    positives = pa.concat_tables(every).combine_chunks()
    corpus = open_given_corpus(space, config, documents)
    index = open_given_index(space, config, corpus, documents)
    known = Known.of(queries, positives, corpus)
    anchors = known.anchors(config.mining.anchor)
    rules = [rule for rule in config.mining.rules if not isinstance(rule, ScoreRule)]
    search = CandidateSearch(queries, known, anchors, corpus, index, rules)
    found = search.run(wish.depth)
    return Sample(anchors, found.scores[:, : wish.depth], search.languages)


def _asked(wish: Wish) -> dict[str, float]:
    """Return language -> number of the option that was given.

    Raises:
        ConfigError: If it cannot be met, whatever the pairs are.
    """
    if bool(wish.drop) == bool(wish.like):
        raise ConfigError(
            "`--drop` or `--like` must be given, and only one of them, but "
            f"{'both are' if wish.drop else 'none is'}. `--drop 0.2` drops a fifth of the nearest "
            "documents; `--like eng-Latn=0.95` as many as 0.95 drops in English."
        )
    if wish.like:
        language, threshold = _language_and_number("--like", wish.like)
        rule_at(wish.rule, threshold)
        return {language: threshold}
    loosest_rule(wish.rule)
    asked: dict[str, float] = {}
    for text in wish.drop:
        language, share = _language_and_number("--drop", text)
        if language in asked or not 0 <= share <= 1:
            raise ConfigError(
                f"`--drop` must be a share in [0, 1], once for each language, but {text!r} is not. "
                "0.2 drops a fifth of the nearest documents."
            )
        asked[language] = share
    if "" not in asked:
        raise ConfigError(
            f"`--drop` must have a share for all other languages, but has {sorted(asked)} only "
            "instead. Add one without a language: --drop 0.2."
        )
    return asked


def _target(wish: Wish, asked: Mapping[str, float], sample: Sample) -> dict[str, float]:
    """Return language -> share, with "" for the others."""
    known = sorted(set(sample.languages))
    unknown = sorted(set(asked) - {*known, *([] if wish.like else [""])})
    if unknown:
        raise ConfigError(
            f"`{'--like' if wish.like else '--drop'}` must name languages of the queries, but "
            f"{unknown[0]!r} is not (there are: {', '.join(known)}). Write --like eng-Latn=0.95, "
            "--drop fra-Latn=0.3."
        )
    if not wish.like:
        return dict(asked)
    ((language, threshold),) = asked.items()
    return {"": share_dropped(sample.of(language), rule_at(wish.rule, threshold))}


def _language_and_number(option: str, text: str) -> tuple[str, float]:
    language, _, number = text.rpartition("=")
    try:
        return language, float(number)
    except ValueError:
        raise ConfigError(
            f"`{option}` must be a number or LANGUAGE=number, but is {text!r} instead. Example: "
            f"{option} eng-Latn=0.95."
        ) from None
