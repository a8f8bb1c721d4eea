"""Manifest of a subsampled corpus -> README.md; a pure function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from data_cards import layout
from data_cards.card import front_text
from data_cards.card_parts import configs_of, source_lines, stage_lines
from data_cards.escape import code, escape_markdown
from data_cards.subsample_manifest import SubsampleManifest


def render_subsample_card(manifest: SubsampleManifest) -> str:
    """Return README.md: Hugging Face front matter, then what was kept and who found it.

    Equal manifests give equal text. Every text that came from outside is escaped.
    """
    return f"---\n{front_text(_front(manifest))}---\n\n" + "\n".join(_body(manifest)) + "\n"


def _front(manifest: SubsampleManifest) -> dict[str, Any]:
    return {
        "pretty_name": manifest.name,
        "license": manifest.licence,
        "task_categories": ["text-retrieval"],
        "tags": ["pairmill", "subsampled-corpus"],
        "configs": configs_of(manifest.files),
    }


def _body(manifest: SubsampleManifest) -> Iterator[str]:
    read = manifest.stages[0]
    yield f"# {escape_markdown(manifest.name)}\n"
    yield (
        f"{manifest.documents} of {read.rows_in} documents: what any miner finds among the nearest "
        f"{manifest.top_n} of any query, and the {manifest.positives} positives of all queries "
        f"(MMTEB, Enevoldsen et al. 2025, arXiv 2502.13595). Written by Pairmill "
        f"{manifest.pairmill_version}; every figure is in `{layout.MANIFEST}`.\n"
    )
    yield "It is as hard to search as the whole for a model that is no better than these miners;"
    yield "a document that none of them found is missing, whatever another model makes of it.\n"
    yield "`row` is the document's row in the corpus that was given, from 0, and so that of its"
    yield "vector in a file of ready vectors. `is_positive`: of any query. `rejected/` holds ids"
    yield "and rows of all others, with the reason.\n"
    yield f"Encoder: {code(manifest.encoder.name)}, revision {code(manifest.encoder.revision)}.\n"
    yield "| miner | documents found | found by no other, no positive |\n|---|---:|---:|"
    for found in manifest.finders:
        yield f"| {code(found.miner)} | {found.documents} | {found.only_here} |"
    yield from stage_lines(manifest.stages)
    yield from source_lines(manifest.sources, manifest.facts)
