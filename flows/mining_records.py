"""What the manifest says of mining."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from data_cards import (
    records,
)
from flows.judge_records import judge_rules
from flows.resources import held
from mining.encoders import Encoder
from mining.indexes import Index
from mining.mine import MiningConfig
from sdg.judge.config import JudgeConfig
from sdg.shards import Shard


def encoder_name(encoder: Encoder) -> str:
    """Return an encoder's name and model, without the folder that the model may lie in."""
    model = str(getattr(encoder, "model", ""))
    shown = Path(model).name if Path(model).is_absolute() else model
    return ":".join(filter(None, [encoder.name, shown]))


def mining_record(
    config: MiningConfig,
    index: Index,
    negatives: pa.Table,
    corpus_documents: int,
    judge: JudgeConfig | None = None,
) -> records.MiningRecord:
    """Return what rules and judge dropped and what was selected, over all finished rows.

    Args:
        config: Rules and selection.
        index: Back-end.
        negatives: NEGATIVES of the finished rows.
        corpus_documents: Searched.
        judge: If rows were judged.
    """
    by_reason = dropped_by_reason(negatives)
    rules = [
        records.RuleRecord(
            rule=rule.name,
            reason=rule.reason,
            settings=rule.model_dump(mode="json"),
            dropped=by_reason.get(rule.reason, 0),
        )
        for rule in config.rules
    ]
    if judge is not None:
        rules += judge_rules(judge, by_reason)
    candidates = pc.sum(negatives["search_depth"]).as_py()
    selected = pc.sum(pc.list_value_length(negatives["negative_ids"])).as_py()
    return records.MiningRecord(
        index=held(index).describe(),
        is_exact=index.is_exact,
        num_negatives=config.num_negatives,
        corpus_documents=corpus_documents,
        candidates=candidates,
        rules=tuple(rules),
        selected=selected,
        not_needed=candidates - selected - sum(by_reason.values()),
    )


def dropped_by_reason(negatives: pa.Table) -> dict[str, int]:
    """Return reason -> candidates that rules dropped, over all rows of NEGATIVES."""
    dropped = (
        pl.DataFrame(negatives.select(["dropped"]))
        .explode("dropped")
        .drop_nulls()
        .unnest("dropped")
        .group_by("reason")
        .agg(pl.col("count").sum())
    )
    return dict(dropped.iter_rows())


def rows_short(negatives: Sequence[Shard], wanted: int) -> int:
    """Return how many rows of the shards' tables "kept" have fewer negatives than wanted."""
    short = 0
    for shard in negatives:
        counts = pc.list_value_length(shard.table("kept", ["negative_ids"])["negative_ids"])
        short += pc.sum(pc.less(counts, wanted)).as_py() or 0
    return short
