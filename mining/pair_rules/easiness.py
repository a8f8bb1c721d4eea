"""The easiest questions teach little."""

from __future__ import annotations

import polars as pl
from pydantic import Field

from mining.pair_rules import PAIR_RULES, PairRule, Pairs, PairVerdict
from mining.pair_rules.percentiles import CellColumn, with_percentile


@PAIR_RULES.register("easiness")
class Easiness(PairRule):
    """Stop pairs whose cosine is above a percentile of their cell.

    A pair that an encoder already puts close together is easy, and often a paraphrase of the
    document. NeMo Retriever's SDG keeps questions at or below the 70th percentile, over all
    questions; here each task and language has its own, since the cosines of one are not those of
    another.

    Attributes:
        percentile: In percent; 70 (NeMo Retriever SDG) drops about the easiest 30 of 100.
        cell: Columns whose values make a cell; own; [] is the whole run, as NeMo's.
        min_cell: Cells with fewer pairs are not judged; own.
    """

    percentile: float = Field(default=70, ge=0, le=100)
    cell: tuple[CellColumn, ...] = ("task", "query_language")
    min_cell: int = Field(default=30, ge=1)

    def judge(self, judged: pl.DataFrame, pairs: Pairs) -> PairVerdict:  # noqa: ARG002
        """Return the pairs above their bound; the detail is the cosine and the bound."""
        rows = with_percentile(judged, self.cell, self.percentile)
        is_judged = pl.col("cell_rows") >= self.min_cell
        easy = rows.filter(is_judged & (pl.col("source_score") > pl.col("bound")))
        score, bound = (pl.col(n).round(4) for n in ("source_score", "bound"))
        return PairVerdict(
            easy.select(
                "query_id",
                reason=pl.lit("above_easiness_percentile"),
                detail=pl.format("cosine {}, at most {}", score, bound),
            ),
            rows.filter(~is_judged)["query_id"].to_list(),
        )
