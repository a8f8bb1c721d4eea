"""A query and its source document must lie close together."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from mining.filters.per_language import by_language, is_empty
from mining.pair_rules import PAIR_RULES, PairRule, Pairs, PairVerdict
from mining.pair_rules.percentiles import CellColumn, with_percentile

Cosine = Annotated[float, Field(ge=-1, le=1)]


@PAIR_RULES.register("pair_cosine")
class PairCosine(PairRule):
    """Stop pairs whose cosine is below a bound.

    Qwen3-Embedding keeps pairs above 0.7 for its second stage. That number belongs to the encoder
    they scored with, which the paper does not name: cosines of other encoders lie elsewhere (some
    give every pair more than 0.7), and of one encoder elsewhere in each language. So there is no
    default: look at `source_score` of a first run, or let `percentile` find the bound in the run
    itself.

    Attributes:
        min_cosine: Lowest cosine that stays, in [-1, 1]; this or `percentile` must be given.
        per_language: Another `min_cosine` for queries of a language, `{fra-Latn: 0.6}`.
        percentile: Instead of `min_cosine`: the percentile of the cell's cosines that a pair must
            reach, in percent; 10 drops about the lowest tenth of each cell.
        cell: Of `percentile`: columns whose values make a cell; the two languages by default (own:
            pairs across languages score lower); [] is the whole run.
        min_cell: Of `percentile`: cells with fewer pairs are not judged; own.

    Reference: Zhang et al. 2025, Qwen3 Embedding, arXiv 2506.05176.
    """

    min_cosine: Cosine | None = None
    per_language: dict[str, Cosine] = Field(default_factory=dict, exclude_if=is_empty)
    percentile: float | None = Field(default=None, ge=0, le=100)
    cell: tuple[CellColumn, ...] = ("document_language", "query_language")
    min_cell: int = Field(default=30, ge=1)

    @model_validator(mode="after")
    def _check_bound(self) -> PairCosine:
        if (self.min_cosine is None) == (self.percentile is None):
            raise ValueError(
                f"either `min_cosine` or `percentile` must be given, but they are "
                f"{self.min_cosine} and {self.percentile} instead. Qwen3's 0.7 is a `min_cosine`, "
                "for its own encoder; `percentile: 10` fits any"
            )
        if self.per_language and self.min_cosine is None:
            raise ValueError(
                "`per_language` must go with `min_cosine`, but `percentile` is given instead. "
                "A percentile is by language already"
            )
        return self

    def judge(self, judged: pl.DataFrame, pairs: Pairs) -> PairVerdict:  # noqa: ARG002
        """Return the pairs below their bound; the detail is the cosine and the bound."""
        if self.percentile is not None:
            rows = with_percentile(judged, self.cell, self.percentile)
        else:
            bound = 0.0 if self.min_cosine is None else self.min_cosine
            bounds = by_language(bound, self.per_language, judged["query_language"].to_list())
            # Cosines are float32: 0.7 as one is a little less than 0.7.
            bounds = bounds.astype(np.float32).astype(np.float64)
            rows = judged.with_columns(bound=pl.Series(bounds), cell_rows=pl.lit(self.min_cell))
        is_judged = pl.col("cell_rows") >= self.min_cell
        low = rows.filter(is_judged & (pl.col("source_score") < pl.col("bound")))
        score, bound_text = (pl.col(n).round(4) for n in ("source_score", "bound"))
        return PairVerdict(
            low.select(
                "query_id",
                reason=pl.lit("below_pair_cosine"),
                detail=pl.format("cosine {}, at least {}", score, bound_text),
            ),
            rows.filter(~is_judged)["query_id"].to_list(),
        )
