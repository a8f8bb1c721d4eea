"""Queries made of their positive's own words."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.folding import folded_words
from data_cards.audit.histogram import mean_figure, tenths
from data_cards.audit.measurement import Figure, Measurement, findings_of, share
from data_cards.audit.metric import METRICS, AuditContext, Metric
from data_cards.audit.sides import Places, Side, side_of
from sdg.words import count_words, longest_shared_runs, share_found, split_words

_BLOCK_LINKS = 16_384


@METRICS.register("copied_queries")
class CopiedQueries(Metric):
    """Finds queries that are one run of a positive's words, and measures overlap in a sample.

    Words are compared case folded and without punctuation. InPars drops questions copied from the
    passage, from three words on (zetaalphavector/InPars).

    Attributes:
        min_words: Shorter queries, such as a name, are no copies; 3 is InPars'.
        sample: Rows whose overlap and longest run are measured; own.
    """

    title: ClassVar[str] = "Copied queries and lexical overlap"
    about: ClassVar[str] = (
        "Copied queries and high overlap teach an encoder to match strings; real queries use "
        "other words than the documents that answer them."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "copied_query_share",
        "mean_overlap",
        "mean_longest_run",
        "full_overlap_share",
    )
    min_words: int = Field(default=3, ge=1)
    sample: int = Field(default=20_000, ge=1)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return the share of copied queries (all rows) and overlap (a sample of rows)."""
        positives = side_of(data, "positive")
        if not len(positives):
            return Measurement(skipped="the data set has no positives")
        copies = np.unique(positives.rows[self._copied(data, positives, context)])
        rows = data.rows.height
        with_positive = np.unique(positives.rows)
        drawn = with_positive[context.sample("copied_queries", len(with_positive), self.sample)]
        looked = _overlaps(data, positives.at(np.flatnonzero(np.isin(positives.rows, drawn))))
        figures = [share("copied_query_share", len(copies), rows, label="queries copied verbatim")]
        return Measurement(
            figures=(*figures, *_overlap_figures(looked, len(with_positive))),
            histograms=(
                tenths("overlap", "Share of the query's words in its positive", looked.overlap),
                tenths("longest_run", "Longest copied run / query", looked.run_share),
            ),
            findings=findings_of(
                self.name,
                "query_copied_from_positive",
                rows=pl.Series(copies),
                at_most=context.max_findings,
            ),
            finding_counts={"query_copied_from_positive": len(copies)},
            notes=(f"Overlap is measured in a sample of up to {self.sample:,} rows.",),
        )

    def _copied(
        self, data: AuditedSet, positives: Side, context: AuditContext
    ) -> npt.NDArray[np.bool_]:
        """Return (O,) whether the query of each positive is one run of its words."""
        queries = data.rows["query"].to_numpy()
        out = np.zeros(len(positives), bool)
        for start in range(0, len(positives), _BLOCK_LINKS):
            part = slice(start, start + _BLOCK_LINKS)
            frame = pl.DataFrame(
                {
                    "query": _words_of(data, queries[positives.rows[part]]),
                    "positive": _words_of(data, positives.texts[part]),
                }
            )
            is_run = (" " + pl.col("positive") + " ").str.contains(
                " " + pl.col("query") + " ", literal=True
            )
            is_long = pl.col("query").str.count_matches(" ", literal=True) + 1 >= self.min_words
            out[part] = frame.select(is_run & is_long).to_series().to_numpy()
            context.report(min(start + _BLOCK_LINKS, len(positives)), len(positives))
        return out


class _Overlap(NamedTuple):
    """How much of each sampled row's query its positives hold: the most of any positive.

    Attributes:
        overlap: (S,) share of the query's words, in [0, 1].
        run: (S,) words of the longest shared run.
        run_share: (S,) the same as a share of the query.
    """

    overlap: npt.NDArray[np.float64]
    run: Places
    run_share: npt.NDArray[np.float64]


def _words_of(data: AuditedSet, places: Places) -> pl.Series:
    distinct, inverse = np.unique(places, return_inverse=True)
    return folded_words(pl.Series(data.texts.take(distinct), dtype=pl.String)).gather(inverse)


def _overlaps(data: AuditedSet, links: Side) -> _Overlap:
    parts = []
    queries = data.rows["query"].to_numpy()
    for start in range(0, len(links), _BLOCK_LINKS):
        part = links.at(np.arange(start, min(start + _BLOCK_LINKS, len(links))))
        words = split_words(data.texts.take(queries[part.rows]))
        others = split_words(data.texts.take(part.texts))
        runs = longest_shared_runs(words, others)
        run_share = runs / np.maximum(count_words(words), 1)
        columns = {"overlap": share_found(words, others), "run": runs, "run_share": run_share}
        parts.append(pl.DataFrame({"row": part.rows, **columns}))
    most = pl.concat(parts).group_by("row").max().sort("row")
    return _Overlap(*(most[name].to_numpy() for name in _Overlap._fields))


def _overlap_figures(looked: _Overlap, population: int) -> list[Figure]:
    return [
        mean_figure("mean_overlap", looked.overlap, population, "share", "query words in positive"),
        mean_figure("mean_longest_run", looked.run, population, "words", "longest copied run"),
        share(
            "full_overlap_share",
            int((looked.overlap == 1).sum()),
            len(looked.overlap),
            population,
            "queries all of whose words are in a positive",
        ),
    ]
