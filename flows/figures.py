"""The figures under the table at the end of a run."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from data_cards.manifest import DataSetManifest
from flows.outcome import StageOutcome
from sdg.llm.ledger import Cost
from sdg.llm.usage import Usage


def figures_of(
    stages: Sequence[StageOutcome],
    manifest: DataSetManifest,
    usage: Usage,
    start: float,
    cost: Cost,
) -> dict[str, Any]:
    """Return what a run made and what it cost, for people and `--json`.

    Args:
        stages: Of this run.
        manifest: Of the data set it published.
        usage: What the journal was asked in this run.
        start: `time.monotonic()` when the run began.
        cost: Of all answers that the data set used, in this run or before.
    """
    return {
        **content_figures(manifest),
        "LLM requests sent": usage.sent,
        "LLM requests answered from the journal": usage.from_journal,
        "tokens written": usage.completion_tokens_sent,
        "tokens/s while generating": _rate(stages, usage),
        **cost_figures(cost, manifest.rows),
        "seconds": round(time.monotonic() - start, 1),
        "peak memory, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def cost_figures(cost: Cost, rows: int) -> dict[str, Any]:
    """Return what a data set's answers cost in all and per 1,000 rows; empty without answers."""
    if not cost.requests:
        return {}
    return {"LLM ledger": cost.to_json(), "LLM ledger per 1,000 rows": cost.per_thousand(rows)}


def content_figures(manifest: DataSetManifest) -> dict[str, Any]:
    """Return the figures of a finished data set that its manifest knows."""
    by_language: Counter[str] = Counter()
    by_task: Counter[str] = Counter()
    for cell in manifest.cells:
        by_language[cell.query_language] += cell.kept
        by_task[cell.task] += cell.kept
    counts = {stage.name: stage for stage in manifest.stages}
    changed = manifest.relabel
    asked = {"requests": counts["plan"].kept} if "plan" in counts else {}
    return {
        "documents": manifest.mining.corpus_documents,
        **asked,
        "rows": manifest.rows,
        "rows by query language": dict(sorted(by_language.items())),
        "rows by task": dict(sorted(by_task.items())),
        "shards": sum(path.startswith("data/") for path in manifest.files),
        "positives changed": 0 if changed is None else changed.changed,
    }


def _rate(stages: Sequence[StageOutcome], usage: Usage) -> float:
    seconds = next((s.seconds for s in stages if s.name == "generate"), 0.0)
    return round(usage.completion_tokens_sent / seconds, 1) if seconds else 0.0
