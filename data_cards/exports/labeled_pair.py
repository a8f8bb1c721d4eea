"""`labeled-pair`: query, document, label for sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import polars as pl
import pyarrow as pa

from data_cards.exports import EXPORTS, Export, Mapped, Output
from data_cards.exports.instruction import INSTRUCT_TEMPLATE, Template, write_instruction
from data_cards.exports.labelled_documents import Labels, need_labels, with_labels
from data_cards.exports.parquet_sets import ADVICE, OUTPUTS, configurations
from data_cards.exports.selection import Selection


@EXPORTS.register("labeled-pair")
class LabeledPair(Export):
    """A line for each document of a row, positives first.

    Attributes:
        labels: "relevance": 1 for positives, 0 for negatives. "grade": the judge's, 0 to 3;
            documents that no judge saw are left out. "score": the miner's; documents without one
            are left out.
        instruction: "prefix" fills `template`, "omit" leaves it out.
        template: Of a query with its instruction.
    """

    trainer = "sentence-transformers 6.2.0 (SentenceTransformerTrainer, CrossEncoderTrainer)"

    labels: Labels = "relevance"
    instruction: Literal["prefix", "omit"] = "prefix"
    template: Template = INSTRUCT_TEMPLATE

    def outputs(self) -> dict[str, Output]:
        """Return the files of lines and of their ids."""
        return OUTPUTS

    def map_rows(self, rows: pa.Table) -> Mapped:
        """Return `query`, `document`, `label`, and the ids of each line."""
        selection = Selection(rows)
        write_instruction(selection, self.instruction, self.template)
        need_labels(selection, self.labels)
        documents = pl.col("positives").list.len() + pl.col("negatives").list.len()
        selection.skip(documents == 0, "no_labelled_document")
        alone = selection.frame.select((pl.col("negatives").list.len() == 0).sum()).item()
        selection.note("rows_without_negatives", int(alone))
        pairs = with_labels(selection.frame, self.labels).explode("documents", empty_as_null=False)
        document = pl.col("documents").struct
        lines = {
            "lines": pairs.select(
                "query", document.field("text").alias("document"), document.field("label")
            ),
            "ids": pairs.select("query_id", document.field("id").alias("document_id")),
        }
        return Mapped(lines, selection.tally(lines))

    def configurations(self, splits: Sequence[str]) -> list[dict[str, Any]]:
        """Return the lines as the default configuration, the ids as another."""
        return configurations(splits)

    def advice(self) -> tuple[str, ...]:
        """Return how to train on this."""
        return (
            "Train a CrossEncoder with BinaryCrossEntropyLoss (`labels=relevance`) or MSELoss "
            "(`labels=score`), an encoder with CoSENTLoss or OnlineContrastiveLoss.",
            ADVICE[0],
        )
