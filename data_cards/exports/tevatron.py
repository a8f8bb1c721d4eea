"""`tevatron`: JSONL for Tevatron 2's dense retrievers."""

from __future__ import annotations

from typing import Annotated, Literal

import polars as pl
import pyarrow as pa
from pydantic import Field, model_validator

from data_cards.exports import EXPORTS, Export, Mapped, Output
from data_cards.exports.instruction import INSTRUCT_TEMPLATE, Template, write_instruction
from data_cards.exports.selection import Selection
from data_cards.exports.side_lists import objects_of, values_of


@EXPORTS.register("tevatron")
class Tevatron(Export):
    """Rows that name documents of a corpus (version 2), or carry them (version 1, still read).

    All positives of a row are in its list; the trainer takes another one each epoch.

    Attributes:
        layout: "ids" writes `query_id`, `query_text`, `positive_document_ids` and
            `negative_document_ids` beside a corpus of `docid` and `text`: the format of version 2.
            "inline" writes `query_id`, `query`, `positive_passages` and `negative_passages` with
            `docid`, `text` and perhaps `score`: version 1's, which version 2 still reads.
        negatives: Of each row at most, the first ones; None for all.
        scores: "list" writes each passage's `score` for distillation ("inline" only) and leaves out
            documents without one.
        instruction: "prefix" fills `template`, "omit" leaves it out; the format has no field.
        template: Of a query with its instruction.
        keep_without_negatives: Write rows without a negative, too; the loader stops at them unless
            `--train_group_size 1`.
    """

    trainer = "Tevatron 2 (tevatron.retriever.dataset.TrainDataset, commit 0a9626f)"

    layout: Literal["ids", "inline"] = "ids"
    negatives: Annotated[int, Field(ge=1)] | None = None
    scores: Literal["none", "list"] = "none"
    instruction: Literal["prefix", "omit"] = "prefix"
    template: Template = INSTRUCT_TEMPLATE
    keep_without_negatives: bool = False

    @model_validator(mode="after")
    def _scores_need_passages(self) -> Tevatron:
        if self.scores == "list" and self.layout == "ids":
            raise ValueError(
                "`scores` must be none with `layout: ids`, but is list instead: a document's score "
                "depends on the query, and a corpus has one line per document. "
                "Set layout to inline."
            )
        return self

    @property
    def document_outputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Return the corpus, if rows name its documents."""
        return ("corpus",) if self.layout == "ids" else ()

    def outputs(self) -> dict[str, Output]:
        """Return a file for each split and, if rows name documents, one for the corpus."""
        files = {"lines": Output("{split}.jsonl", "jsonl")}
        return files | {name: Output("corpus.jsonl", "jsonl") for name in self.document_outputs}

    def map_rows(self, rows: pa.Table) -> Mapped:
        """Return the objects of the layout."""
        selection = Selection(rows)
        write_instruction(selection, self.instruction, self.template)
        if self.scores == "list":
            selection.need_scores()
        if self.negatives is not None:
            selection.keep_first("negatives", self.negatives, "further_negative")
        selection.need(negatives=0 if self.keep_without_negatives else 1)
        if self.layout == "ids":
            columns = [
                pl.col("query").alias("query_text"),
                values_of("positives", "id", "positive_document_ids"),
                values_of("negatives", "id", "negative_document_ids"),
            ]
        else:
            fields = {"id": "docid", "text": "text"}
            fields |= {"score": "score"} if self.scores == "list" else {}
            columns = [
                pl.col("query"),
                objects_of("positives", fields, "positive_passages"),
                objects_of("negatives", fields, "negative_passages"),
            ]
        lines = {"lines": selection.frame.select("query_id", *columns)}
        return Mapped(lines, selection.tally(lines))

    def map_documents(self, documents: pa.Table) -> dict[str, pl.DataFrame]:
        """Return `docid` and `text`, without titles: training reads none, encoding would add it."""
        frame = pl.DataFrame(documents.select(["doc_id", "text"]))
        return {"corpus": frame.rename({"doc_id": "docid"})}

    def advice(self) -> tuple[str, ...]:
        """Return how to train on this."""
        if self.layout == "inline":
            return ("Train with `--dataset_name json --dataset_path DIR/train.jsonl`.",)
        return (
            "Train with `--dataset_name json --dataset_path DIR/train.jsonl --corpus_name json "
            "--corpus_path DIR/corpus.jsonl`.",
        )
