"""Whose rights are in a data set: sources of texts and the models that wrote some."""

from __future__ import annotations

from typing import Literal

from data_cards.manifest import DataSetManifest
from sdg.part import Part

UNKNOWN = "unknown"


class Notice(Part):
    """What must be said of one source when a data set is handed on.

    Attributes:
        kind: "source" of documents, or "model" that wrote queries or judged.
        name: As in the manifest.
        content: What pins it: a version, a revision, a checksum.
        licence: Of the texts, or of the model's weights; "unknown" if nobody said.
        attribution: Whom to credit; "" for models.
    """

    kind: Literal["source", "model"]
    name: str
    content: str
    licence: str
    attribution: str

    @property
    def is_unknown(self) -> bool:
        """Return whether nobody said under which licence it is."""
        return self.licence.strip().lower() in {"", UNKNOWN}


def notices(manifest: DataSetManifest) -> tuple[Notice, ...]:
    """Return one notice for each source, then for each model, in the order of the manifest."""
    sources = [
        Notice(
            kind="source",
            name=source.name,
            content=source.content,
            licence=source.licence,
            attribution=source.attribution,
        )
        for source in manifest.sources
    ]
    models = [
        Notice(
            kind="model",
            name=model.name,
            content=model.revision,
            licence=model.licence,
            attribution="",
        )
        for model in manifest.models
    ]
    return tuple(dict.fromkeys([*sources, *models]))
