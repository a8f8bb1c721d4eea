"""The plan as a shard, and as slices for tasks; what it costs is in `flows.estimate`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise

import pyarrow as pa

from flows.config import RunConfig, ShardConfig
from flows.corpus_stages import corpus_of
from flows.stage_shards import identity_of, outcome_of
from flows.workspace import Workspace
from sdg.plan import PlanConfig, index_documents, plan_requests
from sdg.shards import Shard, finish

_COLUMNS = ["doc_id", "language", "topic", "text", "natural_texts", "parent_id"]


def plan_shard(space: Workspace, config: RunConfig, documents: list[Shard]) -> Shard:
    """Choose documents and what is asked about each."""
    return finish(
        space.shard("plan", "all"),
        identity_of(
            "plan",
            plan=config.plan.model_dump(mode="json"),
            seed=config.seed,
            documents=[shard.digest for shard in documents],
        ),
        lambda: outcome_of(
            plan_requests(
                index_documents(corpus_of(documents).batches(_COLUMNS)), config.plan, config.seed
            )
        ),
    )


def slices(requests: pa.Table, config: ShardConfig) -> Iterator[tuple[str, pa.Table]]:
    """Yield (shard name, REQUESTS), at most `config.requests` of one task in each.

    All requests of a slice are asked of one generator, and their preparations of one.
    """
    columns = [requests[name].to_pylist() for name in ("task", "generator", "spec")]
    keys = [
        (task, generator, prepared_by(spec)) for task, generator, spec in zip(*columns, strict=True)
    ]
    if any(one > other for one, other in pairwise(keys)):
        # Two entries of one task may differ in who prepares: their requests lie mixed.
        places = sorted(range(len(keys)), key=keys.__getitem__)
        requests, keys = requests.take(places), sorted(keys)
    number = start = 0
    while start < len(keys):
        end = start
        while end < len(keys) and keys[end] == keys[start] and end - start < config.requests:
            end += 1
        yield f"{number:05d}", requests.slice(start, end - start).combine_chunks()
        number, start = number + 1, end


def prepared_by(spec: str) -> str:
    """Return the generator that a request's spec names for its preparations; "" for its own."""
    return str(json.loads(spec).get("prepared_by", "")) if '"prepared_by"' in spec else ""


def limited(config: RunConfig, count: int) -> RunConfig:
    """Return `config` with at most `count` documents per entry, spread over its quotas."""
    entries = []
    for entry in config.plan.entries:
        share, more = divmod(count, len(entry.quotas))
        counts = [share + (i < more) for i in range(len(entry.quotas))]
        quotas = [
            quota.model_copy(update={"count": min(quota.count, n)})
            for quota, n in zip(entry.quotas, counts, strict=True)
            if n
        ]
        entries.append(entry.model_copy(update={"quotas": tuple(quotas)}))
    return config.model_copy(update={"plan": PlanConfig(entries=tuple(entries))})
