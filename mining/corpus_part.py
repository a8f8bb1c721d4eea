"""A part of a corpus that can be searched like a whole one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from mining.corpus import SEARCH_ROWS, CorpusView

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class CorpusPart(CorpusView):
    """Some documents of a corpus; a row number here is a place among them.

    Only what a search asks of a corpus is there: vectors, ids and their order.
    """

    def __init__(self, whole: CorpusView, rows: Rows) -> None:
        """Take the documents at `rows`.

        Args:
            whole: The corpus.
            rows: (M,) rows of it, ascending.
        """
        self.whole = whole
        self.rows = rows
        self.id_order = whole.id_order[rows]
        self.vectors = whole.vectors

    def __len__(self) -> int:
        """Return M."""
        return len(self.rows)

    def ids_of(self, rows: Rows) -> list[str]:
        """Return the ids of rows."""
        return self.whole.ids_of(self.rows[rows])

    def vectors_of(self, rows: Rows) -> Floats:
        """Return (R, D) vectors of rows."""
        return self.whole.vectors_of(self.rows[rows])

    def blocks(self, rows_per_block: int = SEARCH_ROWS) -> Iterator[tuple[int, Floats]]:
        """Yield (first row, (B, D) vectors), in the order of rows, B at most `rows_per_block`.

        Only vectors of the part are read; neighbours in the whole are one request.
        """
        for start in range(0, len(self), rows_per_block):
            yield start, self.whole.vectors_of(self.rows[start : start + rows_per_block])
