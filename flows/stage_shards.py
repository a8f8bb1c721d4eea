"""What the shards of every stage have in common: what decides one, and what it leaves on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa

from mining.cpu_scans import counting_cpu_scans
from sdg.ids import fingerprint
from sdg.schemas import StageResult
from sdg.shards import Counts, Outcome, Shard

# Queries that were scanned on the CPU although a GPU was asked for, in `Counts.extra`.
SCANNED = "queries_scanned_on_cpu"
# Raised by hand when a stage gives other rows than before for the same inputs and settings.
CODE_VERSIONS = {
    "read": 1,
    "deduplicate": 1,
    "vocabulary": 1,
    "embed": 1,
    "plan": 1,
    "generate": 2,
    "gate": 2,
    "duplicates": 1,
    "retrieve": 1,
    "round_trip": 1,
    "cell_yield": 1,
    "relabel": 2,
    "miners": 1,
    "propose": 1,
    "recall": 1,
    "mine": 3,
    "given_corpus": 1,
    "given_pairs": 1,
    "embed_queries": 1,
    "last_ranked": 1,
    "judge": 2,
    "agreement": 1,
    "documents": 1,
    "rows": 1,
    "bitext_nearest": 1,
    "bitext": 1,
    "relabel_existing": 2,
    "decontaminate": 1,
}

# Of stages that run only if they are configured: they count for the runs that have them, so that a
# new one leaves the fingerprints of all other data sets alone.
OPTIONAL_CODE_VERSIONS = {
    "personas": 1,
    "prepare": 1,
    "pair_rules": 1,
    "review": 1,
    "vary": 1,
    "write": 1,
    "written": 1,
    "link": 1,
    "add_written": 1,
    "near": 2,
}


def identity_of(stage: str, **parts: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
    """Return the identity of a shard of `stage`: its code version and everything named."""
    version = CODE_VERSIONS.get(stage) or OPTIONAL_CODE_VERSIONS[stage]
    return {"stage": stage, "code": version, **parts}


def searching(compute: Callable[[], Outcome]) -> Callable[[], Outcome]:
    """Return what computes the same shard, and counts queries that a GPU did not search."""

    def counted() -> Outcome:
        with counting_cpu_scans() as scans:
            outcome = compute()
        if not scans.queries:
            return outcome
        extra = Counts(extra={SCANNED: scans.queries})
        return replace(outcome, counts=outcome.counts + extra)

    return counted


def outcome_of(result: StageResult, **extra: int) -> Outcome:
    """Return what a stage with kept and rejected rows leaves on disk."""
    tables = {"kept": result.kept, "rejected": result.rejected}
    return Outcome(tables, Counts.of(result, **extra))


def tables_of(shard: Shard) -> dict[str, pa.Table]:
    """Return every table of a shard by its name."""
    return {path.stem: shard.table(path.stem) for path in sorted(shard.folder.glob("*.parquet"))}


def content_of(table: pa.Table) -> str:
    """Return a digest of a small table's rows, whatever its chunks."""
    return fingerprint(table.to_pylist())
