"""The searchable corpus: vectors read block by block, attributes as codes, texts on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from mining.texts import ParquetTexts
from mining.vector_file import Floats, Rows
from mining.vectors import Vectors
from sdg.errors import ConfigError, ContractError
from sdg.ids import comparison_key
from sdg.lookup import ABSENT, Keys, Lookup

Codes = npt.NDArray[np.int32]

SEARCH_ROWS = 16_384
# Texts that are held as strings at a time.
_TEXT_ROWS = 8192
# Columns that have no value worth a code: every row has its own, or they hold lists.
_NO_ATTRIBUTES = frozenset({"text", "natural_texts"})


def text_code(text: str) -> int:
    """Return a positive 63-bit code, equal where `ids.comparison_key` is."""
    digest = hashlib.blake2b(comparison_key(text).encode("utf-8", "replace"), digest_size=8)
    return (int.from_bytes(digest.digest(), "big") >> 1) | 1


class CorpusView:
    """N documents in the order of their files; a row number stands for a document.

    In memory are ids, their order, and four columns as codes: about 100 bytes a document. Vectors
    are read when asked for and never mapped, texts are decoded when asked for. Between equal scores
    `id_order` decides. Safe to be asked by several threads.

    Attributes:
        doc_ids: (N,) ids.
        id_order: (N,) place of each row in the ascending order of ids.
        language: (N,) int32 codes into `languages`, -1 where it is "".
        languages: Language tags.
        entity: (N,) int32 codes, -1 where the entity is unknown.
        group: (N,) int32 codes, -1 where there is none.
        parent: (N,) int32 codes, -1 where there is none.
        vectors: A store, or vectors that were given.
    """

    def __init__(
        self, texts: ParquetTexts, vectors: Vectors, attributes: ParquetTexts | None = None
    ) -> None:
        """Read ids and attributes; see `open`."""
        self._texts = texts
        self._sources = [texts] if attributes is None else [texts, attributes]
        self._read: dict[str, tuple[Codes, list[str]]] = {}
        self.doc_ids: pa.Array = texts.column("doc_id").cast(pa.large_string()).combine_chunks()
        self.id_order = self._order_ids()
        self._ids = Lookup()
        self._ids.add(_id_keys(self.doc_ids))
        self.language, languages = _codes(texts.column("language"))
        self.languages: list[str] = languages.to_pylist()
        self.entity, _ = _codes(texts.column("entity_key"))
        self.group, _ = _codes(texts.column("group_id"))
        self.parent, _ = _codes(texts.column("parent_id"))
        self.vectors = vectors
        self._text_codes = np.zeros(len(self.doc_ids), np.int64)
        self._places = vectors.places_of(texts)
        # Reading left freed memory in Arrow's hands.
        pa.default_memory_pool().release_unused()

    @classmethod
    def open(
        cls, paths: Sequence[Path], vectors: Vectors, attributes: Sequence[Path] = ()
    ) -> CorpusView:
        """Return the corpus in DOCUMENTS files.

        Texts whose vectors are missing, because a block was damaged, are embedded again.

        Args:
            paths: DOCUMENTS Parquet files.
            vectors: Of their texts.
            attributes: Parquet files with more columns, row for row beside `paths`.

        Raises:
            ContractError: If a doc_id occurs twice, or `attributes` has other rows than `paths`.
            DataError: If there are fewer or more given vectors than documents.
        """
        texts = ParquetTexts(paths)
        beside = ParquetTexts(attributes) if attributes else None
        if beside is not None and len(beside) != len(texts):
            raise ContractError(
                f"Attributes must have one row per document ({len(texts)}), but have {len(beside)} "
                "instead. Write both from the same table."
            )
        return cls(texts, vectors, beside)

    def __len__(self) -> int:
        """Return N."""
        return len(self.doc_ids)

    @property
    def miner(self) -> str:
        """Return the name under which this corpus's vectors mine: `dense:<encoder>`."""
        return f"dense:{self.vectors.encoder.name}"

    def rows_of(self, doc_ids: Sequence[str]) -> Rows:
        """Return the rows of ids.

        Raises:
            ContractError: If an id is not in the corpus.
        """
        asked = pa.array(doc_ids, pa.large_string())
        rows = self._ids.find(_id_keys(asked))
        is_absent = rows == ABSENT
        # Keys are hashes: the ids themselves decide. Absent rows are replaced by any.
        found = self.doc_ids.take(pa.array(np.where(is_absent, 0, rows))) if len(self) else asked
        differs = np.asarray(pc.fill_null(pc.not_equal(found, asked), True))
        is_absent = is_absent | differs
        if is_absent.any():
            missing = doc_ids[int(np.flatnonzero(is_absent)[0])]
            raise ContractError(
                f"Every positive must be in the corpus, but {missing} is not "
                f"({int(is_absent.sum())} missing). Mine against the corpus that the pairs come "
                "from."
            )
        return rows

    def ids_of(self, rows: Rows) -> list[str]:
        """Return the ids of rows."""
        ids: list[str] = self.doc_ids.take(pa.array(rows, pa.int64())).to_pylist()
        return ids

    def vectors_of(self, rows: Rows) -> Floats:
        """Return (R, D) vectors of rows, in a fresh array."""
        return self.vectors.read(self._places[rows])

    def blocks(self, rows_per_block: int = SEARCH_ROWS) -> Iterator[tuple[int, Floats]]:
        """Yield (first row, (B, D) float32 vectors) over the corpus, B at most `rows_per_block`.

        Every block is an array of its own: memory is what the caller holds on to.
        """
        for start in range(0, len(self), rows_per_block):
            yield start, self.vectors.read(self._places[start : start + rows_per_block])

    def texts(self, rows: Rows) -> list[str]:
        """Return the texts of rows, which may repeat."""
        return self._texts.texts(rows)

    def text_codes(self, rows: Rows) -> Rows:
        """Return a positive code per row, equal where the words are; made when first asked for."""
        asked = np.unique(rows)
        new = asked[self._text_codes[asked] == 0]
        # In the order of rows, so that a row group is decoded once for all pieces.
        for start in range(0, len(new), _TEXT_ROWS):
            piece = new[start : start + _TEXT_ROWS]
            self._text_codes[piece] = [text_code(text) for text in self._texts.texts(piece)]
        return self._text_codes[rows]

    def attribute(self, name: str) -> tuple[Codes, list[str]]:
        """Return any column of the documents as codes, read when first asked for.

        Args:
            name: A column of DOCUMENTS that holds one value per document, or of the attributes
                given beside them; numbers are read as text.

        Returns:
            (N,) int32 codes, -1 where the value is null or "", and the value of each code.

        Raises:
            ConfigError: If the documents have no such column.
        """
        if name not in self._read:
            # What was given under a name is meant, not our column of that name.
            source = next((s for s in reversed(self._sources) if name in s.names), None)
            if source is None or name in _NO_ATTRIBUTES:
                known = {name for source in self._sources for name in source.names}
                raise ConfigError(
                    f"A document attribute must be one of "
                    f"{', '.join(sorted(known - _NO_ATTRIBUTES))}, but is {name!r} instead. "
                    "Correct the name, or keep the column with `corpus.attributes`."
                )
            codes, values = _codes(source.column(name))
            self._read[name] = codes, values.to_pylist()
        return self._read[name]

    def _order_ids(self) -> Rows:
        by_id = pc.sort_indices(self.doc_ids)
        ordered = self.doc_ids.take(by_id)
        twice = pc.index(pc.equal(ordered[1:], ordered[:-1]), True).as_py() if len(ordered) else -1
        if twice >= 0:
            raise ContractError(
                f"Documents must have unique ids, but {ordered[twice].as_py()!r} occurs twice. "
                "Deduplicate the corpus first."
            )
        order = np.empty(len(by_id), np.int64)
        order[np.asarray(by_id)] = np.arange(len(by_id))
        return order


def _id_keys(ids: pa.Array) -> Keys:
    """Return (N, 2) hashes of ids, good within this process."""
    column = pl.Series(ids) if len(ids) else pl.Series([], dtype=pl.String)
    return np.stack([column.hash(1).to_numpy(), column.hash(2).to_numpy()], axis=1)


def _codes(column: pa.ChunkedArray) -> tuple[Codes, pa.Array]:
    """Return (N,) codes, -1 for "" and null, and what each code stands for."""
    encoded = column.cast(pa.large_string()).combine_chunks().dictionary_encode()
    codes = np.array(encoded.indices.fill_null(-1), np.int32)
    empty = pc.index(encoded.dictionary, "").as_py()
    if empty >= 0:
        codes[codes == empty] = -1
    return codes, encoded.dictionary
