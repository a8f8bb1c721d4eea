"""Judging in `pairmill mine`: a larger pool is mined, judged and cut, as in a build."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from data_cards import records
from flows import tasks
from flows.judge_records import judge_record, judge_sampling
from flows.judging import Judging, Rows
from flows.mine_config import MineConfig
from flows.outcome import StageOutcome
from flows.prompt_records import prompt_records
from flows.resources import held
from flows.run import Run
from flows.workspace import Workspace
from mining.mine import MiningConfig
from sdg.judge.negatives import Wanted
from sdg.shards import Shard


class Judged(NamedTuple):
    """The rows after judging: those of mining where nothing was judged.

    Attributes:
        positives: Tables "positives".
        negatives: Tables "kept" (NEGATIVES).
        judged: judge; tables "grades" and "rejected"; none without a judge.
        agreement: The second opinion, if one was asked for.
    """

    positives: Sequence[Shard]
    negatives: Sequence[Shard]
    judged: Sequence[Shard]
    agreement: Shard | None


def pool_of(config: MineConfig) -> MiningConfig:
    """Return how candidates are mined: with judging on, each query is given a pool to judge.

    Whether a query has enough negatives is then decided after judging.
    """
    if not config.judge.enabled:
        return config.mining
    num_negatives = max(config.judge.pool, config.mining.num_negatives)
    return config.mining.model_copy(update={"num_negatives": num_negatives, "on_shortfall": "keep"})


def judge_mined(
    run: Run,
    config: MineConfig,
    space: Workspace,
    mined: Sequence[tuple[Shard, Shard]],
    documents: Sequence[Shard],
) -> Judged:
    """Run judge -> second opinion, if they are configured.

    Args:
        run: Remembers the stage.
        config: The run.
        space: Its folders.
        mined: (queries and positives, their negatives) by shard.
        documents: The corpus.
    """
    parts, negatives = [part for part, _ in mined], [own for _, own in mined]
    if not config.judge.enabled:
        return Judged(parts, negatives, [], None)
    wanted = Wanted(config.mining.num_negatives, drop_short=config.mining.on_shortfall == "drop")
    judging = Judging(config.judge, wanted, config.generators, config.seed)
    rows = [Rows(part, part, part, own) for part, own in mined]
    mined_rows = sum(own.counts.kept for own in negatives)
    total = config.judge.requests_at_most(mined_rows, config.mining.num_negatives)
    calls = [(space, judging, row, documents) for row in rows]
    judged = run.stage(
        "judge", "queries", tasks.judge, calls, total=total, steps="requests at most"
    )
    opinion = run.once(tasks.second_opinion, space, judging, rows, judged, documents)
    return Judged(judged, judged, judged, opinion)


def judge_of(
    config: MineConfig, judged: Judged, stages: Sequence[StageOutcome]
) -> records.JudgeRecord | None:
    """Return what the manifest says of judging."""
    extra = next((s.counts.extra for s in stages if s.name == "judge"), {})
    opinion = judged.agreement
    return judge_record(config.judge, extra, None if opinion is None else opinion.facts)


def judge_models(config: MineConfig) -> list[records.ModelRecord]:
    """Return the engines that judged."""
    found = []
    for name in config.judge.engines:
        engine = held(config.generators[name])
        found.append(
            records.ModelRecord(
                role="judge",
                name=name,
                revision=engine.revision(),
                engine=engine.name,
                sampling=judge_sampling(config.judge, name),
                licence=getattr(engine, "licence", "") or "unknown",
            )
        )
    return found


def judge_prompts(config: MineConfig, languages: Sequence[str]) -> list[records.PromptRecord]:
    """Return the prompt files that judges used for queries in some languages."""
    judges = config.judge.everyone
    names = {name for tag in languages for judge in judges for name in judge.prompt_sha256(tag)}
    return prompt_records(names)
