"""Manifest of translation pairs -> README.md; a pure function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from data_cards import layout
from data_cards.bitext_manifest import BitextManifest
from data_cards.card import front_text
from data_cards.escape import code, escape_markdown


def render_bitext_card(manifest: BitextManifest) -> str:
    """Return README.md: Hugging Face front matter, then what was done to how many rows.

    Equal manifests give equal text. Every text that came from outside is escaped.
    """
    return f"---\n{front_text(_front(manifest))}---\n\n" + "\n".join(_body(manifest)) + "\n"


def _front(manifest: BitextManifest) -> dict[str, Any]:
    tags = {tag for entry in manifest.languages for tag in (entry.source, entry.target)}
    languages = sorted({tag.split("-")[0] for tag in tags} - {"und"})
    files = [{"split": "train", "path": layout.data_glob("train")}]
    configs: list[dict[str, Any]] = [
        {"config_name": layout.DEFAULT_CONFIG, "data_files": files, "default": True}
    ]
    if any(path.startswith(f"{layout.REJECTED}/") for path in manifest.files):
        rejected = [{"split": layout.REJECTED, "path": f"{layout.REJECTED}/*.parquet"}]
        configs.append({"config_name": layout.REJECTED, "data_files": rejected})
    front = {
        "pretty_name": manifest.name,
        "license": manifest.licence,
        "language": languages,
        "multilinguality": ["translation"],
        "task_categories": ["translation", "sentence-similarity"],
        "tags": ["pairmill", "bitext-mining"],
        "configs": configs,
    }
    return {key: value for key, value in front.items() if value}


def _body(manifest: BitextManifest) -> Iterator[str]:
    yield f"# {escape_markdown(manifest.name)}\n"
    yield (
        f"{manifest.pairs} pairs of sentences that were mined as translations of each other, by "
        f"margin over their neighbours (Artetxe, Schwenk 2019, arXiv 1811.01136). Nobody read "
        f"them. Written by Pairmill {manifest.pairmill_version}; every figure is in "
        f"`{layout.MANIFEST}`.\n"
    )
    yield "`query` is the source's sentence, `positive` the target's; `margin` decided, the best"
    yield "pairs first, `cosine` is for people. `rejected/` holds every sentence and pair that was"
    yield "not taken, with the reason.\n"
    yield f"Encoder: {code(manifest.encoder.name)}, revision {code(manifest.encoder.revision)}.\n"
    yield "| source language | target language | pairs |\n|---|---|---:|"
    for entry in manifest.languages:
        yield f"| {code(entry.source)} | {code(entry.target)} | {entry.pairs} |"
    yield "\n| stage | unit | in | kept | rejected |\n|---|---|---:|---:|---|"
    for stage in manifest.stages:
        reasons = ", ".join(f"{reason} {count}" for reason, count in stage.rejected.items())
        cells = [stage.name, stage.unit, stage.rows_in, stage.kept, reasons or "none"]
        yield "| " + " | ".join(str(cell) for cell in cells) + " |"
    yield "\n## Sources and licences\n"
    for source in manifest.sources:
        licence, credit = escape_markdown(source.licence), escape_markdown(source.attribution)
        yield f"- {source.name}: {source.documents} rows, licence {licence}, by {credit}"
    if manifest.facts:
        yield "\n## Notes\n"
        yield from (f"- {fact.stage}: {escape_markdown(fact.text)}" for fact in manifest.facts)
