"""Manifest of a subsampled corpus -> croissant.json; a pure function."""

from __future__ import annotations

from collections.abc import Mapping

from data_cards.result_croissant import Told, render_result_croissant
from data_cards.subsample_manifest import SubsampleManifest
from data_cards.tables import PublishedTable


def render_subsample_croissant(
    manifest: SubsampleManifest, tables: Mapping[str, PublishedTable]
) -> str:
    """Return croissant.json; equal manifests give equal text.

    Args:
        manifest: Of the corpus.
        tables: Folder -> what its files are.
    """
    encoder, top_n = manifest.encoder, manifest.top_n
    finders = ", ".join(f"{f.miner} {f.documents:,}" for f in manifest.finders)
    told = Told(
        description=f"{manifest.documents:,} of {manifest.stages[0].rows_in:,} documents of a "
        f"corpus: what any miner finds among the nearest {top_n:,} of any query, and the "
        f"{manifest.positives:,} positives of all queries.",
        keywords=["text retrieval", "corpus", "hard negatives"],
        languages=[],
        rows="rows",
        manipulation=f"Documents stay that a miner found among the nearest {top_n:,} of a query "
        "(Enevoldsen et al. 2025, arXiv 2502.13595), and all positives; encoder "
        f"{encoder.name}, revision {encoder.revision}, index {manifest.index}.",
        biases=[f"Documents by the miner that found them: {finders}."],
        limitations=[
            "A document that none of the miners found is missing, whatever another model makes of "
            "it."
        ],
    )
    return render_result_croissant(manifest, told, tables)
