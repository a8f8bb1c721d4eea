"""The plan of the second round: which accepted queries are varied, and how."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from flows.config import RunConfig
from flows.judging import concat
from flows.stage_shards import identity_of, outcome_of
from flows.workspace import Workspace
from sdg.schemas import QUERIES
from sdg.shards import Shard, finish
from sdg.variations import plan_variations


def plan_variations_shard(space: Workspace, config: RunConfig, queries: Sequence[Shard]) -> Shard:
    """Choose among the accepted queries, and say what is asked about each; table "kept" (REQUESTS).

    Args:
        space: The run's folders.
        config: The run.
        queries: Tables "kept" (QUERIES) of the first round.
    """
    return finish(
        space.shard("vary", "all"),
        identity_of(
            "vary",
            variations=[variation.model_dump(mode="json") for variation in config.variations],
            seed=config.seed,
            queries=[shard.digest for shard in queries],
        ),
        lambda: outcome_of(
            plan_variations(concat(queries, "kept", QUERIES), config.variations, config.seed)
        ),
    )


def requests_that(config: RunConfig, plan: Shard, vary: str) -> pa.Table:
    """Return the REQUESTS of tasks that vary "query" or "documents"."""
    labels = [label for label, task in config.tasks().items() if task.varies == vary]
    table = plan.table("kept")
    return table.filter(pc.is_in(table["task"], value_set=pa.array(labels, pa.string())))
