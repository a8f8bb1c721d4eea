"""What one miner proposes for a block of queries, in that miner's own order and scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mining.corpus import CorpusView
from sdg.errors import ContractError
from sdg.schemas import CANDIDATES, MINER_SCORES, check_table

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Proposals:
    """The documents that a miner finds for Q queries.

    Attributes:
        source: Who proposes: "bm25", "dense:<encoder>".
        rows: (Q, K) int64 rows of the corpus, different within a query, the best first: the place
            is the 0-based rank. -1 is padding, at the end.
        scores: (Q, K) float32 in the miner's own scale, higher is better; NaN is padding.
        exempt: Names of rules that do not hold for these candidates. Candidates that are near
            misses by design would all fall to rules that keep near misses out.

    Raises:
        ContractError: If shapes differ, or padding is not the same in both and at the end.
    """

    source: str
    rows: Rows
    scores: Floats
    exempt: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or self.rows.shape != self.scores.shape:
            raise ContractError(
                f"Rows and scores of {self.source!r} must be (Q, K), but are {self.rows.shape} and "
                f"{self.scores.shape} instead."
            )
        is_padding = self.rows < 0
        if (is_padding != np.isnan(self.scores)).any() or (
            is_padding[:, :-1] & ~is_padding[:, 1:]
        ).any():
            raise ContractError(
                f"Padding of {self.source!r} must be -1 with a score of NaN, after everything "
                "proposed, but is not."
            )

    @classmethod
    def nothing(cls, source: str, num_queries: int) -> Proposals:
        """Return no document for every query."""
        shape = (num_queries, 0)
        return cls(source, np.empty(shape, np.int64), np.empty(shape, np.float32))

    @classmethod
    def from_candidates(cls, candidates: pa.Table, source: str, corpus: CorpusView) -> Proposals:
        """Return what retrieving found for each row of CANDIDATES, in their order.

        Args:
            candidates: CANDIDATES.
            source: The miner's name.
            corpus: Holds all documents in it.
        """
        check_table(candidates, CANDIDATES, "candidates")
        counts = np.asarray(pc.list_value_length(candidates["doc_ids"]), np.int64)
        rank = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = corpus.rows_of(pc.list_flatten(candidates["doc_ids"]).to_pylist())
        scores = np.asarray(pc.list_flatten(candidates["scores"]), np.float32)
        query = np.repeat(np.arange(len(counts)), counts)
        return cls(source, *_filled(len(counts), query, rank, rows, scores))

    @classmethod
    def from_scores(
        cls, table: pa.Table, source: str, query_ids: Sequence[str], corpus: CorpusView
    ) -> Proposals:
        """Return what one miner proposed, from MINER_SCORES.

        Args:
            table: Of any miners and queries; a miner's ranks of a query are 0, 1, 2 and so on.
            source: The miner.
            query_ids: Q ids, the order of the result; a query that is not in `table` has no
                proposals.
            corpus: Holds all documents in it.
        """
        check_table(table, MINER_SCORES, "proposals")
        own = table.filter(pc.equal(table["source"], source))
        place = pc.index_in(own["query_id"], value_set=pa.array(list(query_ids), pa.string()))
        own = own.filter(place.is_valid())
        query = np.asarray(place.drop_null(), np.int64)
        rows = corpus.rows_of(own["doc_id"].to_pylist())
        rank = np.asarray(own["rank"], np.int64)
        scores = np.asarray(own["score"], np.float32)
        return cls(source, *_filled(len(query_ids), query, rank, rows, scores))


def _filled(
    num_queries: int, query: Rows, rank: Rows, rows: Rows, scores: Floats
) -> tuple[Rows, Floats]:
    """Return (Q, K) rows and scores of P pairs, padded."""
    shape = (num_queries, int(rank.max(initial=-1)) + 1)
    all_rows = np.full(shape, -1, np.int64)
    all_scores = np.full(shape, np.nan, np.float32)
    all_rows[query, rank], all_scores[query, rank] = rows, scores
    return all_rows, all_scores
