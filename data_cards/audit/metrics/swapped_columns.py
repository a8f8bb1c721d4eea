"""Whether query and positive stand in each other's column."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.folding import folded_keys
from data_cards.audit.measurement import Figure, Measurement, findings_of, share
from data_cards.audit.metric import METRICS, AuditContext, Metric
from data_cards.audit.sides import Places, document_texts, side_of
from data_cards.audit.text_scan import scan_texts
from sdg.rate import rate


@METRICS.register("swapped_columns")
class SwappedColumns(Metric):
    """Looks for queries that are as long as positives beside positives as short as queries.

    In most data sets queries are much shorter than documents. Within a task, a row is taken for
    swapped if its query is longer than its positive and both lengths (as logarithms) are nearer to
    the medians of the other column than to their own. Where the two medians are alike, as in pairs
    of sentences, lengths tell nothing and no row is named.

    Attributes:
        min_ratio: Of the two medians, own: below it lengths tell nothing.
    """

    title: ClassVar[str] = "Swapped columns"
    about: ClassVar[str] = (
        "A swapped row teaches the encoder to find queries with documents; more than half of "
        "queries longer than their positive means that the columns of the whole set are swapped."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "swapped_row_share",
        "longer_query_share",
        "query_is_document_share",
        "median_length_ratio",
    )
    min_ratio: float = Field(default=2.0, ge=1)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return the share of rows with each kind of evidence; all rows are looked at."""
        pairs = _pairs(data, context)
        if pairs.is_empty():
            return Measurement(skipped="the data set has no positives")
        pairs = pairs.with_columns(is_document=_is_document_elsewhere(data, pairs, context))
        swapped = pairs.filter(self._fits_swapped())
        documents = pairs.filter("is_document")
        longer = int((pairs["query"] > pairs["positive"]).sum())
        reasons = {"looks_swapped": swapped, "query_is_a_document_elsewhere": documents}
        ratio = _median(pairs["positive"]) / max(_median(pairs["query"]), 1.0)
        size = pairs.height
        return Measurement(
            figures=(
                _estimate(swapped.height, size),
                share("longer_query_share", longer, size, label="queries longer than positives"),
                share(
                    "query_is_document_share",
                    documents.height,
                    size,
                    label="queries that are a document of another row",
                ),
                Figure(
                    "median_length_ratio",
                    ratio,
                    "",
                    None,
                    None,
                    size,
                    size,
                    "median characters of positives / of queries",
                ),
            ),
            findings=pl.concat(
                findings_of(
                    self.name,
                    reason,
                    rows=found["row"],
                    values=found["query"] / found["positive"].clip(lower_bound=1),
                    at_most=context.max_findings,
                )
                for reason, found in reasons.items()
            ),
            finding_counts={reason: found.height for reason, found in reasons.items()},
        )

    def _fits_swapped(self) -> pl.Expr:
        query, positive = ((pl.col(name) + 1).log() for name in ("query", "positive"))
        usual_query, usual_positive = (side.median().over("task") for side in (query, positive))
        as_is = (query - usual_query).abs() + (positive - usual_positive).abs()
        turned = (query - usual_positive).abs() + (positive - usual_query).abs()
        can_tell = (usual_positive - usual_query).abs() >= np.log(self.min_ratio)
        return can_tell & (turned < as_is)


def _estimate(swapped: int, size: int) -> Figure:
    """Return the share with an interval though all rows were looked at: lengths are a hint only."""
    found = rate(swapped, size)
    value, label = swapped / size, "rows that look swapped"
    return Figure("swapped_row_share", value, "share", found.low, found.high, size, size, label)


def _pairs(data: AuditedSet, context: AuditContext) -> pl.DataFrame:
    """Return one line per row with a positive: `row`, `task`, characters of query and positive.

    Of several positives the longest counts.
    """
    sizes = np.concatenate(
        [
            np.empty(0, np.int64),
            *scan_texts(
                data.texts,
                lambda _first, block: block.str.len_chars().to_numpy().astype(np.int64),
                context,
            ),
        ]
    )
    positives = side_of(data, "positive")
    longest = (
        pl.DataFrame({"row": positives.rows, "positive": sizes[positives.texts]})
        .group_by("row")
        .max()
        .sort("row")
    )
    rows = longest["row"]
    queries = pl.Series("query", sizes[data.rows["query"].gather(rows).to_numpy()])
    return longest.with_columns(queries, data.rows["task"].gather(rows))


def _is_document_elsewhere(
    data: AuditedSet, pairs: pl.DataFrame, context: AuditContext
) -> pl.Series:
    """Return whether each row's query has the words of a document that is none of its own."""
    keys = folded_keys(data.texts, context)
    documents = keys[document_texts(data)]
    queries = keys[data.rows["query"].to_numpy()]
    links = data.links.select(
        "row", key=pl.Series(documents).gather(data.links["document"].to_numpy())
    )
    # A document that only this row refers to is no evidence; one of the corpus is.
    own = _counts(links.filter(pl.col("key") == pl.Series(queries).gather(links["row"])), data)
    everywhere = _occurrences(documents, links["key"].to_numpy(), queries)
    is_elsewhere = everywhere > own
    return pl.Series(is_elsewhere).gather(pairs["row"])


def _counts(links: pl.DataFrame, data: AuditedSet) -> Places:
    return np.bincount(links["row"].to_numpy(), minlength=data.rows.height)


def _occurrences(
    documents: npt.NDArray[np.uint64],
    linked: npt.NDArray[np.uint64],
    asked: npt.NDArray[np.uint64],
) -> Places:
    """Return how many links each key has; a document without a link counts as one."""
    ordered = np.sort(linked)
    found = np.searchsorted(ordered, asked, "right") - np.searchsorted(ordered, asked, "left")
    return np.where(found == 0, np.isin(asked, documents), found).astype(np.int64)


def _median(values: pl.Series) -> float:
    return float(np.median(values.to_numpy()))
