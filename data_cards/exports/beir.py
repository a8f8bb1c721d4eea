"""`beir`: corpus, queries and relevance judgments, for evaluation."""

from __future__ import annotations

from typing import Literal

import polars as pl
import pyarrow as pa

from data_cards.exports import EXPORTS, Export, Mapped, Output
from data_cards.exports.instruction import INSTRUCT_TEMPLATE, Template, write_instruction
from data_cards.exports.selection import Selection


@EXPORTS.register("beir")
class Beir(Export):
    """Every positive of a row is a judgment; negatives have no place in the format.

    Attributes:
        grades: "binary" judges every positive 1. "graded" writes the judge's grade where there is
            one and 1 where there is none; a positive graded 0 is left out.
        instruction: "metadata" writes it into each query's `metadata`; "prefix" fills `template`;
            "omit" leaves it out.
        template: Of a query with its instruction, for "prefix".
        titles: Write documents' titles, which evaluation code joins to the text. Off: Pairmill's
            miners saw texts only, and a title can be the very query.
    """

    trainer = "BEIR (GenericDataLoader); MTEB reads the same"
    document_outputs = ("corpus",)

    grades: Literal["binary", "graded"] = "binary"
    instruction: Literal["metadata", "prefix", "omit"] = "metadata"
    template: Template = INSTRUCT_TEMPLATE
    titles: bool = False

    def outputs(self) -> dict[str, Output]:
        """Return corpus, queries of all splits, and each split's judgments."""
        return {
            "queries": Output("queries.jsonl", "jsonl"),
            "qrels": Output("qrels/{split}.tsv", "tsv"),
            "corpus": Output("corpus.jsonl", "jsonl"),
        }

    def map_rows(self, rows: pa.Table) -> Mapped:
        """Return queries and judgments."""
        selection = Selection(rows)
        write_instruction(selection, self.instruction, self.template)
        selection.keep_first("negatives", 0, "format_has_no_negatives")
        if self.grades == "graded":
            irrelevant = pl.element().struct.field("grade").eq_missing(0)
            selection.leave_out("positives", irrelevant, "graded_irrelevant")
        selection.need(negatives=0)
        metadata = [pl.col("query_language").alias("language")]
        if self.instruction == "metadata":
            metadata.append(pl.col("instruction"))
        queries = selection.frame.select(
            pl.col("query_id").alias("_id"),
            pl.col("query").alias("text"),
            pl.struct(metadata).alias("metadata"),
        )
        grade = pl.col("positives").struct.field("grade").cast(pl.Int64).fill_null(1)
        judgments = (
            selection.frame.select("query_id", "positives")
            .explode("positives", empty_as_null=False)
            .select(
                pl.col("query_id").alias("query-id"),
                pl.col("positives").struct.field("id").alias("corpus-id"),
                (grade if self.grades == "graded" else pl.lit(1, pl.Int64)).alias("score"),
            )
        )
        lines = {"queries": queries, "qrels": judgments}
        return Mapped(lines, selection.tally(lines))

    def map_documents(self, documents: pa.Table) -> dict[str, pl.DataFrame]:
        """Return `_id`, `title` and `text`."""
        title = pl.col("title").fill_null("") if self.titles else pl.lit("").alias("title")
        frame = pl.DataFrame(documents.select(["doc_id", "title", "text"]))
        return {"corpus": frame.select(pl.col("doc_id").alias("_id"), title, "text")}

    def advice(self) -> tuple[str, ...]:
        """Return what this is good for."""
        return (
            "Evaluate on a split that was not trained on. Only the documents that rows refer to "
            "are in the corpus, so scores are higher than over the whole one.",
        )
