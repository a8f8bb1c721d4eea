"""Documents that are everybody's negative."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.bins import edged_histogram
from data_cards.audit.measurement import Breakdown, Figure, Measurement, count, findings_of, share
from data_cards.audit.metric import METRICS, AuditContext, Metric

Counts = npt.NDArray[np.int64]

_EDGES = (-0.5, 0.5, 1.5, 3.5, 10.5, 31.5, 100.5, 1000.5, np.inf)
_LABELS = ("0", "1", "2 to 3", "4 to 10", "11 to 31", "32 to 100", "101 to 1000", "over 1000")
_TOP = 10


@METRICS.register("hubness")
class Hubness(Metric):
    """How often each document is a negative.

    A hub (own rule) is the negative of more than `max_row_share` of all rows and more often than
    chance explains: if every document were drawn equally often, so high a count would have a
    probability below `p` (Poisson).

    Attributes:
        max_row_share: Of all rows (own).
        p: Of one document (own).
    """

    title: ClassVar[str] = "Hubs among negatives"
    about: ClassVar[str] = (
        "A document that is everybody's negative is learnt as never relevant, whatever is asked."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "hubs",
        "largest_row_share",
        "negatives_of_most_used",
        "gini",
    )
    max_row_share: float = Field(default=0.01, gt=0, lt=1)
    p: float = Field(default=1e-6, gt=0, lt=1)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return how unequal the counts are, and the hubs; skipped without negatives."""
        if not data.has_negatives():
            return Measurement(skipped="the data set has no negatives")
        links = data.links_of("negative").select("row", "document").unique()
        counts = np.bincount(links["document"].to_numpy(), minlength=data.documents.height)
        hubs = self._hubs(counts, data.rows.height)
        used = np.sort(counts[counts > 0])[::-1]
        first = max(1, round(len(used) / 100))
        return Measurement(
            figures=(
                count("hubs", len(hubs), data.documents.height, "documents that are hubs"),
                share("largest_row_share", int(used[0]), data.rows.height, label="of all rows"),
                share(
                    "negatives_of_most_used",
                    int(used[:first].sum()),
                    int(used.sum()),
                    label="negatives that are the most used 1 % of documents",
                ),
                _score("gini", _gini(counts), len(counts), "0: all documents equally often"),
            ),
            histograms=(
                edged_histogram(
                    "times_negative",
                    "Rows whose negative a document is",
                    {"documents": counts.astype(np.float64)},
                    _EDGES,
                    _LABELS,
                ),
            ),
            breakdowns=(_most_used(data, counts),),
            findings=findings_of(
                self.name,
                "negative_of_many_rows",
                documents=pl.Series(hubs),
                values=pl.Series(counts[hubs] / data.rows.height),
                details=[f"negative of {counts[hub]} of {data.rows.height} rows" for hub in hubs],
                at_most=context.max_findings,
            ),
            finding_counts={"negative_of_many_rows": len(hubs)},
        )

    def _hubs(self, counts: Counts, rows: int) -> Counts:
        from scipy import stats

        expected = counts.sum() / len(counts)
        is_rare = stats.poisson.sf(counts - 1, expected) < self.p
        return np.flatnonzero(is_rare & (counts > self.max_row_share * rows))


def _gini(counts: Counts) -> float:
    """Return 0 if all counts are equal, near 1 if one document has them all."""
    ordered = np.sort(counts).astype(np.float64)
    places = np.arange(1, len(ordered) + 1)
    return float(((2 * places - len(ordered) - 1) * ordered).sum() / (len(ordered) * ordered.sum()))


def _score(name: str, value: float, population: int, label: str) -> Figure:
    return Figure(name, value, "score", None, None, population, population, label)


def _most_used(data: AuditedSet, counts: Counts) -> Breakdown:
    order = np.lexsort((np.arange(len(counts)), -counts))[:_TOP]
    ids = data.documents["doc_id"].gather(order).to_list()
    lines = tuple((doc_id, int(counts[n])) for doc_id, n in zip(ids, order, strict=True))
    return Breakdown("most_used", "Most used negatives", ("document", "rows"), lines)
