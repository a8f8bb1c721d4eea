"""`flagembedding`: JSONL for FlagEmbedding's embedders and rerankers."""

from __future__ import annotations

from typing import Annotated, Literal

import polars as pl
import pyarrow as pa
from pydantic import Field

from data_cards.exports import EXPORTS, Export, Mapped, Output
from data_cards.exports.instruction import INSTRUCT_TEMPLATE, Template, write_instruction
from data_cards.exports.selection import Selection
from data_cards.exports.side_lists import values_of


@EXPORTS.register("flagembedding")
class FlagEmbedding(Export):
    """An object for each row: `query`, `pos`, `neg` and, if wanted, scores, prompt and type.

    All positives of a row are in its list; the trainer draws one each time.

    Attributes:
        negatives: Of each row at most, the first ones; None for all.
        scores: "list" writes `pos_scores` and `neg_scores`, for `--knowledge_distillation True`,
            and leaves out documents without one, because the trainer stops at a null.
        instruction: "field" writes `prompt_key`; "prefix" fills `template`; "omit" leaves it out.
        template: Of a query with its instruction, for "prefix".
        prompt_key: "prompt" is what embedders and LLM rerankers read, "query_prompt" what
            encoder-only rerankers read.
        type: Written as `type` if given; what bge-en-icl's trainer demands.
        keep_without_negatives: Write rows without a negative, too; the embedder's loader divides by
            zero on them unless `--train_group_size 1`.
    """

    trainer = "FlagEmbedding 1.4.2 (AbsEmbedderTrainDataset, AbsRerankerTrainDataset)"

    negatives: Annotated[int, Field(ge=1)] | None = None
    scores: Literal["none", "list"] = "none"
    instruction: Literal["field", "prefix", "omit"] = "field"
    template: Template = INSTRUCT_TEMPLATE
    prompt_key: Literal["prompt", "query_prompt"] = "prompt"
    type: str | None = None
    keep_without_negatives: bool = False

    def outputs(self) -> dict[str, Output]:
        """Return one folder a split, which the trainer takes as `--train_data`."""
        return {"lines": Output("{split}/{split}-{shard}.jsonl", "jsonl")}

    def map_rows(self, rows: pa.Table) -> Mapped:
        """Return the objects."""
        selection = Selection(rows)
        write_instruction(selection, self.instruction, self.template)
        if self.scores == "list":
            selection.need_scores()
        if self.negatives is not None:
            selection.keep_first("negatives", self.negatives, "further_negative")
        selection.need(negatives=0 if self.keep_without_negatives else 1)
        columns = [
            pl.col("query"),
            values_of("positives", "text", "pos"),
            values_of("negatives", "text", "neg"),
        ]
        if self.scores == "list":
            columns.append(values_of("positives", "score", "pos_scores"))
            columns.append(values_of("negatives", "score", "neg_scores"))
        if self.instruction == "field":
            columns.append(pl.col("instruction").alias(self.prompt_key))
        if self.type is not None:
            columns.append(pl.lit(self.type).alias("type"))
        # The loader ignores keys that it does not know; this one says which row it is.
        columns.append(pl.col("query_id").alias("id"))
        lines = {"lines": selection.frame.select(columns)}
        return Mapped(lines, selection.tally(lines))

    def advice(self) -> tuple[str, ...]:
        """Return how to train on this."""
        return (
            "Give the folder of a split: `--train_data DIR/train`. Not DIR itself: the loader "
            "takes every JSON file in a folder for training data.",
            "`prompt` is read only if `--query_instruction_for_retrieval` is given, too; its value "
            "is then replaced by the row's.",
            "With `scores=list`, train with `--knowledge_distillation True`.",
        )
