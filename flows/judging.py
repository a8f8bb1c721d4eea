"""Judging in a run: a larger pool is mined, judged and cut; what the card says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

import prompts
from flows import corpus_stages, stage_shards
from flows.asking import JournalAsk
from flows.config import RunConfig
from flows.resources import held
from flows.workspace import Workspace
from sdg.judge.agreement import sample_pairs
from sdg.judge.config import JudgeConfig
from sdg.judge.negatives import Mined, Wanted, documents_to_judge, judge_negatives
from sdg.judge.second_opinion import ask_second_opinion
from sdg.llm import Engine
from sdg.relabel.last_ranked import add_last_ranked, documents_to_compare
from sdg.schemas import JUDGMENTS, NEGATIVES, POSITIVES, QUERIES
from sdg.shards import UNANSWERED, Counts, Outcome, Shard, finish


class Rows(NamedTuple):
    """The shards of the rows to judge, one of each per shard of the run.

    Attributes:
        queries: Tables "kept" (QUERIES).
        found: Tables "candidates" (CANDIDATES).
        positives: Tables "positives" (POSITIVES) and "judgments" (JUDGMENTS).
        negatives: Tables "kept" (NEGATIVES).
    """

    queries: Shard
    found: Shard
    positives: Shard
    negatives: Shard


class Judging(NamedTuple):
    """What judging needs of a run's configuration.

    Attributes:
        settings: Judges and policy.
        wanted: Length of the finished lists.
        generators: The configured engines by name.
        seed: The run's seed.
    """

    settings: JudgeConfig
    wanted: Wanted
    generators: Mapping[str, Engine]
    seed: int


def judging_of(config: RunConfig) -> Judging:
    """Return what judging needs of a build's configuration."""
    mining = config.mining
    wanted = Wanted(mining.num_negatives, drop_short=mining.on_shortfall == "drop")
    return Judging(config.judge, wanted, config.generators, config.seed)


def with_pool(config: RunConfig) -> RunConfig:
    """Return `config` as mining sees it: with judging on, each row is given a pool to judge.

    A row whose pool is smaller than `judge.pool` is kept by mining; whether it has enough negatives
    is decided after judging, by `mining.on_shortfall`.
    """
    if not config.judge.enabled:
        return config
    mining = config.mining.model_copy(
        update={
            "num_negatives": max(config.judge.pool, config.mining.num_negatives),
            "on_shortfall": "keep",
        }
    )
    return config.model_copy(update={"mining": mining})


def held_judges(settings: JudgeConfig) -> JudgeConfig:
    """Return `settings` with this process's instances of judges, and of the models they hold."""
    agreement = settings.agreement
    if agreement is not None:
        agreement = agreement.model_copy(update={"judge": held(agreement.judge)})
    judges = tuple(held(judge) for judge in settings.judges)
    return settings.model_copy(update={"judges": judges, "agreement": agreement})


def judges_identity(
    settings: JudgeConfig, generators: Mapping[str, Engine], languages: Sequence[str] | None
) -> dict[str, Any]:
    """Return JSON of everything but the rows that decides verdicts and what follows from them.

    Args:
        settings: Judges and policy.
        generators: The configured engines by name.
        languages: Of the queries; None where they are not known yet: the prompts of each judge in
            all its languages.
    """
    asked = held_judges(settings).everyone
    engines = {name: held(generators[name]) for name in settings.engines}
    used: dict[str, str] = {}
    for judge in asked:
        for language in prompts.languages(judge.name) if languages is None else languages:
            used.update(judge.prompt_sha256(language))
    return {
        # Judges say themselves what of their settings decides: a server's address does not.
        "config": settings.model_dump(mode="json", exclude={"judges", "agreement"}),
        "sample": None if settings.agreement is None else settings.agreement.sample,
        "judges": [judge.pinned_identity() for judge in asked],
        "engines": {name: [e.identity(), e.revision()] for name, e in engines.items()},
        "prompts": used,
    }


