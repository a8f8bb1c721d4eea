"""Manifest of translation pairs -> README.md; a pure function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from data_cards import layout
from data_cards.bitext_manifest import BitextManifest
from data_cards.card import front_text
from data_cards.card_parts import configs_of, source_lines, stage_lines
from data_cards.escape import code, escape_markdown


def render_bitext_card(manifest: BitextManifest) -> str:
    """Return README.md: Hugging Face front matter, then what was done to how many rows.

    Equal manifests give equal text. Every text that came from outside is escaped.
    """
    return f"---\n{front_text(_front(manifest))}---\n\n" + "\n".join(_body(manifest)) + "\n"


def _front(manifest: BitextManifest) -> dict[str, Any]:
    tags = {tag for entry in manifest.languages for tag in (entry.source, entry.target)}
    languages = sorted({tag.split("-")[0] for tag in tags} - {"und"})
    front = {
        "pretty_name": manifest.name,
        "license": manifest.licence,
        "language": languages,
        "multilinguality": ["translation"],
        "task_categories": ["translation", "sentence-similarity"],
        "tags": ["pairmill", "bitext-mining"],
        "configs": configs_of(manifest.files),
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
    yield from stage_lines(manifest.stages)
    yield from source_lines(manifest.sources, manifest.facts)
