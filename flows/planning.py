"""The plan as a shard, as slices for tasks, and as an estimate for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa

from flows.config import RunConfig, ShardConfig
from flows.corpus_stages import corpus_of
from flows.resources import Documents
from flows.stage_shards import identity_of, outcome_of
from flows.workspace import Workspace
from sdg.plan import PlanConfig, index_documents, plan_requests
from sdg.shards import Shard, finish

# Characters per token, and tokens per query, of the demo's model; measured on 60 English and 60
# French and Spanish abstracts. Other tokenizers differ, and scripts other than Latin much.
_ENGLISH = (4.7, 11)
_OTHER = (3.0, 21)
# Instruction, or six worked examples; measured: 475 tokens with a document of about 90.
_PROMPT_CHARACTERS = 1800
# Tokens written per second by SmolLM2-135M in vLLM on two CPU cores without AMX; own.
_CPU_TOKENS_PER_SECOND = 450.0
_VECTOR_BYTES = 4 * 768
_COLUMNS = ["doc_id", "language", "topic", "text", "natural_texts", "parent_id"]


class PlanRow(NamedTuple):
    """What is asked for one task, pair of languages and generator."""

    task: str
    document_language: str
    query_language: str
    generator: str
    requests: int
    candidates: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run is expected to cost; figures are rough, requests and candidates exact.

    Attributes:
        rows: By task, languages and generator.
        documents: Of the corpus.
        requests: Over all rows.
        scores: Likelihoods asked for when relabelling, at most.
        judge_requests: Asked for when judging, at most; those a later judge of a cascade is spared
            are counted.
        review_requests: Asked of reviewers of pairs, at most: as if every candidate came so far.
        tokens_per_second: The rate assumed for what LLMs write.
        generation_seconds: Tokens written at that rate.
        vector_bytes: Disk for vectors of 768 dimensions, float32.
    """

    rows: tuple[PlanRow, ...]
    documents: int
    requests: int
    scores: int
    judge_requests: int
    review_requests: int
    tokens_per_second: float
    generation_seconds: float
    vector_bytes: int

    def to_json(self) -> dict[str, Any]:
        """Return the estimate for `--json`."""
        return {**asdict(self), "rows": [row._asdict() for row in self.rows]}

    def lines(self) -> list[str]:
        """Return the totals as text, one fact a line."""
        return [
            f"documents to embed: {self.documents:,} (up to {self.vector_bytes / 2**20:,.0f} MiB)",
            f"likelihoods to score when relabelling: at most {self.scores:,}",
            f"requests to judges of negatives: at most {self.judge_requests:,}",
            *self._reviews(),
            f"writing takes about {self.generation_seconds:,.0f} s at "
            f"{self.tokens_per_second:,.0f} tokens/s (measured with the demo's model on two CPU "
            "cores; a GPU server writes one or two orders of magnitude faster)",
        ]

    def _reviews(self) -> list[str]:
        if not self.review_requests:
            return []
        return [f"requests to reviewers of pairs: at most {self.review_requests:,}"]


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
    """Yield (shard name, REQUESTS): each of one task and generator, at most `config.requests`."""
    keys = list(zip(requests["task"].to_pylist(), requests["generator"].to_pylist(), strict=True))
    number = start = 0
    while start < len(keys):
        end = start
        while end < len(keys) and keys[end] == keys[start] and end - start < config.requests:
            end += 1
        yield f"{number:05d}", requests.slice(start, end - start).combine_chunks()
        number, start = number + 1, end


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


def estimate_run(config: RunConfig, plan: Shard, documents: list[Shard]) -> Estimate:
    """Return what the planned requests are expected to cost; asks nothing and nobody."""
    requests = pl.DataFrame(plan.table("kept"))
    lengths = _lengths(corpus_of(documents), plan.table("kept")["source_doc_id"])
    tasks = config.tasks()
    keys = ["task", "document_language", "query_language", "generator"]
    rows = []
    joined = requests.join(lengths, left_on="source_doc_id", right_on="doc_id")
    for key, group in joined.group_by(keys, maintain_order=True):
        task_name, documents_in, queries_in, generator = map(str, key)
        task = tasks[task_name]
        candidates = int(group["num_candidates"].sum())
        sampling = getattr(task, "sampling", None)
        per_token, usual = _ENGLISH if documents_in.startswith("eng") else _OTHER
        characters = float(group["characters"].sum()) + _PROMPT_CHARACTERS * len(group)
        asks = int(task.asks_llm)
        rows.append(
            PlanRow(
                task_name,
                documents_in,
                queries_in,
                generator,
                requests=len(group),
                candidates=candidates,
                prompt_tokens=int(characters / per_token) * asks,
                completion_tokens=0
                if sampling is None
                else candidates * min(sampling.max_tokens, usual),
            )
        )
    total = sum(shard.counts.kept for shard in documents)
    written = sum(row.completion_tokens for row in rows)
    scores = 0
    if config.relabel.enabled:
        scores = len(requests) * config.relabel.scores_per_query
    return Estimate(
        rows=tuple(sorted(rows)),
        documents=total,
        requests=len(requests),
        scores=scores,
        judge_requests=config.judge.requests_at_most(sum(row.candidates for row in rows)),
        review_requests=_review_requests(config, rows),
        tokens_per_second=_CPU_TOKENS_PER_SECOND,
        generation_seconds=written / _CPU_TOKENS_PER_SECOND,
        vector_bytes=total * _VECTOR_BYTES,
    )


def _review_requests(config: RunConfig, rows: Sequence[PlanRow]) -> int:
    return sum(
        row.candidates
        for row in rows
        for reviewer in config.review
        if row.generator or not reviewer.generated_only
        if any(fnmatchcase(row.task, glob) for glob in reviewer.tasks)
    )


def _lengths(corpus: Documents, doc_ids: pa.ChunkedArray) -> pl.DataFrame:
    table = corpus.rows(doc_ids.combine_chunks(), ["doc_id", "text"])
    return pl.DataFrame(table).select("doc_id", characters=pl.col("text").str.len_chars())
