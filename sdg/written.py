"""Written: which of the documents that an LLM wrote may join the corpus.

    queries + links + written documents ─► check ─► documents, links, verdicts on queries

A written positive that cannot stay takes its query with it; a negative leaves alone. The unit is
the document. What is checked of a query is the gates' affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
from pydantic import Field

from sdg.ids import comparison_key
from sdg.judge.policy import Document, is_near
from sdg.language import Verified, verify_languages
from sdg.part import Part
from sdg.schemas import DOCUMENTS, LINKS, StageResult, check_table, reject_rows, table_of
from sdg.verdicts import VERDICTS

STAGE = "write"
# Where queries stop whose written positive fell.
WRITTEN_STAGE = "written"
_ASKED = ["query_id", "query", "source_doc_id", "document_language"]


class WrittenConfig(Part):
    """What becomes of documents that an LLM wrote.

    Attributes:
        min_language_score: Confidence in [0, 1] at which another language than the one asked for
            rejects a document (0.65: datatrove).
        min_letters: Shorter texts are not asked about their language: labels and short sentences
            are too short for a detector; own.
        among: Languages the detector chooses from, at least two; () is all it knows.
        max_jaccard: A negative that shares a larger part of its words with a positive of its query
            is dropped (0.95: CodeR).
        negatives: "beside" puts written negatives before mined ones, "instead" leaves a row that
            has written ones without mined ones, "none" uses none; own.
        at_most: Longest list of written negatives in a row.
    """

    min_language_score: float = Field(default=0.65, ge=0, le=1)
    min_letters: int = Field(default=40, ge=1)
    among: tuple[str, ...] = ()
    max_jaccard: float = Field(default=0.95, gt=0, le=1)
    negatives: str = Field(default="beside", pattern="^(beside|instead|none)$")
    at_most: int = Field(default=4, ge=1)


class Checked(NamedTuple):
    """What may stay.

    Attributes:
        result: kept: LINKS that hold, by query_id, in the order written. rejected: `empty_text`,
            `not_in_asked_language`, `in_two_languages`, `equals_query`, `near_positive` (a negative
            that is its query's positive or nearly so), and `query_was_rejected`. rows_in: links.
        documents: DOCUMENTS that kept links name and that the corpus lacks, by doc_id.
        verdicts: VERDICTS on queries whose positive fell: `positive_was_rejected`.
    """

    result: StageResult
    documents: pa.Table
    verdicts: pa.Table


class _Fallen(NamedTuple):
    """A link that does not hold."""

    link: Mapping[str, Any]
    reason: str
    detail: str


def check_written(
    queries: pa.Table,
    links: pa.Table,
    written: pa.Table,
    known: pa.Table,
    config: WrittenConfig,
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
    """
    check_table(links, LINKS, "links")
    check_table(written, DOCUMENTS, "written")
    check_table(known, DOCUMENTS, "known")
    texts = {row["doc_id"]: row for table in (written, known) for row in table.to_pylist()}
    asked = {row["query_id"]: row for row in queries.select(_ASKED).to_pylist()}
    wrong = _wrong_languages(written, config)
    kept: list[Mapping[str, Any]] = []
    fallen: list[_Fallen] = []
    verdicts: list[dict[str, str]] = []
    groups = pl.DataFrame(links).partition_by("query_id", maintain_order=True, as_dict=True)
    for key in sorted(groups):
        own, query = groups[key].to_dicts(), asked.get(str(key[0]))
        if query is None:
            fallen += [_Fallen(link, "query_was_rejected", "") for link in own]
            continue
        judged = [_Fallen(link, *_reason(link, query, own, texts, wrong, config)) for link in own]
        lost = [one for one in judged if one.reason and one.link["role"] == "positive"]
        if lost:
            detail = f"{lost[0].reason} {lost[0].detail}".strip()
            verdicts.append(
                {
                    "query_id": query["query_id"],
                    "reason": "positive_was_rejected",
                    "detail": detail,
                }
            )
            judged = [o if o.reason else o._replace(reason="query_was_rejected") for o in judged]
        kept += [one.link for one in judged if not one.reason]
        fallen += [one for one in judged if one.reason]
    in_corpus = set(known["doc_id"].to_pylist())
    new = sorted({str(link["doc_id"]) for link in kept} - in_corpus)
    return Checked(
        StageResult(table_of(kept, LINKS), _rejected(fallen, texts), links.num_rows),
        table_of([texts[doc_id] for doc_id in new], DOCUMENTS),
        table_of(verdicts, VERDICTS),
    )


def _wrong_languages(written: pa.Table, config: WrittenConfig) -> dict[str, Verified]:
    rows = [
        row
        for row in written.select(["doc_id", "text", "language"]).to_pylist()
        if sum(map(str.isalpha, row["text"])) >= config.min_letters
    ]
    found = verify_languages(
        [row["text"] for row in rows], [row["language"] for row in rows], among=config.among
    )
    return {
        row["doc_id"]: looked
        for row, looked in zip(rows, found, strict=True)
        if looked.detected.score >= config.min_language_score
        and looked.claimed_score < looked.detected.score
    }


def _reason(
    link: Mapping[str, Any],
    query: Mapping[str, Any],
    own: Sequence[Mapping[str, Any]],
    texts: Mapping[str, Mapping[str, Any]],
    wrong: Mapping[str, Verified],
    config: WrittenConfig,
) -> tuple[str, str]:
    document = texts[link["doc_id"]]
    if not document["text"]:
        return "empty_text", ""
    if link["doc_id"] in wrong:
        told = wrong[link["doc_id"]].detected
        detail = f"asked for {document['language']}, detected {told.language} with {told.score}"
        return "not_in_asked_language", detail
    is_source = link["doc_id"] == query["source_doc_id"]
    if is_source and document["language"] != query["document_language"]:
        # The same words, in the corpus or from another request, are there in another language.
        return "in_two_languages", f"{document['language']}, {query['document_language']}"
    if comparison_key(document["text"]) == comparison_key(query["query"]):
        return "equals_query", ""
    if link["role"] == "negative":
        positives = {row["doc_id"] for row in own if row["role"] == "positive"}
        for doc_id in sorted(positives | {query["source_doc_id"]}):
            one, other = (Document(texts[i]["text"], "") for i in (link["doc_id"], doc_id))
            if is_near(one, other, config.max_jaccard):
                return "near_positive", doc_id
    return "", ""


def _rejected(fallen: Sequence[_Fallen], texts: Mapping[str, Mapping[str, Any]]) -> pa.Table:
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
