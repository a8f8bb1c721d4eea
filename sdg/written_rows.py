"""Rows and the documents that an LLM wrote for them: further positives, and hard negatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from sdg.ids import MAX_WORD_JACCARD
from sdg.judge.policy import Document, is_near
from sdg.schemas import GRADES, LINKS, NEGATIVES, POSITIVES, check_table, table_of

# A rank that no search gave.
NO_RANK = -1
Pair = tuple[str, str]


class WithWritten(NamedTuple):
    """Rows with their written negatives.

    Attributes:
        negatives: NEGATIVES in the order given.
        extra: written_added, written_is_positive (it is, or nearly is, a positive of the finished
            row), written_over_limit (more than the list holds).
    """

    negatives: pa.Table
    extra: Mapping[str, int]


def with_further_positives(
    positives: pa.Table, links: pa.Table, originals: Mapping[str, str] | None = None
) -> pa.Table:
    """Return POSITIVES with the documents that links name as positives, after those they have.

    A row with such documents keeps the positive it had before relabelling, too: they say the same
    as that one, or answer the query together with it.

    Args:
        positives: POSITIVES.
        links: LINKS; those of other queries and of negatives do not count.
        originals: Query -> the query whose meaning it shares: what answers that one answers it,
            too, and would else be mined as its negative.
    """
    check_table(positives, POSITIVES, "positives")
    check_table(links, LINKS, "links")
    known = dict(originals or {})
    ids = positives["query_id"].to_pylist()
    of_rows = pa.array({*ids, *(known[i] for i in ids if i in known)}, pa.string())
    is_theirs = pc.and_(
        pc.equal(links["role"], "positive"), pc.is_in(links["query_id"], value_set=of_rows)
    )
    further: dict[str, list[str]] = {}
    for link in links.filter(is_theirs).to_pylist():
        further.setdefault(link["query_id"], []).append(link["doc_id"])
    lists = []
    before = positives["original_positive_id"].to_pylist()
    for i, own, original in zip(ids, positives["positive_ids"].to_pylist(), before, strict=True):
        added = [*further.get(i, ()), *further.get(known.get(i, ""), ())]
        lists.append(list(dict.fromkeys([*own, *([original] if added else ()), *added])))
    place = positives.schema.get_field_index("positive_ids")
    column = pa.array(lists, POSITIVES.field("positive_ids").type)
    return positives.set_column(place, POSITIVES.field("positive_ids"), column)


def negative_links(negatives: pa.Table, links: pa.Table) -> pa.Table:
    """Return the LINKS of written negatives of these rows (NEGATIVES)."""
    is_negative = pc.equal(links["role"], "negative")
    of_rows = pc.is_in(links["query_id"], value_set=negatives["query_id"].combine_chunks())
    return links.filter(pc.and_(is_negative, of_rows))


def add_written(
    negatives: pa.Table,
    links: pa.Table,
    documents: pa.Table,
    scores: Mapping[Pair, float],
    *,
    policy: Literal["beside", "instead"],
    limit: int,
    at_most: int,
) -> WithWritten:
    """Return `negatives` with written ones first, so that they stay whatever a list is cut to.

    The bounds of the mining rules do not apply to them: those guess from similarity which mined
    document answers the query, and a written negative is meant to be near. Only what is a positive
    of the row, or nearly, is left out. Their rank is NO_RANK, their source that of the document.

    Args:
        negatives: NEGATIVES.
        links: LINKS of negatives, in the order written.
        documents: `doc_id`, `text`, `source`, `entity_key` of at least these, and of positives.
        scores: (query_id, doc_id) -> cosine, of every link.
        policy: "beside" mined ones, the easiest of which make room, or "instead" of them.
        limit: Longest list, if more are not written.
        at_most: Longest list of written ones.
    """
    check_table(negatives, NEGATIVES, "negatives")
    known = {row["doc_id"]: row for row in documents.to_pylist()}
    written: dict[str, list[str]] = {}
    for link in links.to_pylist():
        written.setdefault(link["query_id"], []).append(link["doc_id"])
    extra = {"added": 0, "is_positive": 0, "over_limit": 0}
    rows = []
    for row in negatives.to_pylist():
        good: list[str] = []
        for doc_id in dict.fromkeys(written.get(row["query_id"], ())):
            if _is_positive(known[doc_id], row, known):
                extra["is_positive"] += 1
            elif len(good) == at_most:
                extra["over_limit"] += 1
            else:
                good.append(doc_id)
        extra["added"] += len(good)
        rows.append(_with_first(row, good, known, scores, policy, limit) if good else row)
    counts = {f"written_{name}": count for name, count in extra.items()}
    return WithWritten(table_of(rows, NEGATIVES), counts)


def grades_of(links: pa.Table, judged: pa.Table, positives: pa.Table) -> pa.Table:
    """Return GRADES: a judge's, and those that were asked for where no judge gave one.

    What was asked for a negative says nothing where relabelling made a positive of it.

    Args:
        links: LINKS.
        judged: GRADES.
        positives: Columns `query_id` and `positive_ids`.
    """
    asked = pl.DataFrame(links).drop_nulls("grade")
    pairs = pl.DataFrame(positives.select(["query_id", "positive_ids"])).explode("positive_ids")
    turned = asked.filter(pl.col("role") == "negative").join(
        pairs, left_on=["query_id", "doc_id"], right_on=["query_id", "positive_ids"], how="semi"
    )
    asked = asked.join(turned, on=["query_id", "doc_id"], how="anti", maintain_order="left")
    own = asked.select("query_id", "doc_id", pl.col("grade").cast(pl.Int8))
    kept = pl.concat([pl.DataFrame(judged), own]).unique(
        ["query_id", "doc_id"], keep="first", maintain_order=True
    )
    return kept.to_arrow().cast(GRADES)


def _is_positive(
    document: Mapping[str, Any], row: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]
) -> bool:
    if document["doc_id"] in row["positive_ids"]:
        return True
    own = Document(document["text"], document["entity_key"])
    positives = [known[doc_id] for doc_id in row["positive_ids"]]
    documents = (Document(p["text"], p["entity_key"]) for p in positives)
    return any(is_near(own, document, MAX_WORD_JACCARD) for document in documents)


def _with_first(
    row: Mapping[str, Any],
    good: list[str],
    known: Mapping[str, Mapping[str, Any]],
    scores: Mapping[Pair, float],
    policy: str,
    limit: int,
) -> dict[str, Any]:
    first: dict[str, list[Any]] = {
        "negative_ids": good,
        "negative_scores": [scores[row["query_id"], doc_id] for doc_id in good],
        "negative_ranks": [NO_RANK] * len(good),
        "negative_sources": [known[doc_id]["source"] for doc_id in good],
    }
    stays = [
        place
        for place, doc_id in enumerate(row["negative_ids"])
        if policy == "beside" and doc_id not in good
    ]
    lists = {
        name: [*values, *(row[name][place] for place in stays)][: max(limit, len(good))]
        for name, values in first.items()
    }
    # They were looked at beside what mining looked at, so that the counts of a row still add up.
    return {**row, **lists, "search_depth": row["search_depth"] + len(good)}
