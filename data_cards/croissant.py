"""Manifest and statistics -> croissant.json; a pure function, no clock, byte for byte the same.

Croissant 1.1 with the vocabulary for responsible AI (RAI 1.0), as `mlcroissant` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from data_cards.columns import MEANINGS
from data_cards.croissant_files import Json, distribution, record_sets
from data_cards.escape import printable
from data_cards.manifest import DataSetManifest
from data_cards.publication import Publication
from data_cards.records import FileRecord
from data_cards.responsible_ai import responsible_ai
from data_cards.statistics import DataSetStatistics
from data_cards.tables import TABLES, PublishedTable

CONFORMS_TO = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
# The context that the specification gives for 1.1, word for word: readers compare it.
_CONTEXT: Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        name: f"cr:{name}"
        for name in (
            "arrayShape",
            "citeAs",
            "column",
            "containedIn",
            "equivalentProperty",
            "extract",
            "field",
            "fileObject",
            "fileProperty",
            "fileSet",
            "format",
            "includes",
            "isArray",
            "isLiveDataset",
            "jsonPath",
            "key",
            "md5",
            "parentField",
            "path",
            "recordSet",
            "references",
            "regex",
            "repeated",
            "replace",
            "samplingRate",
            "separator",
            "source",
            "subField",
            "transform",
        )
    },
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}
# Hugging Face identifiers -> SPDX; Croissant wants the address of a licence where there is one.
_SPDX = {
    "apache-2.0": "Apache-2.0",
    "cc-by-4.0": "CC-BY-4.0",
    "cc-by-nc-4.0": "CC-BY-NC-4.0",
    "cc-by-nc-sa-4.0": "CC-BY-NC-SA-4.0",
    "cc-by-sa-3.0": "CC-BY-SA-3.0",
    "cc-by-sa-4.0": "CC-BY-SA-4.0",
    "cc0-1.0": "CC0-1.0",
    "mit": "MIT",
    "odbl": "ODbL-1.0",
    "odc-by": "ODC-By-1.0",
}
# A page that embeds the file in a <script> must not be left by what is in it.
_IN_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def render_croissant(manifest: DataSetManifest, statistics: DataSetStatistics) -> str:
    """Return croissant.json: files with checksums, a field for every column, and RAI facts.

    Text that came from outside is a JSON string of printable characters, without a character that
    could end a script element. What nobody stated is left out (date, version, citation), but
    for two properties that Croissant requires and that can be told truly: the address of a data set
    that is published nowhere is its own folder, and a creator that nobody named is "not stated".
    """
    tags = {entry.query_language for entry in statistics.row_counts}
    tags |= {entry.positive_language for entry in statistics.row_counts}
    document = {
        **identity(manifest.name, manifest.licence, manifest.card),
        "description": _description(manifest, statistics),
        "inLanguage": sorted({tag.split("-")[0] for tag in tags} - {"und"}),
        "keywords": ["text retrieval", "hard negatives", "sentence embeddings"],
        **files_and_fields(manifest.files, TABLES),
        **responsible_ai(manifest, statistics),
    }
    return to_text(document)


def identity(name: str, licence: str, card: Publication) -> Json:
    """Return context, name, licence and what the publisher states."""
    creators = [{"@type": "sc:Organization", "name": n} for n in card.creators or ("not stated",)]
    spdx = _SPDX.get(licence.lower())
    optional = {
        "version": card.version,
        "datePublished": card.date_published.isoformat() if card.date_published else "",
        "citeAs": card.citation,
    }
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": name,
        "license": f"https://spdx.org/licenses/{spdx}.html" if spdx else licence,
        "url": card.homepage or "./",
        "creator": creators[0] if len(creators) == 1 else creators,
        **{key: value for key, value in optional.items() if value},
    }


def files_and_fields(files: Mapping[str, FileRecord], tables: Mapping[str, PublishedTable]) -> Json:
    """Return the distribution and its record sets."""
    return {
        "distribution": distribution(files),
        "recordSet": record_sets(files, tables, MEANINGS),
    }


def to_text(document: Json) -> str:
    """Return JSON with sorted keys and a final line break, safe inside HTML."""
    text = json.dumps(_printable(document), indent=1, sort_keys=True, ensure_ascii=False)
    for character, escaped in _IN_HTML.items():
        # Outside strings JSON has none of them.
        text = text.replace(character, escaped)
    return text + "\n"


def _printable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {key: _printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(item) for item in value]
    return value


def _description(manifest: DataSetManifest, statistics: DataSetStatistics) -> str:
    notes = [fact.text for fact in manifest.facts if fact.kind == "note"]
    negatives = sum(statistics.negative_sources.values())
    own = (
        "Query-document pairs with hard negatives, for training text-embedding models and "
        f"rerankers: {statistics.rows:,} rows, {negatives:,} negatives. Built by Pairmill "
        f"{manifest.pairmill_version}; README.md is the data card."
    )
    return " ".join([own, *notes])
