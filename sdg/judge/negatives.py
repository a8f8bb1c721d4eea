"""The judging stage: mined negatives in, negatives that survived their judges out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from sdg.errors import ContractError
from sdg.judge import Ask, Candidate, Case, Verdict
from sdg.judge.cascade import Judged, judgments_of, run_cascade
from sdg.judge.config import JudgeConfig
from sdg.judge.policy import BECAME_POSITIVE, LEFT, Decision, Document, decide
from sdg.schemas import (
    DOCUMENTS,
    GRADES,
    NEGATIVES,
    POSITIVES,
    QUERIES,
    StageResult,
    check_table,
    reject_rows,
    table_of,
)

STAGE = "judge"
# Sources of negatives that mining did not choose.
_NOT_MINED = ("generated:", "relabel:")
_LISTS = ("negative_ids", "negative_scores", "negative_ranks", "negative_sources")


class Mined(NamedTuple):
    """The rows to judge; tables are joined by `query_id`.

    Attributes:
        queries: QUERIES; more rows are fine.
        positives: POSITIVES; more rows are fine.
        negatives: NEGATIVES, the pool of each row.
        documents: DOCUMENTS; at least those that `documents_to_judge` names.
    """

    queries: pa.Table
    positives: pa.Table
    negatives: pa.Table
    documents: pa.Table


class Wanted(NamedTuple):
    """How many negatives a finished row has.

    Attributes:
        num_negatives: At most so many stay, the first ones.
        drop_short: True rejects a row with fewer; False keeps a short list of at least one.
    """

    num_negatives: int
    drop_short: bool


class JudgedNegatives(NamedTuple):
    """What judging gives.

    Attributes:
        result: Kept: NEGATIVES in the order given. Rejected: QUERIES rows with the reasons of
            `policy.decide`, or `too_few_negatives`.
        positives: POSITIVES of the kept rows, in their order.
        judgments: JUDGMENTS: every verdict of every judge, also of rejected rows.
        grades: GRADES: the last judge's grade of each pair that has one.
        extra: Whole numbers for the counts, see `_extra`.
    """

    result: StageResult
    positives: pa.Table
    judgments: pa.Table
    grades: pa.Table
    extra: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Row:
    """One query with its mined negatives, and what the judges said of them."""

    query: dict[str, Any]
    positive: dict[str, Any]
    negative: dict[str, Any]

    @property
    def query_id(self) -> str:
        return str(self.query["query_id"])


def documents_to_judge(positives: pa.Table, negatives: pa.Table) -> pa.Array:
    """Return the ids of the documents that `judge_negatives` needs, ascending, each once."""
    rows = positives.filter(
        pc.is_in(positives["query_id"], value_set=negatives["query_id"].combine_chunks())
    )
    ids = [pc.list_flatten(rows["positive_ids"]), pc.list_flatten(negatives["negative_ids"])]
    distinct = pa.chunked_array([c for i in ids for c in i.chunks], pa.string()).unique()
    return distinct.take(pc.sort_indices(distinct))


def judge_negatives(
    mined: Mined, config: JudgeConfig, wanted: Wanted, ask: Ask, seed: int
) -> JudgedNegatives:
    """Return the rows with the negatives that their judges left, and what was said of each.

    A row that cannot reach `wanted` whatever is said of it is rejected before anyone is asked.
    Grades of a row depend on its query, positives, candidates, the configuration and the replies.

    Args:
        mined: Rows; the pool of a row is judged whole and cut to `wanted` afterwards.
        config: Judges and policy; must be enabled.
        wanted: Length of the finished lists.
        ask: Reaches the engines.
        seed: The run's seed.

    Raises:
        ContractError: If a schema differs, or a query, its positives or a document is missing.
    """
    check_table(mined.documents, DOCUMENTS, "documents")
    rows = _rows(mined)
    documents = {
        doc_id: Document(text, entity)
        for doc_id, text, entity in zip(
            *(mined.documents[c].to_pylist() for c in ("doc_id", "text", "entity_key")), strict=True
        )
    }
    _check_documents(rows, documents)
    asked = [row for row in rows if _is_asked(row, config, wanted)]
    limit = config.max_document_characters
    judged = run_cascade([_case(r, documents, limit) for r in asked], config.judges, ask, seed)
    asked_ids = {row.query_id for row in asked}
    decisions = [
        decide(_verdicts(row, judged), config, documents)
        if row.query_id in asked_ids
        else Decision("", "", ("",) * len(row.negative["negative_ids"]))
        for row in rows
    ]
    kept, positives, rejected = _carry_out(rows, decisions, wanted)
    ranks = {
        (row.query_id, doc_id): rank
        for row in asked
        for doc_id, rank in zip(
            row.negative["negative_ids"], row.negative["negative_ranks"], strict=True
        )
    }
    used = {d for row in asked for d in _ids(row)}
    cut = sum(len(documents[doc_id].text) > limit for doc_id in used)
    return JudgedNegatives(
        StageResult(table_of(kept, NEGATIVES), rejected, len(rows)),
        table_of(positives, POSITIVES),
        judgments_of(judged, config.judges, ranks),
        _grades(judged),
        {
            **_extra(asked, judged, kept),
            "documents_truncated": cut,
            "rows_short": sum(len(r["negative_ids"]) < wanted.num_negatives for r in kept),
        },
    )


def _rows(mined: Mined) -> list[_Row]:
    check_table(mined.negatives, NEGATIVES, "negatives")
    tables = {"queries": (mined.queries, QUERIES), "positives": (mined.positives, POSITIVES)}
    ids = mined.negatives["query_id"]
    found: list[list[dict[str, Any]]] = []
    for name, (table, schema) in tables.items():
        check_table(table, schema, name)
        places = pc.index_in(ids, value_set=table["query_id"].combine_chunks())
        if places.null_count:
            lost = ids.filter(pc.is_null(places))[0].as_py()
            raise ContractError(
                f"Each mined query must be in `{name}`, but {lost} is not. Pass the tables of the "
                "shard that was mined."
            )
        found.append(table.take(places).to_pylist())
    rows = zip(*found, mined.negatives.to_pylist(), strict=True)
    return [_Row(*row) for row in rows]


def _ids(row: _Row) -> list[str]:
    return [*row.positive["positive_ids"], *row.negative["negative_ids"]]


def _check_documents(rows: Sequence[_Row], documents: Mapping[str, Document]) -> None:
    missing = sorted({doc_id for row in rows for doc_id in _ids(row)} - documents.keys())
    if missing:
        raise ContractError(
            f"Every positive and negative must be among `documents`, but {len(missing)} are not, "
            f"first {missing[0]!r}. Pass those that `documents_to_judge` names."
        )


def _is_asked(row: _Row, config: JudgeConfig, wanted: Wanted) -> bool:
    count = len(row.negative["negative_ids"])
    if not count or (wanted.drop_short and count < wanted.num_negatives):
        return False
    return any(fnmatchcase(row.query["task"], glob) for glob in config.apply_to_tasks)


def _case(row: _Row, documents: Mapping[str, Document], limit: int) -> Case:
    return Case(
        row.query_id,
        row.query["query"],
        row.query["query_language"],
        tuple(documents[doc_id].text[:limit] for doc_id in row.positive["positive_ids"]),
        tuple(Candidate(i, documents[i].text[:limit]) for i in row.negative["negative_ids"]),
    )


def _verdicts(row: _Row, judged: Judged) -> list[Verdict]:
    return [judged.final[row.query_id, doc_id] for doc_id in row.negative["negative_ids"]]


def _carry_out(
    rows: Sequence[_Row], decisions: Sequence[Decision], wanted: Wanted
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], pa.Table]:
    """Return NEGATIVES rows and POSITIVES rows of what stays, and REJECTIONS of the rest."""
    kept: list[dict[str, Any]] = []
    positives: list[dict[str, Any]] = []
    stopped: list[tuple[_Row, str, str]] = []
    for row, decision in zip(rows, decisions, strict=True):
        if decision.reason:
            stopped.append((row, decision.reason, decision.detail))
            continue
        negative, positive = _applied(row, decision, wanted.num_negatives)
        count = len(negative["negative_ids"])
        if not count or (wanted.drop_short and count < wanted.num_negatives):
            mined = len(row.negative["negative_ids"])
            detail = f"{count} of {wanted.num_negatives}, of {mined} mined"
            stopped.append((row, "too_few_negatives", detail))
            continue
        kept.append(negative)
        positives.append(positive)
    rejected = reject_rows(
        table_of([row.query for row, _, _ in stopped], QUERIES),
        "query_id",
        STAGE,
        [reason for _, reason, _ in stopped],
        [detail for _, _, detail in stopped],
    )
    return kept, positives, rejected


def _applied(
    row: _Row, decision: Decision, num_negatives: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the row's NEGATIVES and POSITIVES after the decision."""
    own = row.negative
    stays = [place for place, fate in enumerate(decision.fates) if not fate][:num_negatives]
    stays = _hardest_first(own, stays)
    new = [place for place, fate in enumerate(decision.fates) if fate == BECAME_POSITIVE]
    added = [own["negative_ids"][place] for place in new]
    # Whoever proposed a document, mining scored it with the encoder that scored the positives.
    scores = [own["negative_scores"][place] for place in new]
    counts = Counter(fate for fate in decision.fates if fate)
    negative = {
        **own,
        **{name: [own[name][place] for place in stays] for name in _LISTS},
        "positive_ids": [*own["positive_ids"], *added],
        "positive_scores": [*own["positive_scores"], *scores],
        "dropped": [
            *own["dropped"],
            *({"reason": reason, "count": counts[reason]} for reason in LEFT if counts[reason]),
        ],
    }
    positive = {**row.positive, "positive_ids": [*row.positive["positive_ids"], *added]}
    return negative, positive


