"""Exact search with numpy: the oracle, and the back-end that needs nothing."""

from __future__ import annotations

from mining.corpus import CorpusView
from mining.indexes import INDEXES, Index
from mining.scan import scan
from mining.screens import Float32Screen
from mining.search import Floats, Found, Wanted


@INDEXES.register("exact")
class ExactIndex(Index):
    """Float32 products by numpy, then the scan."""

    def search(self, queries: Floats, corpus: CorpusView, wanted: Wanted) -> Found:
        """Return the best documents; see `Index.search`."""
        return scan(queries, corpus, wanted, Float32Screen())
