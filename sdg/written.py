"""Written: which of the documents that an LLM wrote may join the corpus.

    queries + links + written documents ─► check ─► documents, links, verdicts on queries

A written document that a query is about takes the query with it where it cannot stay; further
positives and negatives leave alone. The unit is the link of a document to a query. What is checked
of a query is the gates' affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from sdg.ids import MAX_WORD_JACCARD, comparison_key
from sdg.judge.policy import Document, is_near
from sdg.language import verify_languages
from sdg.part import Part
from sdg.schemas import DOCUMENTS, LINKS, StageResult, check_table, reject_rows, table_of
from sdg.verdicts import VERDICTS

STAGE = "write"
# Where queries stop whose written positive fell.
WRITTEN_STAGE = "written"
_READ = ["doc_id", "text", "language", "source"]
# Reason and detail.
Told = tuple[str, str]
_ASKED = ["query_id", "query", "source_doc_id", "document_language"]


class WrittenConfig(Part):
    """What becomes of documents that an LLM wrote.

    Attributes:
        min_language_score: Confidence in [0, 1] at which another language than the one asked for
            rejects a document (0.65: datatrove).
        min_letters: Shorter texts are not asked about their language: labels and short sentences
            are too short for a detector; own.
        among: Languages the detector chooses from, at least two; () is all it knows.
        max_jaccard: A document that shares a larger part of its words with a positive of its query
            is dropped (0.95: CodeR).
        negatives: "beside" puts written negatives before mined ones, "instead" leaves a row that
            has written ones without mined ones, "none" uses none; own.
        at_most: Longest list of written negatives in a row.
    """

    min_language_score: float = Field(default=0.65, ge=0, le=1)
    min_letters: int = Field(default=40, ge=1)
    among: tuple[str, ...] = ()
    max_jaccard: float = Field(default=MAX_WORD_JACCARD, gt=0, le=1)
    negatives: str = Field(default="beside", pattern="^(beside|instead|none)$")
    at_most: int = Field(default=4, ge=1)


class Checked(NamedTuple):
    """What may stay.

    Attributes:
        result: kept: LINKS that hold, by query_id, in the order written. rejected: `empty_text`,
            the reasons of `blocked`, `not_in_asked_language`, `in_two_languages`, `equals_query`,
            `near_positive` (it says nearly what a positive of the query says), and
            `query_was_rejected`. rows_in: links.
        documents: DOCUMENTS that kept links name and that the corpus lacks, by doc_id.
        verdicts: VERDICTS on queries that are about a document that fell: `positive_was_rejected`.
    """

    result: StageResult
    documents: pa.Table
    verdicts: pa.Table


class _Judged(NamedTuple):
    """A link, why it does not hold ("" if it does), and why its query falls with it."""

    link: Mapping[str, Any]
    reason: str
    detail: str = ""
    lost: str = ""


class _Seen(NamedTuple):
    """What links are judged by: documents by id, those of the corpus, what falls in any case."""

    texts: Mapping[str, Mapping[str, Any]]
    in_corpus: frozenset[str]
    wrong: Mapping[str, Told]
    config: WrittenConfig
    queries_stand: bool


def check_written(
    queries: pa.Table,
    links: pa.Table,
    written: pa.Table,
    known: pa.Table,
    config: WrittenConfig,
    *,
    blocked: Mapping[str, Told] | None = None,
    queries_stand: bool = False,
) -> Checked:
    """Return which written documents may join the corpus.

    Args:
        queries: Columns `query_id`, `query`, `source_doc_id`, `document_language` of the queries
            that still stand.
        links: LINKS of all queries there were.
        written: DOCUMENTS, each id once.
        known: DOCUMENTS of the corpus; at least those among `written`, those that links name and
            the queries' source documents.
        config: What to check.
        blocked: Id of a written document -> why it must not be trained on, as of an evaluation set.
        queries_stand: True if the queries were accepted before anything was written for them: then
            nothing that falls takes one along.
    """
    check_table(links, LINKS, "links")
    check_table(written, DOCUMENTS, "written")
    check_table(known, DOCUMENTS, "known")
    seen = _Seen(
        {r["doc_id"]: r for t in (written, known) for r in t.select(_READ).to_pylist()},
        frozenset(known["doc_id"].to_pylist()),
        {**_wrong_languages(written, config), **(blocked or {})},
        config,
        queries_stand,
    )
    asked = {row["query_id"]: row for row in queries.select(_ASKED).to_pylist()}
    judged: list[_Judged] = []
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for link in links.to_pylist():
        groups.setdefault(link["query_id"], []).append(link)
    for query_id in sorted(groups):
        judged += _judge(asked.get(query_id), groups[query_id], seen)
    kept = [one.link for one in judged if not one.reason]
    new = pa.array(sorted({link["doc_id"] for link in kept} - seen.in_corpus), pa.string())
    fallen = [one for one in judged if one.reason]
    lost = {one.link["query_id"]: one.lost for one in judged if one.lost}
    verdicts = [
        {"query_id": query_id, "reason": "positive_was_rejected", "detail": detail}
        for query_id, detail in lost.items()
    ]
    return Checked(
        StageResult(table_of(kept, LINKS), _rejected(fallen, seen.texts), links.num_rows),
        written.take(pc.index_in(new, value_set=written["doc_id"].combine_chunks())),
        table_of(verdicts, VERDICTS),
    )


def _judge(
    query: Mapping[str, Any] | None, own: Sequence[Mapping[str, Any]], seen: _Seen
) -> list[_Judged]:
    """Return what becomes of the links of one query; None if the query itself has stopped."""
    if query is None:
        return [_Judged(link, "query_was_rejected") for link in own]
    judged = [_Judged(link, *_reason(link, query, own, seen)) for link in own]
    source = query["source_doc_id"]
    lost = next(
        (
            one
            for one in judged
            if one.reason and one.link["role"] == "positive" and one.link["doc_id"] == source
        ),
        None,
    )
    if lost is None or seen.queries_stand:
        return judged
    told = f"{lost.reason} {lost.detail}".strip()
    return [one._replace(reason=one.reason or "query_was_rejected", lost=told) for one in judged]


def _wrong_languages(written: pa.Table, config: WrittenConfig) -> dict[str, Told]:
    rows = [
        row
        for row in written.select(["doc_id", "text", "language"]).to_pylist()
        if sum(map(str.isalpha, row["text"])) >= config.min_letters
    ]
    found = verify_languages(
        [row["text"] for row in rows], [row["language"] for row in rows], among=config.among
    )
    return {
        row["doc_id"]: (
            "not_in_asked_language",
            f"asked for {row['language']}, detected {looked.detected.language} "
            f"with {looked.detected.score}",
        )
        for row, looked in zip(rows, found, strict=True)
        if looked.detected.score >= config.min_language_score
        and looked.claimed_score < looked.detected.score
    }


def _reason(
    link: Mapping[str, Any],
    query: Mapping[str, Any],
    own: Sequence[Mapping[str, Any]],
    seen: _Seen,
) -> tuple[str, str]:
    document = seen.texts[link["doc_id"]]
    is_source = link["role"] == "positive" and link["doc_id"] == query["source_doc_id"]
    if not document["text"]:
        return "empty_text", ""
    if link["doc_id"] in seen.wrong:
        return seen.wrong[link["doc_id"]]
    if is_source and document["language"] != query["document_language"]:
        # The same words, in the corpus or from another request, are there in another language.
        return "in_two_languages", f"{document['language']}, {query['document_language']}"
    if comparison_key(document["text"]) == comparison_key(query["query"]):
        return "equals_query", ""
    near = "" if is_source else _near_positive(link, query, own, seen)
    return ("near_positive", near) if near else ("", "")


def _near_positive(
    link: Mapping[str, Any],
    query: Mapping[str, Any],
    own: Sequence[Mapping[str, Any]],
    seen: _Seen,
) -> str:
    """Return the id of a positive that says nearly the same, "" if there is none."""
    positives = {query["source_doc_id"]}
    if link["role"] == "negative":
        positives |= {row["doc_id"] for row in own if row["role"] == "positive"}
    elif link["doc_id"] in seen.in_corpus:
        # A document of the corpus that the query needs, too.
        return ""
    this = Document(seen.texts[link["doc_id"]]["text"], "")
    for doc_id in sorted(positives):
        if is_near(this, Document(seen.texts[doc_id]["text"], ""), seen.config.max_jaccard):
            return doc_id
    return ""


def _rejected(fallen: Sequence[_Judged], texts: Mapping[str, Mapping[str, Any]]) -> pa.Table:
    rows = [
        {
            "row_id": f"{one.link['query_id']}-{one.link['doc_id']}",
            **one.link,
            **{name: texts[one.link["doc_id"]][name] for name in ("text", "language", "source")},
        }
        for one in fallen
    ]
    table = pa.Table.from_pylist(rows) if rows else pa.table({"row_id": pa.array([], pa.string())})
    reasons, details = [one.reason for one in fallen], [one.detail for one in fallen]
    return reject_rows(table, "row_id", STAGE, reasons, details)
