"""`labeled-list`: a query, its documents and a label for each, for sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import polars as pl
import pyarrow as pa
from pydantic import Field

from data_cards.exports import EXPORTS, Export, Mapped, Output
from data_cards.exports.instruction import INSTRUCT_TEMPLATE, Template, write_instruction
from data_cards.exports.labelled_documents import Labels, need_labels, with_labels
from data_cards.exports.parquet_sets import ADVICE, OUTPUTS, configurations
from data_cards.exports.selection import Selection


@EXPORTS.register("labeled-list")
class LabeledList(Export):
    """A line for each row: for the listwise losses of CrossEncoderTrainer.

    Attributes:
        labels: "relevance": 1 for positives, 0 for negatives. "grade": the judge's, 0 to 3;
            documents that no judge saw are left out. "score": the miner's; documents without one
            are left out.
        negatives: Of each row at most, the first ones; None for all.
        instruction: "prefix" fills `template`, "omit" leaves it out.
        template: Of a query with its instruction.
    """

    trainer = "sentence-transformers 6.2.0 (CrossEncoderTrainer)"

    labels: Labels = "relevance"
    negatives: Annotated[int, Field(ge=1)] | None = None
    instruction: Literal["prefix", "omit"] = "prefix"
    template: Template = INSTRUCT_TEMPLATE

    def outputs(self) -> dict[str, Output]:
        """Return the files of lines and of their ids."""
        return OUTPUTS

    def map_rows(self, rows: pa.Table) -> Mapped:
        """Return `query`, `documents`, `labels`, and the ids of each line."""
        selection = Selection(rows)
        write_instruction(selection, self.instruction, self.template)
        need_labels(selection, self.labels)
        if self.negatives is not None:
            selection.keep_first("negatives", self.negatives, "further_negative")
        # A list without both sides orders nothing.
        selection.need(negatives=1)
        lists = with_labels(selection.frame, self.labels)

        def of_each(field: str, name: str) -> pl.Expr:
            values = pl.col("documents").list.eval(pl.element().struct.field(field))
            return values.alias(name)

        lines = {
            "lines": lists.select(
                "query", of_each("text", "documents"), of_each("label", "labels")
            ),
            "ids": lists.select("query_id", of_each("id", "document_ids")),
        }
        return Mapped(lines, selection.tally(lines))

    def configurations(self, splits: Sequence[str]) -> list[dict[str, Any]]:
        """Return the lines as the default configuration, the ids as another."""
        return configurations(splits)

    def advice(self) -> tuple[str, ...]:
        """Return how to train on this."""
        return (
            "Train a CrossEncoder with LambdaLoss, ListNetLoss, PListMLELoss or RankNetLoss.",
            ADVICE[0],
        )
