"""What a planned run is expected to cost: a matrix of languages, task and generator.

    REQUESTS + lengths of their documents ─► rows: requests, tokens ─┐
    likelihoods of relabelling            ─► rows                    ├─► time, GPU-hours, cost
    rates of the generators               ───────────────────────────┘

Requests and candidates are exact, all else is expected. What the generators have prices for is
priced as the ledger of a finished run does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from typing import Any, Final

import polars as pl
import pyarrow as pa

from flows.config import RunConfig
from flows.corpus_stages import corpus_of
from flows.plan_rows import (
    RELABEL,
    PlanRow,
    generation_rows,
    likelihood_rows,
    varied_requests,
)
from flows.rates import Rate
from flows.resources import Documents
from sdg.llm import Engine
from sdg.llm.journal_file import Spent
from sdg.llm.ledger import cost_of
from sdg.shards import Shard

_VECTOR_BYTES: Final = 4 * 768
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of some rows.

    Attributes:
        requests: Sum.
        candidates: Sum.
        prompt_tokens: Sum.
        completion_tokens: Sum.
        seconds: Sum of those that are known.
        gpu_hours: Sum of those that are known.
        cost: Sum of those that are known; None if none is.
        unknown: Rows whose time is not known and not counted.
    """

    requests: int
    candidates: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    gpu_hours: float
    cost: float | None
    unknown: int

    @classmethod
    def of(cls, rows: Sequence[PlanRow]) -> Total:
        """Return the sum of `rows`."""
        costs = [row.cost for row in rows if row.cost is not None]
        return cls(
            sum(row.requests for row in rows),
            sum(row.candidates for row in rows),
            sum(row.prompt_tokens for row in rows),
            sum(row.completion_tokens for row in rows),
            sum(row.seconds or 0.0 for row in rows),
            sum(row.gpu_hours or 0.0 for row in rows),
            sum(costs) if costs else None,
            sum(row.seconds is None for row in rows),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the sum for `--json`."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run is expected to cost.

    Attributes:
        rows: The matrix, by languages, task and generator.
        rates: Generator -> rate, of those that are asked.
        documents: Of the corpus.
        requests: Planned; without likelihoods and variations.
        scores: Likelihoods asked for when relabelling, at most.
        judge_requests: Asked for when judging, at most; those a later judge of a cascade is spared
            are counted. Their tokens are in no row.
        review_requests: Asked of reviewers of pairs, at most: as if every candidate came so far.
        varies: True if some rows are of variations.
        vector_bytes: Disk for vectors of 768 dimensions, float32.
    """

    rows: tuple[PlanRow, ...]
    rates: Mapping[str, Rate]
    documents: int
    requests: int
    scores: int
    judge_requests: int
    review_requests: int
    varies: bool
    vector_bytes: int

    @property
    def total(self) -> Total:
        """The sum of all rows."""
        return Total.of(self.rows)

    @property
    def by_generator(self) -> dict[str, Total]:
        """Generator -> the sum of its rows."""
        return {
            name: Total.of([r for r in self.rows if r.generator == name]) for name in self.rates
        }

    def to_json(self) -> dict[str, Any]:
        """Return the estimate for `--json`."""
        return {
            "rows": [row.to_json() for row in self.rows],
            "rates": {name: rate.to_json() for name, rate in self.rates.items()},
            "by_generator": {name: t.to_json() for name, t in self.by_generator.items()},
            "total": self.total.to_json(),
            "documents": self.documents,
            "requests": self.requests,
            "scores": self.scores,
            "judge_requests": self.judge_requests,
            "review_requests": self.review_requests,
            "varies": self.varies,
            "vector_bytes": self.vector_bytes,
        }


def estimate_run(
    config: RunConfig, plan: Shard, documents: list[Shard], rates: Mapping[str, Rate]
) -> Estimate:
    """Return what the planned requests are expected to cost; asks nothing and nobody.

    Args:
        config: The run.
        plan: Shard of REQUESTS.
        documents: The corpus.
        rates: Generator -> rate, of all configured generators.
    """
    table = plan.table("kept")
    requests = pl.DataFrame(table)
    lengths = _lengths(corpus_of(documents), table["source_doc_id"])
    # Requests without a document of the corpus are read, too: their prompts have a length.
    joined = requests.join(lengths, left_on="source_doc_id", right_on="doc_id", how="left")
    joined = joined.with_columns(pl.col("characters").fill_null(0))
    varied = varied_requests(config, joined)
    labels = {v.task.label for v in config.variations if v.task.varies == "query"}
    written = varied.filter(pl.col("task").is_in(sorted(labels)))
    every = pl.concat([joined.select(varied.columns), written])
    rows = [
        *generation_rows(config, joined),
        *generation_rows(config, varied),
        *likelihood_rows(config, every),
    ]
    asked = {row.generator for row in rows if row.generator}
    scores = sum(row.requests for row in rows if row.task == RELABEL)
    total = sum(shard.counts.kept for shard in documents)
    candidates = sum(row.candidates for row in rows)
    return Estimate(
        rows=tuple(_priced(row, rates, config.generators) for row in rows),
        rates={name: rates[name] for name in sorted(asked)},
        documents=total,
        requests=len(requests),
        scores=scores,
        judge_requests=config.judge.requests_at_most(candidates, config.mining.num_negatives),
        review_requests=_review_requests(config, rows),
        varies=bool(config.variations),
        vector_bytes=total * _VECTOR_BYTES,
    )


def _review_requests(config: RunConfig, rows: Sequence[PlanRow]) -> int:
    return sum(
        row.candidates
        for row in rows
        for reviewer in config.review
        if row.generator or not reviewer.generated_only
        if any(fnmatch(row.task, glob) for glob in reviewer.tasks)
    )


def _priced(row: PlanRow, rates: Mapping[str, Rate], engines: Mapping[str, Engine]) -> PlanRow:
    if not row.generator:
        return replace(row, seconds=0.0, gpu_hours=0.0)
    seconds = rates[row.generator].seconds(row.prompt_tokens, row.completion_tokens)
    read, written = row.prompt_tokens, row.completion_tokens
    entry = Spent(row.generator, row.requests, read, written, 0, seconds or 0.0)
    cost = cost_of([entry], engines)
    is_rented = engines[row.generator].price_per_gpu_hour is not None
    return replace(
        row,
        seconds=seconds,
        gpu_hours=None if seconds is None else cost.gpu_seconds / _HOUR,
        # Where its GPUs are paid by the hour, tokens are not all it costs.
        cost=None if seconds is None and is_rented else cost.price,
    )


def _lengths(corpus: Documents, doc_ids: pa.ChunkedArray) -> pl.DataFrame:
    table = corpus.rows(doc_ids.combine_chunks(), ["doc_id", "text"])
    return pl.DataFrame(table).select("doc_id", characters=pl.col("text").str.len_chars())