def _hardest_first(negative: Mapping[str, Any], places: Sequence[int]) -> list[int]:
    """Return places with those of mined negatives by score, descending; others stay where they are.

    The pool has the order in which the strategy prefers its negatives, so that the first that stay
    are its choice; a finished row has them hardest first.
    """
    sources, scores = negative["negative_sources"], negative["negative_scores"]
    mined = [p for p in places if not sources[p].startswith(_NOT_MINED) and scores[p] is not None]
    in_order = iter(
        sorted(mined, key=lambda place: (-scores[place], negative["negative_ids"][place]))
    )
    return [next(in_order) if place in mined else place for place in places]


def _grades(judged: Judged) -> pa.Table:
    graded = [v for v in judged.final.values() if v.grade is not None]
    rows = [{"query_id": v.query_id, "doc_id": v.doc_id, "grade": v.grade} for v in graded]
    return table_of(rows, GRADES)


def _extra(
    asked: Sequence[_Row], judged: Judged, kept: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    """Return what is counted beside rows.

    Of all rows: queries_judged, pairs_judged (query and candidate), queries_flagged,
    pairs_flagged, pairs_truncated (the judge's model read a beginning only), pairs_unreadable and,
    by reason, unreadable_<failure>, each by the last judge of a pair. Of rows that stay: negatives
    that left, by reason of LEFT.
    """
    last = list(judged.final.values())
    flagged = [v for v in last if v.is_relevant]
    unread = Counter(v.failure for v in last if v.is_relevant is None)
    left = Counter[str]()
    for row in kept:
        left.update({d["reason"]: d["count"] for d in row["dropped"] if d["reason"] in LEFT})
    return {
        "queries_judged": len(asked),
        "pairs_judged": len(last),
        "queries_flagged": len({v.query_id for v in flagged}),
        "pairs_flagged": len(flagged),
        "pairs_truncated": sum(v.was_cut for v in last),
        "pairs_unreadable": sum(unread.values()),
        **{f"unreadable_{reason}": count for reason, count in sorted(unread.items())},
        **{reason: left[reason] for reason in LEFT},
    }
