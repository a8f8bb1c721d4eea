"""The flow from documents to a published data set. It reads like the stage table in the README."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from prefect import flow

from flows import resources, tasks
from flows.artifacts import publish_artifacts
from flows.build_audit import audited
from flows.config import RunConfig, load_config
from flows.decontamination import DOCUMENT_STAGE
from flows.figures import figures_of
from flows.fingerprint import current_outcome
from flows.finished import Finished
from flows.judging import Rows, judging_of, with_pool
from flows.miners import check_searches
from flows.outcome import RunOutcome
from flows.persona_stage import persona_configs
from flows.planning import plan_shard
from flows.publish import publish
from flows.result_directory import opened
from flows.rounds import Place, ask_everything
from flows.run import Run
from flows.runners import task_runner
from flows.workspace import Workspace
from sdg.errors import DataError, GateError
from sdg.llm.ledger import cost_of
from sdg.shards import Shard

RUNS = Path("runs")


class Corpus(NamedTuple):
    """The shards of the corpus: as read, without duplicates, and without evaluation data."""

    pieces: list[Shard]
    unique: list[Shard]
    documents: list[Shard]


def run_build(config_path: Path, out: Path | None, overrides: Sequence[str] = ()) -> RunOutcome:
    """Build or resume the data set of a configuration file; see `build`."""
    config = load_config(config_path, overrides)
    return build(config, out or RUNS / config.name)


def build(config: RunConfig, directory: Path) -> RunOutcome:
    """Build or resume a data set, and audit it if the configuration says so.

    Returns at once if `directory` already holds what the configuration asks for. Otherwise only
    what is not finished is done, and no LLM request that was answered is sent again.

    Raises:
        ConfigError: If another run is at work in `directory`.
        DataError: If an input cannot be used.
        BackendError: If a model or server fails for good; finished work is kept.
    """
    with opened(directory, "build"), resources.released_at_end():
        current = current_outcome(config, directory)
        if current is None:
            check_searches(config)
            runner = task_runner(config.runner)
            current = build_stages.with_options(task_runner=runner)(config, Workspace(directory))
        return audited(config, current)


@flow(name="pairmill-build", persist_result=False, validate_parameters=False)
def build_data_set(
    config_path: str, directory: str, overrides: Sequence[str] = ()
) -> dict[str, object]:
    """Build or resume a data set: what a schedule runs; arguments as in `pairmill build`.

    Raises:
        GateError: If a gate of the audit is broken; the data set is whole.
    """
    outcome = build(load_config(Path(config_path), list(overrides)), Path(directory))
    publish_artifacts(outcome)
    if outcome.failed_gates:
        raise GateError.of(outcome.failed_gates)
    return {"directory": directory, **outcome.figures}


@flow(name="pairmill-stages", persist_result=False, validate_parameters=False)
def build_stages(config: RunConfig, space: Workspace) -> RunOutcome:
    """Run every stage; what is finished is found, not done again."""
    run, start = Run(), time.monotonic()
    finished = run_stages(run, config, space, prepare_corpus(run, config, space))
    manifest = publish(config, space.directory, finished, run.stages)
    cost = cost_of(resources.spent(space.journal, run.scopes), config.generators)
    figures = figures_of(run.stages, manifest, resources.usage(space.journal), start, cost)
    return RunOutcome(space.directory, tuple(run.stages), figures)


def prepare_corpus(run: Run, config: RunConfig, space: Workspace) -> Corpus:
    """Run read -> deduplicate -> keep evaluation data out."""
    sources = range(len(config.sources))
    pieces = run.stage("read", "pieces", tasks.read, [(space, config, n) for n in sources])
    verdicts = run.once(tasks.find_duplicates, space, config, pieces)
    starts = [sum(s.counts.kept for s in pieces[:i]) for i in range(len(pieces))]
    calls = [(space, verdicts, p, row) for p, row in zip(pieces, starts, strict=True)]
    documents = run.stage("deduplicate", "pieces", tasks.deduplicate, calls)
    run.merge_last_two("corpus")
    if not config.decontaminate.against:
        return Corpus(pieces, documents, documents)
    found = run.once(tasks.find_contaminated, space, config.decontaminate, documents)
    dropping = [(space, found, shard) for shard in documents]
    clean = run.stage(DOCUMENT_STAGE, "pieces", tasks.drop_contaminated, dropping)
    return Corpus(pieces, documents, clean)


def run_stages(run: Run, config: RunConfig, space: Workspace, corpus: Corpus) -> Finished:
    """Run plan -> rounds of asking (see `flows.rounds`) -> relabel -> mine -> judge."""
    documents = corpus.documents
    plan = plan_shard(space, config, documents)
    run.add("plan", "requests", [plan])
    requests = plan.table("kept")
    if not requests.num_rows:
        reasons = dict(plan.counts.rejected)
        raise DataError(
            f"The plan must find at least one document, but found none: {reasons}. "
            "Compare the languages and lengths in `plan` with those of the corpus."
        )
    wanted = plan
    if persona_configs(config):
        wanted = run.once(tasks.choose_personas, space, config, plan, documents)
        run.add("personas", "requests", [wanted])
    words = run.once(tasks.vocabulary, space, config, documents)
    asked = ask_everything(Place(run, config, space, documents, words), wanted)
    documents, queries, found, checked = asked.documents, asked.queries, asked.found, asked.checked

    calls: list[tuple[Any, ...]] = [
        (space, config, q, c, documents) for q, c in zip(queries, found, strict=True)
    ]
    if config.relabel.enabled:
        resources.make_room_for(config.generators[config.relabel.engine])
    total = sum(s.counts.kept for s in queries) * config.relabel.scores_per_query
    positives = run.stage(
        "relabel", "candidates", tasks.relabel, calls, total=total, steps="scores at most"
    )
    if checked:
        calls = [(space, config, q, p, checked) for q, p in zip(queries, positives, strict=True)]
        positives = run.stage("link", "candidates", tasks.link, calls)

    prepared = None
    if config.mining.miners:
        total = sum(shard.counts.kept for shard in documents) * len(config.mining.miners)
        prepared = run.once(tasks.prepare_miners, space, config, documents, total=total)
    proposed = propose(run, config, space, documents, list(zip(found, positives, strict=True)))
    calls = [
        (space, with_pool(config), q, p, documents, others)
        for q, p, others in zip(found, positives, proposed, strict=True)
    ]
    total = sum(s.counts.kept for s in positives)
    searched = run.stage("mine", "candidates", tasks.mine, calls, total=total)
    negatives = searched
    if checked and config.written.negatives != "none":
        joined = zip(queries, found, positives, negatives, strict=True)
        calls = [(space, with_pool(config), Rows(*row), documents, checked) for row in joined]
        negatives = run.stage("add_written", "candidates", tasks.add_written, calls)
    mined = [Rows(*row) for row in zip(queries, found, positives, negatives, strict=True)]
    judged = judge_rows(run, config, space, mined, documents)
    stages = (
        corpus.pieces,
        corpus.unique,
        corpus.documents if corpus.documents is not corpus.unique else [],
        [plan],
        asked.rejecting,
        searched,
        judged.rejecting,
    )
    return Finished(
        pieces=corpus.pieces,
        documents=documents,
        plan=asked.planned,
        generated=asked.generated,
        queries=queries,
        reviewed=queries if config.review else [],
        positives=judged.positives,
        negatives=judged.negatives,
        rejecting=[shard for shards in stages for shard in shards],
        embedded=asked.embedded,
        prepared=prepared,
        proposed=[shard for shard in proposed if shard is not None],
        recall=asked.recall,
        judged=judged.rejecting,
        agreement=judged.agreement,
        written=checked,
    )


def propose(
    run: Run,
    config: RunConfig,
    space: Workspace,
    documents: list[Shard],
    asked: list[tuple[Shard, Shard]],
) -> list[Shard | None]:
    """Run the miners beside the encoder, if there are any; one shard per pair of `asked`."""
    if not config.mining.miners:
        return [None] * len(asked)
    calls = [(space, config, found, positives, documents) for found, positives in asked]
    return list(run.stage("propose", "candidates", tasks.propose, calls))


class Judged(NamedTuple):
    """The shards of the rows after judging: those of mining where nothing was judged."""

    positives: list[Shard]
    negatives: list[Shard]
    rejecting: list[Shard]
    agreement: Shard | None


def judge_rows(
    run: Run, config: RunConfig, space: Workspace, mined: list[Rows], documents: list[Shard]
) -> Judged:
    """Run last-ranked negative -> judge -> second opinion, each if it is configured."""
    if config.relabel.enabled and config.relabel.hard_negative == "last_ranked":
        calls = [(space, config, rows, documents) for rows in mined]
        negatives = run.stage("last_ranked", "candidates", tasks.add_last_ranked, calls)
        mined = [r._replace(negatives=n) for r, n in zip(mined, negatives, strict=True)]
    if not config.judge.enabled:
        return Judged([r.positives for r in mined], [r.negatives for r in mined], [], None)
    resources.make_room_for(*(config.generators[name] for name in config.judge.engines))
    judging = judging_of(config)
    asked = [(space, judging, rows, documents) for rows in mined]
    rows = sum(r.negatives.counts.kept for r in mined)
    total = config.judge.requests_at_most(rows, config.mining.num_negatives)
    judged = run.stage(
        "judge", "candidates", tasks.judge, asked, total=total, steps="requests at most"
    )
    opinion = run.once(tasks.second_opinion, space, judging, mined, judged, documents)
    return Judged(judged, judged, judged, opinion)
