"""Gecko's hard negative: the candidate that the relabelling scorers rank last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from sdg.ids import MAX_WORD_JACCARD
from sdg.judge.policy import Document, is_near
from sdg.schemas import CANDIDATES, JUDGMENTS, NEGATIVES, check_table, table_of

SOURCE = "relabel:last_ranked"
# A negative that shares more of its words with a positive is one, too; CodeR's bound.


class LastRanked(NamedTuple):
    """Rows with their last-ranked negative.

    Attributes:
        negatives: NEGATIVES in the order given.
        extra: last_ranked_added, and why others were not: last_ranked_is_positive (it is, or
            nearly is, a positive or the source), last_ranked_already_mined.
    """

    negatives: pa.Table
    extra: Mapping[str, int]


def documents_to_compare(negatives: pa.Table, judgments: pa.Table) -> pa.Array:
    """Return the ids of the documents that `add_last_ranked` needs, ascending, each once."""
    last = _last(judgments)["doc_id"].to_arrow().cast(pa.string())
    flat = pc.list_flatten(negatives["positive_ids"])
    ids = pa.chunked_array([*flat.chunks, last], pa.string()).unique()
    return ids.take(pc.sort_indices(ids))


def add_last_ranked(
    negatives: pa.Table,
    judgments: pa.Table,
    candidates: pa.Table,
    documents: pa.Table,
    num_negatives: int,
) -> LastRanked:
    """Return `negatives` with the judged candidate of the lowest fused rank as first entry.

    Gecko (arXiv 2403.20327) takes the lowest of 20 neighbours by fused rank; 53.39 on BEIR against
    52.60 with a random neighbour and 53.07 with none. It stands first, so that it stays whatever
    the list is cut to, and the easiest mined one makes room where the list is full. The bounds of
    the mining rules do not apply to it: they guess from similarity what the scorers have read.

    Args:
        negatives: NEGATIVES.
        judgments: JUDGMENTS of relabelling; queries without any keep their list.
        candidates: CANDIDATES, for score and rank of what is added.
        documents: At least those that `documents_to_compare` names.
        num_negatives: Longest list.
    """
    check_table(negatives, NEGATIVES, "negatives")
    check_table(judgments, JUDGMENTS, "judgments")
    check_table(candidates, CANDIDATES, "candidates")
    known = {
        doc_id: Document(text, entity)
        for doc_id, text, entity in zip(
            *(documents[c].to_pylist() for c in ("doc_id", "text", "entity_key")), strict=True
        )
    }
    last: dict[str, str] = dict(_last(judgments).iter_rows())
    found = {row["query_id"]: row for row in _of_queries(candidates, list(last)).to_pylist()}
    extra = {"added": 0, "is_positive": 0, "already_mined": 0}
    rows = []
    for row in negatives.to_pylist():
        doc_id = last.get(row["query_id"])
        if doc_id is None:
            rows.append(row)
            continue
        own = found[row["query_id"]]
        if _is_known(doc_id, row, own["source_doc_id"], known):
            extra["is_positive"] += 1
        elif doc_id in row["negative_ids"]:
            extra["already_mined"] += 1
        else:
            extra["added"] += 1
            row = _with_first(row, doc_id, own, num_negatives)  # noqa: PLW2901 - the row grows
        rows.append(row)
    counts = {f"last_ranked_{name}": count for name, count in extra.items()}
    return LastRanked(table_of(rows, NEGATIVES), counts)


def _last(judgments: pa.Table) -> pl.DataFrame:
    rows = pl.DataFrame(judgments.select(["query_id", "doc_id", "fused_rank"]))
    rows = rows.filter(pl.col("fused_rank") > 0).sort("query_id", "fused_rank")
    return rows.group_by("query_id", maintain_order=True).last().select("query_id", "doc_id")


def _of_queries(candidates: pa.Table, query_ids: list[str]) -> pa.Table:
    wanted = pc.is_in(candidates["query_id"], value_set=pa.array(query_ids, pa.string()))
    return candidates.filter(wanted)


def _is_known(
    doc_id: str, row: Mapping[str, Any], source: str, known: Mapping[str, Document]
) -> bool:
    if doc_id == source or doc_id in row["positive_ids"]:
        return True
    return any(is_near(known[doc_id], known[i], MAX_WORD_JACCARD) for i in row["positive_ids"])


def _with_first(
    row: Mapping[str, Any], doc_id: str, own: Mapping[str, Any], num_negatives: int
) -> dict[str, Any]:
    place = own["doc_ids"].index(doc_id)
    first = {
        "negative_ids": doc_id,
        "negative_scores": own["scores"][place],
        "negative_ranks": own["ranks"][place],
        "negative_sources": SOURCE,
    }
    lists = {name: [value, *row[name]][:num_negatives] for name, value in first.items()}
    # It was looked at beside what mining looked at, so that the counts of a row still add up.
    return {**row, **lists, "search_depth": row["search_depth"] + 1}
