"""The searchable corpus: vectors memory-mapped in blocks, attributes as codes, texts on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mining.texts import ParquetTexts
from mining.vectors import Places, VectorStore, text_key
from sdg.errors import ConfigError, ContractError
from sdg.ids import comparison_key
from sdg.schemas import DOCUMENTS

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_COLUMNS = ["doc_id", "language", "entity_key", "group_id", "parent_id"]
_KEY_ROWS = 8192
SEARCH_ROWS = 16_384


def text_code(text: str) -> int:
    """Return a positive 63-bit code, equal where `ids.comparison_key` is."""
    digest = hashlib.blake2b(comparison_key(text).encode("utf-8", "replace"), digest_size=8)
    return (int.from_bytes(digest.digest(), "big") >> 1) | 1


class CorpusView:
    """N documents in the order of their files; a row number stands for a document.

    The order of the files is the order in which they were embedded, so a block of documents is a
    piece of a file of vectors and is not copied. Between equal scores `id_order` decides.

    Attributes:
        doc_ids: (N,) ids.
        id_order: (N,) place of each row in the ascending order of ids.
        language: (N,) int32 codes into `languages`.
        languages: Language tags.
        entity: (N,) int32 codes, -1 where the entity is unknown.
        group: (N,) int32 codes, -1 where there is none.
        parent: (N,) int32 codes, -1 where there is none.
        vectors: The store.
    """

    def __init__(self, texts: ParquetTexts, vectors: VectorStore) -> None:
        """Read ids and attributes; see `open`."""
        table = texts.columns(_COLUMNS)
        self.doc_ids: pa.Array = table["doc_id"].cast(pa.large_string()).combine_chunks()
        self._by_id = np.asarray(pc.sort_indices(self.doc_ids), np.int64)
        self._check_unique()
        self.id_order = np.empty(len(self.doc_ids), np.int64)
        self.id_order[self._by_id] = np.arange(len(self.doc_ids))
        self.language, self.languages = _codes(table["language"])
        self.entity, _ = _codes(table["entity_key"])
        self.group, _ = _codes(table["group_id"])
        self.parent, _ = _codes(table["parent_id"])
        self.vectors = vectors
        self._texts = texts
        self._attributes: dict[str, tuple[npt.NDArray[np.int32], list[str]]] = {}
        self._text_codes = np.zeros(len(self.doc_ids), np.int64)
        self._places = self._find_vectors()

    @classmethod
    def open(cls, paths: Sequence[Path], vectors: VectorStore) -> CorpusView:
        """Return the corpus in DOCUMENTS files.

        Texts whose vectors are missing, because a block was damaged, are embedded again.

        Raises:
            ContractError: If a doc_id occurs twice.
        """
        return cls(ParquetTexts(paths), vectors)

    def __len__(self) -> int:
        """Return N."""
        return len(self.doc_ids)

    def rows_of(self, doc_ids: Sequence[str]) -> Rows:
        """Return the rows of ids.

        Raises:
            ContractError: If an id is not in the corpus.
        """
        found = pc.index_in(pa.array(doc_ids, pa.large_string()), value_set=self.doc_ids)
        if found.null_count:
            missing = doc_ids[found.is_null().index(True).as_py()]
            raise ContractError(
                f"Every positive must be in the corpus, but {missing} is not "
                f"({found.null_count} missing). Mine against the corpus that the pairs come from."
            )
        return np.asarray(found, dtype=np.int64)

    def attribute(self, name: str) -> tuple[npt.NDArray[np.int32], list[str]]:
        """Return the values of a column as codes.

        Args:
            name: A column of DOCUMENTS that holds one value per document; numbers are read as text.

        Returns:
            (N,) int32 codes, -1 for "" and null, and the value of each code.

        Raises:
            ConfigError: If there is no such column.
        """
        known = [field.name for field in DOCUMENTS if not pa.types.is_nested(field.type)]
        if name not in known:
            raise ConfigError(
                f"A document attribute must be one of {', '.join(known)}, but is {name!r} instead. "
                "Correct the name of the column."
            )
        if name not in self._attributes:
            self._attributes[name] = _codes(self._texts.columns([name])[name])
        return self._attributes[name]

    def ids_of(self, rows: Rows) -> list[str]:
        """Return the ids of rows."""
        ids: list[str] = self.doc_ids.take(pa.array(rows, pa.int64())).to_pylist()
        return ids

    def vectors_of(self, rows: Rows) -> Floats:
        """Return (R, D) vectors of rows."""
        return self.vectors.read(self._places[rows])

    def blocks(self) -> Iterator[tuple[int, Floats]]:
        """Yield (first row, (B, D) vectors) over the corpus, B at most SEARCH_ROWS."""
        for start in range(0, len(self), SEARCH_ROWS):
            yield start, self.vectors.read(self._places[start : start + SEARCH_ROWS])

    def texts(self, rows: Rows) -> list[str]:
        """Return the texts of rows, which may repeat."""
        return self._texts.texts(rows)

    def text_codes(self, rows: Rows) -> Rows:
        """Return a positive code per row, equal where the words are; made when first asked for."""
        asked = np.unique(rows)
        new = asked[self._text_codes[asked] == 0]
        if len(new):
            self._text_codes[new] = [text_code(text) for text in self._texts.texts(new)]
        return self._text_codes[rows]

    def _check_unique(self) -> None:
        ordered = self.doc_ids.take(pa.array(self._by_id))
        if len(ordered) < 2:
            return
        twice = pc.index(pc.equal(ordered[1:], ordered[:-1]), True).as_py()
        if twice >= 0:
            raise ContractError(
                f"Documents must have unique ids, but {ordered[twice].as_py()!r} occurs twice. "
                "Deduplicate the corpus first."
            )

    def _find_vectors(self) -> Places:
        keys: list[str] = []
        for start in range(0, len(self), _KEY_ROWS):
            rows = np.arange(start, min(start + _KEY_ROWS, len(self)))
            keys += [text_key(text) for text in self._texts.texts(rows)]
        missing = np.flatnonzero(~self.vectors.has(keys))
        if len(missing):
            self.vectors.ensure(
                self._texts.texts(missing[start : start + _KEY_ROWS])
                for start in range(0, len(missing), _KEY_ROWS)
            )
        return self.vectors.locate(keys)


def _codes(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Return (N,) codes, -1 for "" and null, and what each code stands for."""
    encoded = column.cast(pa.large_string()).combine_chunks().dictionary_encode()
    names: list[str] = encoded.dictionary.to_pylist()
    codes = np.array(encoded.indices.fill_null(-1), np.int32)
    if "" in names:
        codes[codes == names.index("")] = -1
    return codes, names
