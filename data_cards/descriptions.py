"""The files that describe a data set, rendered from what it is: card and Croissant."""

from __future__ import annotations

from pathlib import Path

from data_cards import layout
from data_cards.card import render_card
from data_cards.croissant import render_croissant
from data_cards.evidence import Evidence, read_evidence
from data_cards.manifest import DataSetManifest
from data_cards.statistics import DataSetStatistics, compute_statistics


def render_descriptions(
    manifest: DataSetManifest, statistics: DataSetStatistics, evidence: Evidence
) -> dict[str, str]:
    """Return name of the file -> its text, for each of `layout.DESCRIPTIONS`.

    Raises:
        ContractError: If a fact is missing, or manifest and statistics disagree.
    """
    return {
        layout.CARD: render_card(manifest, statistics, evidence),
        layout.CROISSANT: render_croissant(manifest, statistics),
    }


def describe(directory: Path, manifest: DataSetManifest) -> dict[str, str]:
    """Return the descriptions of the data set in `directory`, with the evidence that lies there.

    Raises:
        ContractError: If a fact is missing, or manifest and files disagree.
        DataError: If a file is damaged.
    """
    return render_descriptions(manifest, compute_statistics(directory), read_evidence(directory))
