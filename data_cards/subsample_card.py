"""Manifest of a subsampled corpus -> README.md; a pure function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from data_cards import layout
from data_cards.card import front_text
from data_cards.card_parts import configs_of, source_lines, stage_lines
from data_cards.escape import code, escape_markdown
from data_cards.subsample_manifest import OVER_LIMIT, SubsampleManifest


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
        f"{manifest.documents} documents of {read.rows_in + manifest.added}: "
        f"{'some of ' if _was_limited(manifest) else ''}what any miner finds among the nearest "
        f"{manifest.top_n} of any query, and the {manifest.positives} positives of all queries "
        f"(MMTEB, Enevoldsen et al. 2025, arXiv 2502.13595). Written by Pairmill "
        f"{manifest.pairmill_version}; every figure is in `{layout.MANIFEST}`.\n"
    )
    if not _was_limited(manifest):
        yield "It is as hard to search as the whole for a model that is no better than these"
        yield "miners; a document that none of them found is missing, whatever another model makes"
        yield "of it.\n"
    else:
        yield f"At most {manifest.max_documents} were to stay: of those that a miner found and no"
        yield "query has as a positive, the others were left out at random, the nearest included"
        yield "(`over_limit` below). So it is easier to search than the whole.\n"
    yield "`row` is the document's row in the corpus that was given, from 0, and so that of its"
    yield f"vector in a file of ready vectors; null for the {manifest.added} that only the pairs"
    yield "know. `is_positive`: of any query. `rejected/` holds ids and rows of all others, with"
    yield "the reason.\n"
    yield f"Encoder: {code(manifest.encoder.name)}, revision {code(manifest.encoder.revision)}.\n"
    yield "| miner | documents found | found by no other, no positive |\n|---|---:|---:|"
    for found in manifest.finders:
        yield f"| {code(found.miner)} | {found.documents} | {found.only_here} |"
    yield from stage_lines(manifest.stages)
    yield from source_lines(manifest.sources, manifest.facts)


def _was_limited(manifest: SubsampleManifest) -> bool:
    """Return whether a limit left out what a miner found."""
    return bool(manifest.stages[-1].rejected.get(OVER_LIMIT))
