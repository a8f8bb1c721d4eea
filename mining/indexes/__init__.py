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
    from pathlib import Path

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

    def prepare(self, corpus: CorpusView, folder: Path, fingerprint: str) -> None:
        """Make or open what searching `corpus` needs; an exact index needs nothing.

        To be called before the first search in every process; what is there and whole is kept.

        Args:
            corpus: The whole corpus.
            folder: Of all indexes.
            fingerprint: Of the corpus and of what made its vectors.
        """

    def check(self) -> None:
        """Check that the device that is asked for is there, before anything is embedded for it.

        Raises:
            BackendError: If it is not.
        """

    def describe(self) -> str:
        """Return who searches, for the manifest and the card."""
        return self.name

    def identity(self) -> dict[str, Any]:
        """Return what decides the result: of an exact back-end, nothing but that it is exact."""
        return {"name": "exact"} if self.is_exact else super().identity()


INDEXES: Registry[Index] = Registry("index", "mining.indexes")
