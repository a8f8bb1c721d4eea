"""Manifest of translation pairs -> croissant.json; a pure function."""

from __future__ import annotations

from collections.abc import Mapping

from data_cards.bitext_manifest import BitextManifest
from data_cards.result_croissant import Told, render_result_croissant
from data_cards.tables import PublishedTable


def render_bitext_croissant(manifest: BitextManifest, tables: Mapping[str, PublishedTable]) -> str:
    """Return croissant.json; equal manifests give equal text.

    Args:
        manifest: Of the pairs.
        tables: Folder -> what its files are.
    """
    encoder = manifest.encoder
    tags = {tag for entry in manifest.languages for tag in (entry.source, entry.target)}
    pairs = ", ".join(f"{e.source} to {e.target} {e.pairs:,}" for e in manifest.languages)
    told = Told(
        description=f"{manifest.pairs:,} pairs of sentences that were mined as translations of "
        "each other.",
        keywords=["translation pairs", "bitext mining"],
        languages=sorted({tag.split("-")[0] for tag in tags} - {"und"}),
        rows="sentences",
        manipulation="Sentences were paired by the margin of their vectors over their neighbours; "
        f"encoder {encoder.name}, revision {encoder.revision}, index {manifest.index}.",
        biases=[f"Pairs by languages: {pairs}."],
        limitations=["Nobody read the pairs; some are no translations of each other."],
    )
    return render_result_croissant(manifest, told, tables)
