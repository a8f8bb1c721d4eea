"""The stage: every reviewer in turn reads the pairs that the ones before it kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from sdg.errors import ContractError
from sdg.gates import align_sources, rows_of_tasks
from sdg.ids import canonical_json, seed_for
from sdg.judge import Ask
from sdg.llm import Reply
from sdg.review import Pair, Review, Reviewer
from sdg.schemas import (
    DOCUMENTS,
    QUERIES,
    REJECTIONS,
    REVIEWS,
    StageResult,
    check_table,
    table_of,
)

STAGE = "review"
UNREADABLE_KEPT = "reviews_unreadable_kept"


class Reviewed(NamedTuple):
    """What reviewing gives.

    Attributes:
        result: Kept QUERIES and rejections, each in the order of the queries.
        reviews: REVIEWS of the kept queries, by query as kept, reviewer, and criterion as asked.
        extra: Whole numbers for the counts: pairs_reviewed (pairs that at least one reviewer
            read), reviews_unreadable_kept, `unreadable_<failure>`, and for each reviewer
            `asked_<place>_<name>`, `rejected_…` and `unreadable_kept_…`.
    """

    result: StageResult
    reviews: pa.Table
    extra: Mapping[str, int]


@dataclass(slots=True)
class _State:
    """A row on its way: what was said of it, and why it stopped, if it did."""

    said: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""
    detail: str = ""
    raw_reply: str | None = None


def label_of(place: int, reviewer: Reviewer) -> str:
    """Return what the column `reviewer` calls a reviewer."""
    return f"{place}:{reviewer.name}"


def counter_of(what: str, label: str) -> str:
    """Return the name under which a reviewer's pairs are counted; see `Reviewed.extra`."""
    return f"{what}_{label.replace(':', '_')}"


def review_pairs(
    queries: pa.Table, documents: pa.Table, reviewers: Sequence[Reviewer], ask: Ask, seed: int
) -> Reviewed:
    """Return the queries to which no reviewer objects, with every score.

    Args:
        queries: QUERIES, N rows, any order.
        documents: DOCUMENTS; holds the source document of every query.
        reviewers: In the order in which they are asked.
        ask: Reaches the engines; called once per reviewer, with all its requests.
        seed: The run's seed.

    Returns:
        See Reviewed. A rejected row's JSON has two more fields: `reviews`, all that was said of it,
        and `raw_reply` where a review could not be read.

    Raises:
        ContractError: If a schema differs, or a document or an answer is missing.
        ConfigError: If a reviewer has no prompt for a language.
    """
    check_table(queries, QUERIES, "queries")
    check_table(documents, DOCUMENTS, "documents")
    rows = queries.to_pylist()
    texts = align_sources(queries, documents)["text"].to_pylist() if rows else []
    states = [_State() for _ in rows]
    counts: Counter[str] = Counter()
    for place, reviewer in enumerate(reviewers):
        label = label_of(place, reviewer)
        chosen = _asked_about(queries, reviewer, states)
        pairs = [_pair(label, rows[at], texts[at]) for at in chosen]
        replies = _replies(reviewer, pairs, ask, seed)
        for at, reply in zip(chosen, replies, strict=True):
            _take(states[at], label, reviewer, reply, counts)
        counts[counter_of("asked", label)] += len(pairs)
    counts["pairs_reviewed"] = sum(bool(state.said) for state in states)
    return _filed(queries, rows, states, counts)


def _asked_about(queries: pa.Table, reviewer: Reviewer, states: Sequence[_State]) -> list[int]:
    if not states:
        return []
    mask = rows_of_tasks(queries, reviewer.tasks, generated_only=reviewer.generated_only)
    return [int(at) for at in np.flatnonzero(mask) if not states[at].reason]


def _pair(label: str, row: Mapping[str, Any], text: str) -> Pair:
    return Pair(f"{label}/{row['query_id']}", row["query"], row["query_language"], text)


def _replies(reviewer: Reviewer, pairs: Sequence[Pair], ask: Ask, seed: int) -> list[Reply]:
    """Return the replies in the order of `pairs`."""
    # The reviewer's place is no part of the seed: another one before it asks nothing anew.
    requests = [
        reviewer.request(pair, seed_for(seed, STAGE, reviewer.name, pair.key.partition("/")[2]))
        for pair in pairs
    ]
    found = {r.key: r for r in ask.complete(reviewer.engine, requests)} if requests else {}
    missing = [request.key for request in requests if request.key not in found]
    if missing:
        raise ContractError(
            f"Every request must be answered, but {missing[0]!r} was not. "
            "The engine or journal loses answers."
        )
    return [found[request.key] for request in requests]


def _take(
    state: _State, label: str, reviewer: Reviewer, reply: Reply, counts: Counter[str]
) -> None:
    """Add what a reviewer says of a row to what is known of it."""
    review = reviewer.read(reply)
    state.said += _lines(label, review)
    if review.failure:
        counts[f"unreadable_{review.failure}"] += 1
        if reviewer.on_unreadable == "keep":
            counts[UNREADABLE_KEPT] += 1
            counts[counter_of("unreadable_kept", label)] += 1
            return
        state.reason, state.detail = review.failure, label
        raw = reply.candidates[0].text if reply.candidates else ""
        # Half of a surrogate pair, which JSON can spell, has no place in a table.
        state.raw_reply = raw.encode("utf-8", "backslashreplace").decode("utf-8")
    elif review.objection:
        scores = ", ".join(f"{name} {score:g}" for name, score in review.scores.items())
        state.reason, state.detail = review.objection, f"{label}: {scores}"
    if state.reason:
        counts[counter_of("rejected", label)] += 1


def _lines(label: str, review: Review) -> list[dict[str, Any]]:
    """Return REVIEWS rows without the query; one without a criterion if nothing can be read."""
    if review.failure:
        line = {"criterion": "", "review_score": None, "failure": review.failure}
        return [{"reviewer": label, **line}]
    return [
        {"reviewer": label, "criterion": name, "review_score": score, "failure": ""}
        for name, score in review.scores.items()
    ]


def _filed(
    queries: pa.Table,
    rows: Sequence[Mapping[str, Any]],
    states: Sequence[_State],
    counts: Counter[str],
) -> Reviewed:
    is_kept = [not state.reason for state in states]
    rejected = [
        {
            "row_id": row["query_id"],
            "stage": STAGE,
            "reason": state.reason,
            "detail": state.detail,
            "row": canonical_json({**row, **_evidence(state)}),
        }
        for row, state in zip(rows, states, strict=True)
        if state.reason
    ]
    reviews = [
        {"query_id": row["query_id"], **line}
        for row, state in zip(rows, states, strict=True)
        if not state.reason
        for line in state.said
    ]
    result = StageResult(
        queries.filter(pa.array(is_kept, pa.bool_())), table_of(rejected, REJECTIONS), len(rows)
    )
    return Reviewed(result, table_of(reviews, REVIEWS), dict(sorted(counts.items())))


def _evidence(state: _State) -> dict[str, Any]:
    raw = {} if state.raw_reply is None else {"raw_reply": state.raw_reply}
    return {"reviews": state.said, **raw}
