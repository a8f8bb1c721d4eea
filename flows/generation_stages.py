"""The stages that ask generators: preparations, then queries; see `corpus_stages`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from flows.asking import JournalAsk
from flows.config import RunConfig
from flows.corpus_stages import corpus_of
from flows.planning import prepared_by
from flows.progress import advance
from flows.resources import held
from flows.stage_shards import content_of, identity_of, outcome_of
from flows.workspace import Workspace
from sdg.answers import ask_preparation, companion_ids
from sdg.generate import STAGE, generate
from sdg.llm import ChatRequest, Reply
from sdg.shards import UNANSWERED, Counts, Outcome, Shard, finish


def prepare_shard(
    space: Workspace,
    config: RunConfig,
    requests: pa.Table,
    documents: Sequence[Shard],
    name: str,
    step: int,
    before: Sequence[Shard] = (),
) -> Shard:
    """Ask the questions before the question, one step, about one slice of requests.

    Args:
        space: The run's folders.
        config: The run.
        requests: REQUESTS of one generator.
        documents: The corpus.
        name: The shard's name.
        step: Number of the question, from 0.
        before: Shards of the steps before.
    """
    folder = space.shard("prepare", f"{name}-{step}")
    generator = preparing_generator(requests)
    sources = _sources(requests, documents)

    def compute() -> Outcome:
        asking = _Asking(config, space, folder, generator)
        answers = [shard.table("answers") for shard in before]
        found = ask_preparation(
            step, requests, sources, config.tasks(), answers, asking.ask, seed=config.seed
        )
        return Outcome({"answers": found}, Counts(extra=asking.spent()))

    prepared = [shard.digest for shard in before]
    identity = _identity(config, "prepare", generator, requests, sources)
    return finish(folder, {**identity, "step": step, "before": prepared}, compute)


def generate_shard(
    space: Workspace,
    config: RunConfig,
    requests: pa.Table,
    documents: Sequence[Shard],
    name: str,
    prepared: Sequence[Shard] = (),
    stage: str = STAGE,
) -> Shard:
    """Ask for the candidates of one slice of requests, all of one generator.

    Args:
        space: The run's folders.
        config: The run.
        requests: REQUESTS of one generator, or of tasks that ask none.
        documents: The corpus.
        name: The shard's name.
        prepared: Shards of `prepare_shard`, one per step.
        stage: "generate", or "attach" for documents that are written for accepted queries.
    """
    generator = requests["generator"][0].as_py()
    engine = held(config.generators[generator]) if generator else None
    revision = engine.revision() if engine is not None else ""
    sources = _sources(requests, documents)
    folder = space.shard(stage, name)
    tasks = config.tasks()
    writes = any(
        tasks[t].writes_documents or tasks[t].num_companions
        for t in requests["task"].unique().to_pylist()
    )

    def compute() -> Outcome:
        asking = _Asking(config, space, folder, generator)
        answers = [shard.table("answers") for shard in prepared]
        done = generate(
            requests,
            sources,
            tasks,
            asking.ask,
            model_revision=revision,
            prepared=answers,
            stage=stage,
        )
        outcome = outcome_of(done.result, **asking.spent())
        if not writes:
            return outcome
        tables = {**outcome.tables, "links": done.links, "documents": done.documents}
        return Outcome(tables, outcome.counts)

    identity = _identity(config, STAGE, generator, requests, sources)
    if prepared:
        identity["prepared"] = [shard.digest for shard in prepared]
    shard = finish(folder, identity, compute)
    if not shard.was_computed or engine is None:
        advance(requests.num_rows)
    return shard


def preparing_generator(requests: pa.Table) -> str:
    """Return the generator of a slice's preparations: its own, or the one its specs name."""
    return prepared_by(requests["spec"][0].as_py()) or str(requests["generator"][0].as_py())


class _Asking:
    """Asks one generator through the journal and counts what that took."""

    def __init__(self, config: RunConfig, space: Workspace, folder: Path, generator: str) -> None:
        self._asker = JournalAsk(config.generators, space.journal, folder)
        self._generator = generator
        self._tokens: Counter[str] = Counter(prompt_tokens=0, completion_tokens=0)

    def ask(self, batch: Sequence[ChatRequest]) -> list[Reply]:
        replies = self._asker.complete(self._generator, batch) if self._generator else []
        for reply in replies:
            self._tokens["prompt_tokens"] += reply.prompt_tokens
            self._tokens["completion_tokens"] += reply.completion_tokens
            if reply.reasoning_tokens:
                self._tokens["reasoning_tokens"] += reply.reasoning_tokens
        return replies

    def spent(self) -> dict[str, int]:
        return {**self._tokens, UNANSWERED: self._asker.unanswered}


def _sources(requests: pa.Table, documents: Sequence[Shard]) -> pa.Table:
    """Return the documents that requests are about, companions included."""
    others = pa.array(companion_ids(requests), pa.string())
    ids = pa.chunked_array([*requests["source_doc_id"].chunks, others], pa.string())
    return corpus_of(documents).rows(ids)


def _identity(
    config: RunConfig, stage: str, generator: str, requests: pa.Table, sources: pa.Table
) -> dict[str, Any]:
    engine = held(config.generators[generator]) if generator else None
    tasks = config.tasks()
    names = sorted(set(requests["task"].to_pylist()))
    return identity_of(
        stage,
        engine=engine.identity() if engine is not None else {},
        revision=engine.revision() if engine is not None else "",
        tasks={t: tasks[t].identity() for t in names},
        requests=content_of(requests),
        sources=content_of(sources),
    )
