"""`triplet`: anchor, positive, negative for sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import polars as pl
import pyarrow as pa
from pydantic import Field

from data_cards.exports import EXPORTS, Export, Mapped, Output
from data_cards.exports.instruction import INSTRUCT_TEMPLATE, Template, write_instruction
from data_cards.exports.lines import Scores, choose_positives, per_positive, scores_of
from data_cards.exports.parquet_sets import ADVICE, OUTPUTS, configurations
from data_cards.exports.selection import Selection


@EXPORTS.register("triplet")
class Triplet(Export):
    """A line for each positive with each negative of a row: for TripletLoss, MNRL, MarginMSE.

    Attributes:
        positives: "each" writes lines for every positive, "first" for the first one only.
        negatives: Of each row at most, the first ones; None for all.
        scores: Column `label`. "margin": positive's score minus negative's, for MarginMSELoss.
            "list": both scores, for MarginMSELoss or DistillKLDivLoss. "none": no such column.
        instruction: "prefix" fills `template`, "omit" leaves it out. The trainer reads every column
            that is no label as a text, so it can have no column of its own.
        template: Of a query with its instruction.
    """

    trainer = "sentence-transformers 6.2.0 (SentenceTransformerTrainer)"

    positives: Literal["each", "first"] = "each"
    negatives: Annotated[int, Field(ge=1)] | None = None
    scores: Scores = "none"
    instruction: Literal["prefix", "omit"] = "prefix"
    template: Template = INSTRUCT_TEMPLATE

    def outputs(self) -> dict[str, Output]:
        """Return the files of lines and of their ids."""
        return OUTPUTS

    def map_rows(self, rows: pa.Table) -> Mapped:
        """Return `anchor`, `positive`, `negative` and perhaps `label`, and the ids of each line."""
        selection = Selection(rows)
        write_instruction(selection, self.instruction, self.template)
        choose_positives(selection, self.positives)
        if self.scores != "none":
            selection.need_scores()
        if self.negatives is not None:
            selection.keep_first("negatives", self.negatives, "further_negative")
        selection.need(negatives=1)
        pairs = per_positive(selection).explode("negatives", empty_as_null=False)
        # A list of one negative is what `scores_of` takes.
        label = scores_of(
            pairs.with_columns(pl.concat_list("negatives").alias("negatives")), self.scores, 1
        )
        if self.scores == "margin":
            label = label.select(pl.col("label").list.first())
        texts = pairs.select(
            pl.col("query").alias("anchor"),
            pl.col("positive").struct.field("text").alias("positive"),
            pl.col("negatives").struct.field("text").alias("negative"),
        )
        ids = pairs.select(
            "query_id",
            pl.col("positive").struct.field("id").alias("positive_id"),
            pl.col("negatives").struct.field("id").alias("negative_id"),
        )
        lines = {"lines": pl.concat([texts, label], how="horizontal"), "ids": ids}
        return Mapped(lines, selection.tally(lines))

    def configurations(self, splits: Sequence[str]) -> list[dict[str, Any]]:
        """Return the lines as the default configuration, the ids as another."""
        return configurations(splits)

    def advice(self) -> tuple[str, ...]:
        """Return how to train on this."""
        return (
            "Train with TripletLoss or MultipleNegativesRankingLoss; with `scores=margin` or "
            "`scores=list` with MarginMSELoss, with `scores=list` also with DistillKLDivLoss.",
            *ADVICE,
        )
