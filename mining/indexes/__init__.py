"""Indexes: who searches, one back-end per file.

All exact back-ends give equal results, bit for bit (`mining.search`): they differ in speed and in
what they need. An approximate one may miss documents and says so.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from sdg.part import Plugin
from sdg.registry import Registry

if TYPE_CHECKING:
    from mining.corpus import CorpusView
    from mining.search import Floats, Found, Wanted


class Index(Plugin):
    """Searches a corpus.

    Attributes:
        is_exact: False if rows among the true top k may be missed.
    """

    is_exact: ClassVar[bool] = True

    @abstractmethod
    def search(self, queries: Floats, corpus: CorpusView, wanted: Wanted) -> Found:
        """Return the best documents inside the bounds, for every query.

        Args:
            queries: (Q, D) float32.
            corpus: N documents.
            wanted: k, bounds and what to count, for each query.

        Raises:
            ContractError: If a query's vector or bound is not a number.
            DataError: If a document's vector is not finite.
            BackendError: If what the back-end needs is missing.
        """

    def identity(self) -> dict[str, Any]:
        """Return what decides the result: of an exact back-end, nothing but that it is exact."""
        return {"name": "exact"} if self.is_exact else super().identity()


INDEXES: Registry[Index] = Registry("index", "mining.indexes")
