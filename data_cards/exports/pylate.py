"""`pylate`: queries, documents and scored lists for PyLate's distillation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import polars as pl
import pyarrow as pa
from pydantic import Field

from data_cards.exports import EXPORTS, Export, Mapped, Output
from data_cards.exports.instruction import INSTRUCT_TEMPLATE, Template, write_instruction
from data_cards.exports.lines import choose_positives, per_positive
from data_cards.exports.selection import Selection


@EXPORTS.register("pylate")
class PyLate(Export):
    """A line for each positive with a fixed number of negatives, all scored.

    Documents without a score are left out: a distilled score cannot be made up. Every list is as
    long as every other, because the trainer makes a batch of them into one tensor.

    Attributes:
        positives: "each" writes a line for every positive, "first" for the first one only.
        negatives: Of every line; rows with fewer scored ones are left out. `n_ways` is one more.
        instruction: "prefix" fills `template`, "omit" leaves it out; the format has no field.
        template: Of a query with its instruction.
    """

    trainer = "PyLate 1.6.0 (utils.KDProcessing, losses.Distillation)"
    document_outputs = ("documents",)

    positives: Literal["each", "first"] = "each"
    negatives: int = Field(default=4, ge=1)
    instruction: Literal["prefix", "omit"] = "prefix"
    template: Template = INSTRUCT_TEMPLATE

    def outputs(self) -> dict[str, Output]:
        """Return the lists of each split, all queries, and all documents."""
        return {
            "lists": Output("lists/{split}-{shard}.parquet", "parquet"),
            "queries": Output("queries.parquet", "parquet"),
            "documents": Output("documents.parquet", "parquet"),
        }

    def map_rows(self, rows: pa.Table) -> Mapped:
        """Return `query_id`, `document_ids`, `scores`; and each query's text."""
        selection = Selection(rows)
        write_instruction(selection, self.instruction, self.template)
        selection.need_scores()
        choose_positives(selection, self.positives)
        selection.keep_first("negatives", self.negatives, "further_negative")
        selection.need(negatives=self.negatives)
        documents = pl.concat_list(pl.concat_list("positive"), "negatives").alias("documents")
        lists = per_positive(selection).select("query_id", documents)

        def of_each(field: str, name: str) -> pl.Expr:
            values = pl.col("documents").list.eval(pl.element().struct.field(field))
            return values.alias(name)

        lines = {
            "lists": lists.select(
                "query_id", of_each("id", "document_ids"), of_each("score", "scores")
            ),
            "queries": selection.frame.select("query_id", pl.col("query").alias("text")),
        }
        return Mapped(lines, selection.tally(lines))

    def map_documents(self, documents: pa.Table) -> dict[str, pl.DataFrame]:
        """Return `document_id` and `text`."""
        frame = pl.DataFrame(documents.select(["doc_id", "text"]))
        return {"documents": frame.rename({"doc_id": "document_id"})}

    def configurations(self, splits: Sequence[str]) -> list[dict[str, Any]]:
        """Return `train` (the lists, with all splits), `queries` and `documents`."""
        lists = [{"split": split, "path": f"lists/{split}-*.parquet"} for split in splits]
        return [
            {"config_name": "train", "default": True, "data_files": lists},
            *(
                {
                    "config_name": name,
                    "data_files": [{"split": "train", "path": f"{name}.parquet"}],
                }
                for name in ("queries", "documents")
            ),
        ]

    def advice(self) -> tuple[str, ...]:
        """Return how to train on this."""
        return (
            "Load the configurations `train`, `queries` and `documents` and give the last two to "
            f"`KDProcessing(..., n_ways={self.negatives + 1})`.",
            "Scores are as the miner wrote them. `Distillation` brings the student's scores to "
            "[0, 1] by default and leaves the teacher's as they are.",
        )
