"""`nemo`: the layout of `nvidia/embed-nemotron-dataset-v1`, as NeMo Automodel reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import polars as pl
import pyarrow as pa
from pydantic import Field

from data_cards.exports import EXPORTS, Export, Facts, Mapped, Output
from data_cards.exports.instruction import INSTRUCT_TEMPLATE, Template, write_instruction
from data_cards.exports.selection import Selection
from data_cards.exports.side_lists import objects_of
from sdg.errors import DataError


@EXPORTS.register("nemo")
class NeMo(Export):
    """A subset for each split: queries that name documents, the corpus, and metadata.

    All positives of a row are in its list; the trainer takes another one each epoch. The format has
    no scores.

    Attributes:
        negatives: Of each row at most, the first ones; None for all. The trainer uses the first
            `n_passages - 1` and repeats them if there are fewer.
        instruction: "prefix" fills `template`; "omit" leaves it out; "metadata" writes the one
            instruction that all rows of a split share as its `query_instruction`.
        template: Of a query with its instruction, for "prefix".
        keep_without_negatives: Write rows without a negative, too; the trainer stops at them unless
            `n_passages: 1`.
    """

    trainer = "NeMo Automodel (make_retrieval_dataset, commit 012933f)"
    document_outputs = ("corpus",)

    negatives: Annotated[int, Field(ge=1)] | None = None
    instruction: Literal["prefix", "omit", "metadata"] = "prefix"
    template: Template = INSTRUCT_TEMPLATE
    keep_without_negatives: bool = False

    def outputs(self) -> dict[str, Output]:
        """Return queries and corpus of each split."""
        return {
            "queries": Output("{split}/queries.parquet", "parquet"),
            "corpus": Output("{split}/corpus.parquet", "parquet"),
        }

    def map_rows(self, rows: pa.Table) -> Mapped:
        """Return `question_id`, `question`, `corpus_id`, `pos_doc` and `neg_doc`."""
        selection = Selection(rows)
        write_instruction(selection, self.instruction, self.template)
        if self.negatives is not None:
            selection.keep_first("negatives", self.negatives, "further_negative")
        selection.need(negatives=0 if self.keep_without_negatives else 1)
        split = rows["split"][0].as_py() if rows.num_rows else ""
        queries = selection.frame.select(
            pl.col("query_id").alias("question_id"),
            pl.col("query").alias("question"),
            pl.lit(split).alias("corpus_id"),
            objects_of("positives", {"id": "id"}, "pos_doc"),
            objects_of("negatives", {"id": "id"}, "neg_doc"),
        )
        lines = {"queries": queries}
        return Mapped(lines, selection.tally(lines))

    def map_documents(self, documents: pa.Table) -> dict[str, pl.DataFrame]:
        """Return `id` and `text`."""
        frame = pl.DataFrame(documents.select(["doc_id", "text"]))
        return {"corpus": frame.rename({"doc_id": "id"})}

    def small_files(self, facts: Facts) -> dict[str, Any]:
        """Return each subset's `dataset_metadata.json`.

        Raises:
            DataError: If an instruction should stand there and a split has several.
        """
        files = {}
        for split, instructions in facts.splits.items():
            if self.instruction == "metadata" and len(instructions) > 1:
                raise DataError(
                    f"All rows of split `{split}` must share one instruction to write it into the "
                    f"metadata, but there are {len(instructions)}. "
                    "Use --set instruction=prefix, which writes each row's own into its query."
                )
            shared = instructions[0] if self.instruction == "metadata" and instructions else ""
            files[f"{split}/dataset_metadata.json"] = {
                "class": "TextQADataset",
                "corpus_id": split,
                "ids_only": False,
                "passage_instruction": "",
                "query_instruction": shared,
                "task_type": "retrieval",
            }
        return files

    def configurations(self, splits: Sequence[str]) -> list[dict[str, Any]]:
        """Return the names under which the trainer asks the hub for a subset and its corpus."""
        return [
            {
                "config_name": f"{split}{ending}",
                "data_files": [{"split": "train", "path": f"{split}/{file}.parquet"}],
            }
            for split in splits
            for ending, file in (("", "queries"), ("_corpus", "corpus"))
        ]

    def advice(self) -> tuple[str, ...]:
        """Return how to train on this."""
        return (
            "Publish the folder to the hub and name its subset: `hf://OWNER/NAME/train`.",
            "Each subset holds the whole corpus, because the trainer knows a corpus by one path.",
        )
