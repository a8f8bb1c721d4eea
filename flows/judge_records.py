"""What the manifest says of judging."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import JsonValue

from data_cards import records
from sdg.judge.config import JudgeConfig
from sdg.judge.policy import LEFT


def judge_sampling(settings: JudgeConfig, engine: str) -> dict[str, Any]:
    """Return how the judges that ask `engine` draw their replies; {} if they only score."""
    asking = [judge for judge in settings.everyone if judge.engine_name == engine]
    drawn = {judge.name: judge.model_dump(mode="json").get("sampling", {}) for judge in asking}
    return same_or_each(drawn)


def same_or_each(samplings: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return how tokens were drawn: once if it is the same for all, else by who asked."""
    values = list(samplings.values())
    if all(value == values[0] for value in values):
        return dict(values[0]) if values else {}
    return dict(samplings)


def judge_rules(settings: JudgeConfig, dropped: Mapping[str, int]) -> list[records.RuleRecord]:
    """Return what judging took from the negatives of finished rows, as rules after mining's.

    Args:
        settings: Of judging.
        dropped: Reason -> negatives, over all finished rows.
    """
    if not settings.enabled:
        return []
    values: dict[str, JsonValue] = {
        "policy": settings.policy,
        "judges": ", ".join(j.name for j in settings.judges),
    }
    return [
        records.RuleRecord(rule="judge", reason=r, settings=values, dropped=dropped.get(r, 0))
        for r in LEFT
    ]


def judge_facts(settings: JudgeConfig) -> Iterator[records.Fact]:
    """Yield, for each judge that may cut texts without saying which, that it does."""
    for told in dict.fromkeys(judge.may_cut() for judge in settings.everyone):
        if told:
            yield records.Fact(kind="fallback", stage="judge", text=told)


def judge_record(
    settings: JudgeConfig, extra: Mapping[str, int], agreement: Mapping[str, Any] | None
) -> records.JudgeRecord | None:
    """Return what the manifest says of judging; None if nothing was judged.

    Args:
        settings: Of judging.
        extra: Counts of the stage, over all shards.
        agreement: Figures of the second opinion, or None.
    """
    if not settings.enabled:
        return None
    return records.JudgeRecord(
        judges=tuple(judge.name for judge in settings.judges),
        policy=settings.policy,
        pool=settings.pool,
        max_flags=settings.max_flags,
        queries=extra.get("queries_judged", 0),
        queries_flagged=extra.get("queries_flagged", 0),
        pairs=extra.get("pairs_judged", 0),
        pairs_flagged=extra.get("pairs_flagged", 0),
        pairs_unreadable=extra.get("pairs_unreadable", 0),
        left={reason: extra.get(reason, 0) for reason in LEFT},
        agreement=None if agreement is None else records.AgreementRecord(**agreement),
    )
