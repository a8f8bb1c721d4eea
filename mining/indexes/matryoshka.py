"""Candidates by the first dimensions of the vectors, scores by all of them."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from mining.corpus import SEARCH_ROWS, CorpusView
from mining.encoders import shorten
from mining.indexes import INDEXES
from mining.indexes.approximate import ApproximateIndex
from mining.scan import scan
from mining.screens import Float32Screen
from mining.search import Floats, Rows, Wanted
from sdg.errors import ConfigError


@INDEXES.register("matryoshka")
class Matryoshka(ApproximateIndex):
    """Scans short vectors, for models trained to put what matters first.

    Of any other model's nearest documents it misses a fifth or more: look at the measured recall
    in the manifest before believing a data set that was mined with it.

    Attributes:
        dimension: Numbers of each vector that are scanned.
        oversampling: Times as many candidates as are wanted get a score by the whole vectors (own).

    Reference: Kusupati et al. 2022, Matryoshka Representation Learning, arXiv 2205.13147, calls it
    adaptive retrieval.
    """

    dimension: int = Field(default=128, ge=1)
    oversampling: int = Field(default=4, ge=1)

    def first_depth(self, k: int) -> int:
        """Return how many documents are proposed at first for k wanted ones."""
        return self.oversampling * super().first_depth(k)

    def propose(self, queries: Floats, corpus: CorpusView, depth: int) -> Rows:
        """Return the nearest documents by short vectors; see `ApproximateIndex.propose`.

        Raises:
            ConfigError: If the vectors are shorter than `dimension`.
        """
        if self.dimension > queries.shape[1]:
            raise ConfigError(
                f"`index.dimension` must be at most that of the vectors, {queries.shape[1]}, but "
                f"is {self.dimension} instead. A quarter of it or less saves time."
            )
        short = shorten(queries, self.dimension)
        wanted = Wanted.nearest(depth, len(queries))
        return scan(short, _ShortCorpus(corpus, self.dimension), wanted, Float32Screen()).rows


class _ShortCorpus(CorpusView):
    """A corpus with the beginnings of its vectors; only what a scan asks of it is there."""

    def __init__(self, whole: CorpusView, dimension: int) -> None:
        self.whole = whole
        self.dimension = dimension
        self.id_order = whole.id_order
        # Not read: a part of this corpus asks for them by `vectors_of`.
        self.vectors = whole.vectors

    def __len__(self) -> int:
        return len(self.whole)

    def ids_of(self, rows: Rows) -> list[str]:
        return self.whole.ids_of(rows)

    def vectors_of(self, rows: Rows) -> Floats:
        return shorten(self.whole.vectors_of(rows), self.dimension)

    def blocks(self, rows_per_block: int = SEARCH_ROWS) -> Iterator[tuple[int, Floats]]:
        for first, block in self.whole.blocks(rows_per_block):
            yield first, shorten(block, self.dimension)
