"""Relabelling rows that are finished: a row's own negatives are the candidates for its positive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from sdg.ids import MAX_WORD_JACCARD
from sdg.judge.negatives import Mined, Wanted
from sdg.judge.policy import BECAME_POSITIVE, NEAR_NEW_POSITIVE, Document, is_near
from sdg.relabel.config import RelabelConfig
from sdg.relabel.positives import Ask, relabel
from sdg.schemas import (
    CANDIDATES,
    NEGATIVES,
    POSITIVES,
    QUERIES,
    StageResult,
    reject_rows,
    table_of,
)

STAGE = "relabel"
_LISTS = ("negative_ids", "negative_scores", "negative_ranks", "negative_sources")


class RelabelledRows(NamedTuple):
    """What relabelling finished rows gives.

    Attributes:
        result: Kept: NEGATIVES. Rejected: QUERIES rows, `too_few_negatives`.
        positives: POSITIVES of the kept rows, in their order.
        judgments: JUDGMENTS of the scorers.
        extra: As of `relabel`, and `rows_with_several_positives`, which are not asked about.
    """

    result: StageResult
    positives: pa.Table
    judgments: pa.Table
    extra: Mapping[str, int]


def relabel_existing(
    mined: Mined, config: RelabelConfig, wanted: Wanted, score: Ask
) -> RelabelledRows:
    """Return rows whose positive is the one that the scorers prefer among positive and negatives.

    A changed positive takes the place of the old one, as in Gecko, and leaves the negatives with
    everything that nearly equals it. Rows with several positives stay as they are: which of them
    should go is not for a ranking to say.

    Args:
        mined: Finished rows as stage tables.
        config: Scorers and care.
        wanted: Length of the finished lists.
        score: Answers each request once.
    """
    queries = {row["query_id"]: row for row in mined.queries.to_pylist()}
    positives = {row["query_id"]: row for row in mined.positives.to_pylist()}
    rows = mined.negatives.to_pylist()
    single = [row for row in rows if len(row["positive_ids"]) == 1]
    asked = [
        {**queries[row["query_id"]], "source_doc_id": row["positive_ids"][0]} for row in single
    ]
    candidates = table_of(map(_candidates, single), CANDIDATES)
    done = relabel(table_of(asked, QUERIES), candidates, mined.documents, config, score)
    new = {
        row["query_id"]: row["positive_ids"][0]
        for row in done.positives.to_pylist()
        if row["positive_was_relabelled"]
    }
    documents = _documents(mined.documents)
    kept, kept_positives, short = [], [], []
    for row in rows:
        own = positives[row["query_id"]]
        changed, positive = row, own
        if row["query_id"] in new:
            changed, positive = _changed(row, own, new[row["query_id"]], documents)
        count = len(changed["negative_ids"])
        if not count or (wanted.drop_short and count < wanted.num_negatives):
            short.append((queries[row["query_id"]], f"{count} of {wanted.num_negatives}"))
            continue
        kept.append(changed)
        kept_positives.append(positive)
    rejected = reject_rows(
        table_of([query for query, _ in short], QUERIES),
        "query_id",
        STAGE,
        ["too_few_negatives"] * len(short),
        [detail for _, detail in short],
    )
    extra = {**done.extra, "rows_with_several_positives": len(rows) - len(single)}
    return RelabelledRows(
        StageResult(table_of(kept, NEGATIVES), rejected, len(rows)),
        table_of(kept_positives, POSITIVES),
        done.judgments,
        extra,
    )


def _candidates(row: Mapping[str, Any]) -> dict[str, Any]:
    score = row["positive_scores"][0]
    known = [s for s in row["negative_scores"] if s is not None and score is not None]
    return {
        "query_id": row["query_id"],
        "source_doc_id": row["positive_ids"][0],
        "source_score": score,
        "docs_above": sum(other > score for other in known),
        "doc_ids": row["negative_ids"],
        "scores": row["negative_scores"],
        "ranks": row["negative_ranks"],
        "source": "",
    }


def _documents(table: pa.Table) -> dict[str, Document]:
    columns = (table[name].to_pylist() for name in ("doc_id", "text", "entity_key"))
    return {doc_id: Document(text, entity) for doc_id, text, entity in zip(*columns, strict=True)}


def _changed(
    row: dict[str, Any], positive: dict[str, Any], new: str, documents: Mapping[str, Document]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the row's NEGATIVES and POSITIVES with `new` as its positive."""
    fates = [
        BECAME_POSITIVE
        if doc_id == new
        else NEAR_NEW_POSITIVE
        if is_near(documents[doc_id], documents[new], MAX_WORD_JACCARD)
        else ""
        for doc_id in row["negative_ids"]
    ]
    stays = [place for place, fate in enumerate(fates) if not fate]
    place = fates.index(BECAME_POSITIVE)
    counts = [(r, fates.count(r)) for r in (BECAME_POSITIVE, NEAR_NEW_POSITIVE)]
    changed = {
        **row,
        **{name: [row[name][at] for at in stays] for name in _LISTS},
        "positive_ids": [new],
        "positive_scores": [row["negative_scores"][place]],
        "dropped": [*row["dropped"], *({"reason": r, "count": n} for r, n in counts if n)],
    }
    was = positive["positive_was_relabelled"]
    original = positive["original_positive_id"] if was else row["positive_ids"][0]
    return changed, {
        **positive,
        "positive_ids": [new],
        "original_positive_id": original,
        "positive_was_relabelled": True,
    }
