"""Which documents a corpus has, by id and by text: 32 bytes a document."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sdg.lookup import Lookup
from sdg.pairs.documents import DOCUMENT_KEYS
from sdg.schemas import check_table

Rows = npt.NDArray[np.int64]


class CorpusIndex:
    """Ids and texts of a corpus.

    Attributes:
        ids: Keys of ids -> row.
        texts: Keys of normalised texts -> the first row with that text.
        doc_ids: Id of each row.
    """

    def __init__(self) -> None:
        self.ids = Lookup()
        self.texts = Lookup()
        self._doc_ids: list[pa.Array] = []
        self._languages: list[pa.Array] = []

    @classmethod
    def of(cls, parts: Iterable[tuple[pa.Table, pa.Table]]) -> CorpusIndex:
        """Return the index of documents, by part: (`doc_id` and `language`, DOCUMENT_KEYS)."""
        index = cls()
        for documents, keys in parts:
            check_table(keys, DOCUMENT_KEYS, "document keys")
            words = {name: keys[name].to_numpy() for name in DOCUMENT_KEYS.names}
            index.ids.add(np.stack([words["id_high"], words["id_low"]], axis=1))
            index.texts.add(np.stack([words["text_high"], words["text_low"]], axis=1))
            index._doc_ids.append(documents["doc_id"].cast(pa.large_string()).combine_chunks())
            index._languages.append(documents["language"].combine_chunks().dictionary_encode())
        return index

    def __len__(self) -> int:
        """Return the number of documents."""
        return len(self.ids)

    def doc_ids(self, rows: Rows) -> list[str]:
        """Return the ids of rows."""
        return _taken(self._doc_ids, pa.large_string(), rows)

    def languages(self, rows: Rows) -> list[str]:
        """Return the language tags of rows."""
        return _taken(self._languages, pa.dictionary(pa.int32(), pa.string()), rows)


def _taken(parts: list[pa.Array], kind: pa.DataType, rows: Rows) -> list[str]:
    taken = pa.chunked_array(parts, kind).take(pa.array(rows, pa.int64()))
    values: list[str] = taken.to_pylist()
    return values
