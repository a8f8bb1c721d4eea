"""`n-tuple`: anchor, positive, negative_1 … negative_n for sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import polars as pl
import pyarrow as pa
from pydantic import Field

from data_cards.exports import EXPORTS, Export, Mapped, Output
from data_cards.exports.instruction import INSTRUCT_TEMPLATE, Template, write_instruction
from data_cards.exports.lines import Scores, choose_positives, per_positive, scores_of
from data_cards.exports.parquet_sets import ADVICE, OUTPUTS, configurations
from data_cards.exports.selection import Selection


@EXPORTS.register("n-tuple")
class NTuple(Export):
    """A line for each positive with a fixed number of its row's negatives.

    Attributes:
        positives: "each" writes a line for every positive, "first" for the first one only.
        negatives: Of every line, the first ones of the row. 4: what Llama-Embed-Nemotron-8B is
            fine-tuned with (arXiv 2511.07025).
        shortfall: "skip" leaves out rows with fewer negatives; "repeat" begins again at the first
            one, as FlagEmbedding and NeMo Automodel do. Rows without any are always left out.
        scores: Column `label`. "margin": the positive's score minus each negative's, for
            MarginMSELoss. "list": all scores, the positive's first, for MarginMSELoss or
            DistillKLDivLoss. "none": no such column.
        instruction: "prefix" fills `template`, "omit" leaves it out.
        template: Of a query with its instruction.
    """

    trainer = "sentence-transformers 6.2.0 (SentenceTransformerTrainer)"

    positives: Literal["each", "first"] = "each"
    negatives: int = Field(default=4, ge=1)
    shortfall: Literal["skip", "repeat"] = "skip"
    scores: Scores = "none"
    instruction: Literal["prefix", "omit"] = "prefix"
    template: Template = INSTRUCT_TEMPLATE

    def outputs(self) -> dict[str, Output]:
        """Return the files of lines and of their ids."""
        return OUTPUTS

    def map_rows(self, rows: pa.Table) -> Mapped:
        """Return the texts of each line and perhaps `label`, and the ids of each line."""
        selection = Selection(rows)
        write_instruction(selection, self.instruction, self.template)
        choose_positives(selection, self.positives)
        if self.scores != "none":
            selection.need_scores()
        selection.keep_first("negatives", self.negatives, "further_negative")
        if self.shortfall == "repeat":
            selection.repeat_negatives(self.negatives)
        selection.need(negatives=self.negatives)
        tuples = per_positive(selection)
        texts = tuples.select(pl.col("query").alias("anchor"), *self._fields("text", ""))
        ids = tuples.select("query_id", *self._fields("id", "_id"))
        label = scores_of(tuples, self.scores, self.negatives)
        lines = {"lines": pl.concat([texts, label], how="horizontal"), "ids": ids}
        return Mapped(lines, selection.tally(lines))

    def _fields(self, field: str, ending: str) -> list[pl.Expr]:
        positive = pl.col("positive").struct.field(field).alias(f"positive{ending}")
        negatives = [
            pl.col("negatives").list.get(i).struct.field(field).alias(f"negative_{i + 1}{ending}")
            for i in range(self.negatives)
        ]
        return [positive, *negatives]

    def configurations(self, splits: Sequence[str]) -> list[dict[str, Any]]:
        """Return the lines as the default configuration, the ids as another."""
        return configurations(splits)

    def advice(self) -> tuple[str, ...]:
        """Return how to train on this."""
        return (
            "Train with MultipleNegativesRankingLoss; with `scores=margin` or `scores=list` with "
            "MarginMSELoss, with `scores=list` also with DistillKLDivLoss.",
            *ADVICE,
        )
