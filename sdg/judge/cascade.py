"""The cascade: every judge after the first sees only what the ones before doubted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import pyarrow as pa

from sdg.errors import ContractError
from sdg.judge import Ask, Case, Judge, Verdict
from sdg.schemas import JUDGMENTS

Pair = tuple[str, str]


class Judged(NamedTuple):
    """What a cascade said.

    Attributes:
        verdicts: In the order given: judge by judge, case by case; each with its judge's number.
        final: (query_id, doc_id) -> the verdict of the last judge that saw the pair.
    """

    verdicts: Sequence[tuple[int, Verdict]]
    final: Mapping[Pair, Verdict]


def run_cascade(cases: Sequence[Case], judges: Sequence[Judge], ask: Ask, seed: int) -> Judged:
    """Return the verdicts of every judge on what it was shown.

    A verdict that could not be read is doubt, too: the next judge sees that candidate. A later
    verdict replaces the earlier ones, also for candidates that a judge of whole queries sees again.

    Raises:
        ContractError: If a judge leaves out a candidate, or judges one that it was not shown.
    """
    verdicts: list[tuple[int, Verdict]] = []
    final: dict[Pair, Verdict] = {}
    shown = list(cases)
    for number, judge in enumerate(judges):
        if number:
            shown = _doubted(shown, final, judge)
        found = judge.judge(shown, ask, seed) if shown else []
        _check(judge, shown, found)
        verdicts += [(number, verdict) for verdict in found]
        final |= {(v.query_id, v.doc_id): v for v in found}
    return Judged(verdicts, final)


def judgments_of(judged: Judged, judges: Sequence[Judge], ranks: Mapping[Pair, int]) -> pa.Table:
    """Return the verdicts as JUDGMENTS, in their order.

    Args:
        judged: What `run_cascade` returned.
        judges: The same judges.
        ranks: (query_id, doc_id) -> 0-based rank by the encoder; a missing pair has none.
    """
    rows = [
        {
            "query_id": v.query_id,
            "doc_id": v.doc_id,
            "retrieval_rank": ranks.get((v.query_id, v.doc_id)),
            "scorer_scores": [{"scorer": judges[number].name, "score": v.score}],
            "judge": f"{number}:{judges[number].name}",
            "grade": v.grade,
            "is_false_negative": v.is_relevant,
            "failure": v.failure,
        }
        for number, v in judged.verdicts
    ]
    return pa.Table.from_pylist(rows, schema=JUDGMENTS)


def _doubted(cases: Sequence[Case], final: Mapping[Pair, Verdict], judge: Judge) -> list[Case]:
    found = []
    for case in cases:
        doubted = tuple(
            c for c in case.candidates if final[case.query_id, c.doc_id].is_relevant is not False
        )
        if doubted:
            shown = case.candidates if judge.sees == "queries" else doubted
            found.append(replace(case, candidates=shown))
    return found


def _check(judge: Judge, cases: Sequence[Case], found: Sequence[Verdict]) -> None:
    wanted = [(case.query_id, c.doc_id) for case in cases for c in case.candidates]
    if [(v.query_id, v.doc_id) for v in found] != wanted:
        raise ContractError(
            f"A judge must give one verdict per candidate in their order, but {judge.name!r} gave "
            f"{len(found)} for {len(wanted)} candidates, or in another order. Correct the judge."
        )
    unexplained = [v for v in found if (v.is_relevant is None) != bool(v.failure)]
    if unexplained:
        raise ContractError(
            f"A missing verdict must say why and only that, but {judge.name!r} gave "
            f"{unexplained[0]} instead. Correct the judge."
        )
