"""What a planned run is expected to cost: a matrix of languages, task and generator.

    REQUESTS + lengths of their documents ─► rows: requests, tokens ─┐
    likelihoods of relabelling            ─► rows                    ├─► time, GPU-hours, cost
    rates of the generators               ───────────────────────────┘

Requests and candidates are exact, all else is expected. What the generators have prices for is
priced as the ledger of a finished run does it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from typing import Any, Final

import polars as pl
import pyarrow as pa

from flows.config import RunConfig
from flows.corpus_stages import corpus_of
from flows.rates import Rate
from flows.resources import Documents
from sdg.llm import Engine
from sdg.llm.journal_file import Spent
from sdg.llm.ledger import cost_of
from sdg.shards import Shard

# Characters per token, and tokens per query, of the demo's model; measured on 60 English and 60
# French and Spanish abstracts. Other tokenizers differ, and scripts other than Latin much.
_ENGLISH: Final = (4.7, 11)
_OTHER: Final = (3.0, 21)
# Instruction, or six worked examples; measured: 475 tokens with a document of about 90.
_PROMPT_CHARACTERS: Final = 1800
_VECTOR_BYTES: Final = 4 * 768
_HOUR: Final = 3600.0
# What likelihoods are called in the column of tasks; no task of a plan can have this name.
RELABEL: Final = "(relabel)"
# What questions before the question are called: at most, since requests may share them.
PREPARE: Final = "(prepare {})"
_CELL: Final = ["document_language", "query_language", "task", "generator"]


@dataclass(frozen=True, slots=True)
class PlanRow:
    """What is asked for one pair of languages, task and generator.

    Attributes:
        document_language: As `eng-Latn`.
        query_language: As `eng-Latn`.
        task: As in the plan, or `RELABEL`.
        generator: "" where nobody is asked.
        requests: Exact; of likelihoods at most.
        candidates: Rows that the requests must end as; 0 for likelihoods.
        prompt_tokens: Expected to be read.
        completion_tokens: Expected to be written.
        seconds: At the generator's rate, alone; None where it has none for this.
        gpu_hours: Of all its GPUs; 0 where it keeps no account of them, None without `seconds`.
        cost: In the currency of the configured prices; None where there is none.
    """

    document_language: str
    query_language: str
    task: str
    generator: str
    requests: int
    candidates: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float | None = None
    gpu_hours: float | None = None
    cost: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the row for `--json`."""
        return {name: getattr(self, name) for name in self.__slots__}


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
        requests: Planned; without likelihoods.
        scores: Likelihoods asked for when relabelling, at most.
        judge_requests: Asked for when judging, at most; those a later judge of a cascade is spared
            are counted. Their tokens are in no row.
        review_requests: Asked of reviewers of pairs, at most: as if every candidate came so far.
        vector_bytes: Disk for vectors of 768 dimensions, float32.
    """

    rows: tuple[PlanRow, ...]
    rates: Mapping[str, Rate]
    documents: int
    requests: int
    scores: int
    judge_requests: int
    review_requests: int
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
    rows = [*_generation(config, joined), *_likelihoods(config, joined)]
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
        judge_requests=config.judge.requests_at_most(candidates),
        review_requests=_review_requests(config, rows),
        vector_bytes=total * _VECTOR_BYTES,
    )


def _generation(config: RunConfig, requests: pl.DataFrame) -> list[PlanRow]:
    tasks = config.tasks()
    rows = []
    for key, group in requests.group_by(_CELL, maintain_order=True):
        documents_in, queries_in, name, generator = map(str, key)
        candidates = int(group["num_candidates"].sum())
        sampling = getattr(tasks[name], "sampling", None)
        characters = int(group["characters"].sum()) + _PROMPT_CHARACTERS * len(group)
        written = _tokens_per_query(queries_in)
        if sampling is not None:
            # Documents may be as long as they are let to be; queries are not.
            most = sampling.max_tokens
            written = most if tasks[name].writes_documents else min(most, written)
        if steps := getattr(tasks[name], "num_preparations", 0):
            rows.append(
                PlanRow(
                    documents_in,
                    queries_in,
                    PREPARE.format(name),
                    _preparing(group) or generator,
                    requests=len(group) * steps,
                    candidates=0,
                    prompt_tokens=_tokens(characters, documents_in) * steps,
                    completion_tokens=len(group) * steps * sampling.max_tokens if sampling else 0,
                )
            )
        rows.append(
            PlanRow(
                documents_in,
                queries_in,
                name,
                generator,
                requests=len(group),
                candidates=candidates,
                prompt_tokens=_tokens(characters, documents_in) if generator else 0,
                completion_tokens=candidates * written if generator else 0,
            )
        )
    return sorted(rows, key=lambda row: (row.document_language, row.query_language, row.task))


def _preparing(requests: pl.DataFrame) -> str:
    """Return the generator of preparations that specs name, "" for the requests' own."""
    return str(json.loads(requests["spec"][0]).get("prepared_by", ""))


def _review_requests(config: RunConfig, rows: Sequence[PlanRow]) -> int:
    return sum(
        row.candidates
        for row in rows
        for reviewer in config.review
        if row.generator or not reviewer.generated_only
        if any(fnmatch(row.task, glob) for glob in reviewer.tasks)
    )


def _likelihoods(config: RunConfig, requests: pl.DataFrame) -> list[PlanRow]:
    """Return what relabelling asks if every query comes as far as that.

    These are all candidates, or one of each request where the round trip keeps the best only.
    """
    settings = config.relabel
    if not settings.enabled:
        return []
    names = requests["task"].unique().to_list()
    wanted = [n for n in names if any(fnmatch(n, glob) for glob in settings.apply_to_tasks)]
    requests = requests.filter(pl.col("task").is_in(wanted))
    best_only = config.round_trip.best_of
    queries = pl.lit(1, pl.Int32) if best_only else pl.col("num_candidates")
    shown = pl.col("characters").clip(upper_bound=settings.max_document_characters) * queries
    requests = requests.with_columns(queries=queries)
    rows = []
    keys = ["document_language", "query_language"]
    for key, group in requests.with_columns(shown=shown).group_by(keys, maintain_order=True):
        documents_in, queries_in = map(str, key)
        asked = int(group["queries"].sum())
        per_score = _tokens(int(group["shown"].sum()), documents_in)
        per_score += asked * _tokens_per_query(queries_in)
        rows.append(
            PlanRow(
                documents_in,
                queries_in,
                RELABEL,
                settings.engine,
                requests=asked * settings.scores_per_query,
                candidates=0,
                prompt_tokens=per_score * settings.scores_per_query,
                completion_tokens=0,
            )
        )
    return sorted(rows, key=lambda row: (row.document_language, row.query_language))


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


def _tokens(characters: int, language: str) -> int:
    return int(characters / (_ENGLISH if language.startswith("eng") else _OTHER)[0])


def _tokens_per_query(language: str) -> int:
    return (_ENGLISH if language.startswith("eng") else _OTHER)[1]


def _lengths(corpus: Documents, doc_ids: pa.ChunkedArray) -> pl.DataFrame:
    table = corpus.rows(doc_ids.combine_chunks(), ["doc_id", "text"])
    return pl.DataFrame(table).select("doc_id", characters=pl.col("text").str.len_chars())