def add_last_ranked_shard(
    space: Workspace, config: RunConfig, rows: Rows, documents: Sequence[Shard]
) -> Shard:
    """Put the last candidate of relabelling first among the negatives of one shard."""
    limit = with_pool(config).mining.num_negatives

    def compute() -> Outcome:
        negatives, judged = rows.negatives.table("kept"), rows.positives.table("judgments")
        needed = corpus_stages.corpus_of(documents).rows(documents_to_compare(negatives, judged))
        done = add_last_ranked(negatives, judged, rows.found.table("candidates"), needed, limit)
        count = negatives.num_rows
        tables = {"kept": done.negatives}
        return Outcome(tables, Counts(count, count, {}, done.extra))

    return finish(
        space.shard("last_ranked", rows.negatives.folder.name),
        stage_shards.identity_of(
            "last_ranked",
            limit=limit,
            found=rows.found.digest,
            positives=rows.positives.digest,
            negatives=rows.negatives.digest,
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )


def judge_shard(
    space: Workspace, judging: Judging, rows: Rows, documents: Sequence[Shard]
) -> Shard:
    """Judge the pools of one shard and keep the wanted number of what is left."""
    settings = judging.settings.model_copy(update={"agreement": None})
    queries = rows.queries.table("kept")
    languages = sorted(set(queries["query_language"].to_pylist()))

    folder = space.shard("judge", rows.negatives.folder.name)

    def compute() -> Outcome:
        ask = JournalAsk(judging.generators, space.journal, folder)
        mined = mined_tables([rows], documents)
        done = judge_negatives(mined, held_judges(settings), judging.wanted, ask, judging.seed)
        tables = {
            "kept": done.result.kept,
            "rejected": done.result.rejected,
            "positives": done.positives,
            "judgments": done.judgments,
            "grades": done.grades,
        }
        extra = {**done.extra, UNANSWERED: ask.unanswered}
        return Outcome(tables, Counts.of(done.result, **extra))

    return finish(
        folder,
        stage_shards.identity_of(
            "judge",
            **judges_identity(settings, judging.generators, languages),
            wanted=list(judging.wanted),
            seed=judging.seed,
            queries=rows.queries.digest,
            positives=rows.positives.digest,
            negatives=rows.negatives.digest,
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )


def agreement_shard(
    space: Workspace,
    judging: Judging,
    rows: Sequence[Rows],
    judged: Sequence[Shard],
    documents: Sequence[Shard],
) -> Shard | None:
    """Ask the second judge about a sample of the whole run; None if none is configured."""
    settings, seed = judging.settings, judging.seed
    agreement = settings.agreement
    if not settings.enabled or agreement is None:
        return None

    folder = space.shard("agreement", "sample")

    def compute() -> Outcome:
        ask = JournalAsk(judging.generators, space.journal, folder)
        judgments = concat(judged, "judgments", JUDGMENTS)
        drawn = sample_pairs(judgments, agreement.sample, seed)
        ids = pa.array([query_id for query_id, _ in drawn], pa.string())
        mined = mined_tables(rows, documents, ids)
        kept = concat(judged, "kept", NEGATIVES)
        opinion = ask_second_opinion((mined, judgments, kept), held_judges(settings), ask, seed)
        counts = Counts(extra={UNANSWERED: ask.unanswered})
        return Outcome({"judgments": opinion.judgments}, counts, dict(opinion.figures))

    languages = {t for r in rows for t in r.queries.table("kept", ["query_language"])[0].unique()}
    return finish(
        folder,
        stage_shards.identity_of(
            "agreement",
            **judges_identity(settings, judging.generators, sorted(map(str, languages))),
            seed=seed,
            rows=[[shard.digest for shard in row] for row in rows],
            judged=[shard.digest for shard in judged],
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )


def mined_tables(
    rows: Sequence[Rows], documents: Sequence[Shard], query_ids: pa.Array | None = None
) -> Mined:
    """Return the tables of several shards as one, with the documents that judging needs.

    Args:
        rows: Shards.
        documents: The corpus.
        query_ids: Only the negatives of these, and the documents that they need; None for all.
    """
    negatives = concat([row.negatives for row in rows], "kept", NEGATIVES)
    if query_ids is not None:
        negatives = negatives.filter(pc.is_in(negatives["query_id"], value_set=query_ids))
    positives = concat([row.positives for row in rows], "positives", POSITIVES)
    queries = concat([row.queries for row in rows], "kept", QUERIES)
    needed = corpus_stages.corpus_of(documents).rows(documents_to_judge(positives, negatives))
    return Mined(queries, positives, negatives, needed)


def concat(shards: Sequence[Shard], name: str, schema: pa.Schema) -> pa.Table:
    """Return the table called `name` of all shards as one."""
    tables = [shard.table(name) for shard in shards]
    return pa.concat_tables([schema.empty_table(), *tables]).combine_chunks()
