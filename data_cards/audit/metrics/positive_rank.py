"""Where the positive stands among all documents, as an encoder sees it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.bins import edged_histogram
from data_cards.audit.encoded import encode_texts, row_blocks
from data_cards.audit.measurement import Measurement, findings_of, share
from data_cards.audit.metric import METRICS, NO_ENCODER, AuditContext, Metric

_EDGES = (-0.5, 0.5, 9.5, 99.5, 999.5, np.inf)
_LABELS = ("0", "1 to 9", "10 to 99", "100 to 999", "1000 and more")
# Equal texts in different products of matrices differ by less: they are not above each other.
_ROUNDING = 1e-6


@METRICS.register("positive_rank")
class PositiveRank(Metric):
    """Rank, from 0, of the best positive of sampled queries among all different documents.

    Attributes:
        sample_queries: Queries that are searched with (own).
        max_documents: Larger sets are searched in a sample of so many documents that holds the
            positives (own): ranks are then lower than in the whole, and a note says so.
    """

    title: ClassVar[str] = "Rank of the positive"
    about: ClassVar[str] = (
        "Positives that an encoder finds first are easy; those beyond rank 100 often do not "
        "answer their query."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "top_*",
        "beyond_*",
    )
    sample_queries: int = Field(default=500, ge=1)
    max_documents: int = Field(default=5_000, ge=1)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return shares and the histogram of ranks; skipped without encoder or positives."""
        if context.encoder is None:
            return Measurement(skipped=NO_ENCODER)
        positives = data.links_of("positive")
        with_positive = positives["row"].unique().sort().to_numpy()
        if not len(with_positive):
            return Measurement(skipped="the data set has no positives")
        chosen = context.sample("positive_rank", len(with_positive), self.sample_queries)
        rows = with_positive[chosen]
        mine = positives.filter(pl.col("row").is_in(pl.Series(rows)))
        own_texts = data.documents["text"].gather(mine["document"]).to_numpy()
        pool, note = self._pool(data, context, own_texts)
        ranks = _ranks(data, context, rows, mine["row"].to_numpy(), own_texts, pool)
        total, every = len(ranks), len(with_positive)
        far = np.flatnonzero(ranks >= 100)
        counts = {"top_1": ranks < 1, "top_10": ranks < 10, "beyond_100": ranks >= 100}
        return Measurement(
            figures=tuple(
                share(name, int(is_in.sum()), total, every, f"positives in {name}")
                for name, is_in in counts.items()
            ),
            histograms=(
                edged_histogram(
                    "ranks",
                    "Rank of the best positive, from 0",
                    {"positives": ranks.astype(np.float64)},
                    _EDGES,
                    _LABELS,
                ),
            ),
            findings=findings_of(
                self.name,
                "positive_beyond_rank_100",
                rows=pl.Series(rows[far]),
                values=pl.Series(ranks[far].astype(np.float64)),
                details=[f"{rank} documents are nearer to the query" for rank in ranks[far]],
                at_most=context.max_findings,
            ),
            finding_counts={"positive_beyond_rank_100": len(far)},
            notes=(f"Searched with {context.encoder.name}, exactly, in {note}.",),
        )

    def _pool(
        self, data: AuditedSet, context: AuditContext, own_texts: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.int32], str]:
        """Return places of the texts that are searched, ascending, and what they are."""
        every = data.documents["text"].unique().sort().to_numpy()
        if len(every) <= self.max_documents:
            return every, f"all {len(every)} different documents"
        drawn = every[context.sample("positive_rank documents", len(every), self.max_documents)]
        pool = np.union1d(drawn, own_texts)
        return pool, f"{len(pool)} of {len(every)} different documents: ranks among all are higher"


def _ranks(
    data: AuditedSet,
    context: AuditContext,
    rows: npt.NDArray[np.int32],
    owners: npt.NDArray[np.int32],
    own_texts: npt.NDArray[np.int32],
    pool: npt.NDArray[np.int32],
) -> npt.NDArray[np.int64]:
    """Return how many documents are nearer to each query than its best positive.

    Args:
        data: The data set.
        context: Has an encoder.
        rows: (Q,) rows of the queries, ascending.
        owners: (P,) row of each positive.
        own_texts: (P,) its text.
        pool: (N,) places of the texts that are searched, ascending; holds `own_texts`.
    """
    if context.encoder is None:
        return np.zeros(len(rows), np.int64)
    queries = encode_texts(data, context.encoder, data.rows["query"].to_numpy()[rows], "query")
    documents = encode_texts(data, context.encoder, pool, "document")
    owner, column = np.searchsorted(rows, owners), np.searchsorted(pool, own_texts)
    ranks = np.zeros(len(rows), np.int64)
    for part in row_blocks(len(rows), len(pool)):
        scores = queries[part] @ documents.T
        best = np.full(len(scores), -np.inf, np.float32)
        inside = (owner >= part.start) & (owner < part.start + len(scores))
        own = owner[inside] - part.start
        np.maximum.at(best, own, scores[own, column[inside]])
        ranks[part] = (scores > best[:, None] + _ROUNDING).sum(axis=1)
        context.report(min(part.stop, len(rows)), len(rows))
    return ranks
