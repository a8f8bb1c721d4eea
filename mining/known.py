"""What is known to be right for each query, and the score that bounds are relative to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mining.corpus import CorpusView
from mining.embed import EmbeddedQueries
from mining.search import Floats, Rows, pair_scores
from sdg.errors import ContractError

Anchor = Literal["min", "max", "mean"]


@dataclass(frozen=True, slots=True)
class Known:
    """The positives of Q queries, as lists laid end to end.

    Attributes:
        places: (Q,) place of each query among the embedded ones.
        offsets: (Q + 1,) where each query's positives start.
        rows: (P,) rows of the positives.
        scores: (P,) float32 their scores.
        all_offsets: (Q + 1,) like `offsets`, for `all_rows`.
        all_rows: Rows of the positives and of the document a query was written for: that one
            answers it too, even if another is the positive now. Ascending and different for each
            query.
        all_scores: Their scores.
    """

    places: Rows
    offsets: Rows
    rows: Rows
    scores: Floats
    all_offsets: Rows
    all_rows: Rows
    all_scores: Floats

    @classmethod
    def of(cls, queries: EmbeddedQueries, positives: pa.Table, corpus: CorpusView) -> Known:
        """Look up and score the positives.

        Args:
            queries: With vectors.
            positives: Q >= 1 rows of POSITIVES.
            corpus: Holds all positives.

        Raises:
            ContractError: If a query has no vector or no positive, or a positive is not in the
                corpus.
        """
        places = _places(queries, positives)
        lists = positives["positive_ids"].combine_chunks()
        counts = np.asarray(pc.list_value_length(lists), np.int64)
        if not counts.all():
            raise ContractError(
                f"Each query must have a positive, but {int((counts == 0).sum())} of {len(counts)} "
                "have none. Leave them out."
            )
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        rows = corpus.rows_of(lists.flatten())
        owner = np.repeat(np.arange(len(places)), counts)
        sources = corpus.rows_of([queries.source_doc_ids[place] for place in places.tolist()])
        # One number for each (query, row), so that each pair is scored once.
        owners = np.concatenate([owner, np.arange(len(places))])
        pairs = np.unique(owners * len(corpus) + np.concatenate([rows, sources]))
        all_owner, all_rows = np.divmod(pairs, len(corpus))
        all_scores = pair_scores(queries.vectors, corpus, places[all_owner], all_rows)
        return cls(
            places,
            offsets,
            rows,
            all_scores[np.searchsorted(pairs, owner * len(corpus) + rows)],
            np.searchsorted(all_owner, np.arange(len(places) + 1)),
            all_rows,
            all_scores,
        )

    def anchors(self, anchor: Anchor) -> Floats:
        """Return (Q,) float32 scores that bounds are relative to."""
        starts = self.offsets[:-1]
        if anchor == "mean":
            sums = np.add.reduceat(self.scores.astype(np.float64), starts)
            return (sums / np.diff(self.offsets)).astype(np.float32)
        best: Floats = (np.minimum if anchor == "min" else np.maximum).reduceat(self.scores, starts)
        return best

    def count_above(self, thresholds: Floats, inside: Rows | None = None) -> Rows:
        """Return (Q,) how many of all that is known scores more than a threshold.

        Args:
            thresholds: (Q,) float32.
            inside: Ascending rows that count; None for all.
        """
        counts = np.diff(self.all_offsets)
        is_above = self.all_scores > np.repeat(thresholds, counts)
        if inside is not None:
            is_above &= np.isin(self.all_rows, inside)
        return np.add.reduceat(is_above.astype(np.int64), self.all_offsets[:-1])

    def of_queries(self, numbers: Rows) -> list[npt.NDArray[np.int64]]:
        """Return the rows of all that is known for some of the queries."""
        starts, ends = self.all_offsets[numbers].tolist(), self.all_offsets[numbers + 1].tolist()
        return [self.all_rows[a:b] for a, b in zip(starts, ends, strict=True)]


def _places(queries: EmbeddedQueries, positives: pa.Table) -> Rows:
    asked = positives["query_id"].combine_chunks()
    found = pc.index_in(asked, value_set=pa.array(queries.query_ids, pa.string()))
    if found.null_count:
        missing = asked[found.is_null().index(True).as_py()]
        raise ContractError(
            f"Each of {len(asked)} queries must have a vector, but {missing} has none. "
            "Embed exactly the queries that are mined."
        )
    return np.asarray(found, np.int64)
