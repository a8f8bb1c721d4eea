"""One Arrow schema per table that crosses a stage border, and the checks on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sdg.errors import ContractError
from sdg.ids import canonical_json

_STRINGS = pa.list_(pa.string())
_FLOATS = pa.list_(pa.float32())

# The task of rows that came to Pairmill as pairs: who wrote them is for their source to say.
GIVEN_PAIR = "given_pair"

NATURAL_TEXT = pa.struct([("kind", pa.string()), ("text", pa.string())])

DOCUMENTS = pa.schema(
    [
        ("doc_id", pa.string()),  # content hash of `text`
        ("text", pa.string()),  # NFC, see ids.normalise_text
        ("title", pa.string()),  # "" if none
        ("language", pa.string()),  # ISO 639-3 + script, "und" if unknown
        ("language_score", pa.float32()),  # confidence of the detector in [0, 1]
        ("topic", pa.string()),  # "" if none
        ("source", pa.string()),  # name of the configured source
        ("source_key", pa.string()),  # key or path inside the source, for people
        ("parent_id", pa.string()),  # id of the unsplit document; equals doc_id if not split
        ("chunk_index", pa.int32()),  # 0-based order inside the parent
        ("num_chunks", pa.int32()),
        ("entity_key", pa.string()),  # same thing in any language; "" if unknown
        ("group_id", pa.string()),  # documents that must share a split
        ("natural_texts", pa.list_(NATURAL_TEXT)),  # human-written text beside the document
    ]
)

REQUESTS = pa.schema(
    [
        ("request_id", pa.string()),
        ("task", pa.string()),
        ("source_doc_id", pa.string()),
        ("document_language", pa.string()),
        ("query_language", pa.string()),
        ("topic", pa.string()),
        ("generator", pa.string()),  # "" for tasks that ask no LLM
        ("seed", pa.int64()),
        ("num_candidates", pa.int32()),  # rows this request must end as: kept or rejected
        ("spec", pa.string()),  # canonical JSON of what varies inside the task
    ]
)

QUERIES = pa.schema(
    [
        ("query_id", pa.string()),
        ("query", pa.string()),
        ("query_language", pa.string()),
        ("instruction", pa.string()),
        ("task", pa.string()),
        ("source_doc_id", pa.string()),
        ("document_language", pa.string()),
        ("request_id", pa.string()),
        ("candidate_index", pa.int32()),
        ("generator", pa.string()),  # "" for natural pairs
        ("model_revision", pa.string()),
        ("prompt", pa.string()),
        ("prompt_sha256", pa.string()),
        ("seed", pa.int64()),
        ("spec", pa.string()),
        ("persona", pa.string()),
        ("paraphrase_of", pa.string()),
        ("mean_logprob", pa.float32()),  # of the reply's tokens, null if the engine gives none
    ]
)

REJECTIONS = pa.schema(
    [
        ("row_id", pa.string()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("row", pa.string()),  # the row as canonical JSON
    ]
)

CANDIDATES = pa.schema(
    [
        ("query_id", pa.string()),
        ("source_doc_id", pa.string()),
        ("source_score", pa.float32()),  # cosine of query and source document
        ("docs_above", pa.int32()),  # documents scoring above the source: its 0-based rank
        ("doc_ids", _STRINGS),  # by score desc, then doc_id asc
        ("scores", _FLOATS),
        ("ranks", pa.list_(pa.int32())),  # 0-based
        ("source", pa.string()),  # the miner, e.g. "dense:use-multilingual"
    ]
)

JUDGMENTS = pa.schema(
    [
        ("query_id", pa.string()),
        ("doc_id", pa.string()),
        ("retrieval_rank", pa.int32()),  # 0-based, by the encoder
        ("scorer_scores", pa.list_(pa.struct([("scorer", pa.string()), ("score", pa.float32())]))),
        ("fused_score", pa.float32()),  # RRF, higher is better
        ("fused_rank", pa.int32()),  # 0-based
        # Of judges of negatives; null where a judgment is the relabelling scorers'.
        ("judge", pa.string()),  # place in the cascade and name: "0:rlhn"
        ("grade", pa.int8()),  # 0 irrelevant to 3 answers completely; null if not graded
        ("is_false_negative", pa.bool_()),  # null: no verdict that can be read
        ("failure", pa.string()),  # why not; "" if it can
    ]
)

# A judge's last word on each pair that has one; what becomes the column `relevance`.
GRADES = pa.schema([("query_id", pa.string()), ("doc_id", pa.string()), ("grade", pa.int8())])

# Documents that belong to a query beside its source document.
LINKS = pa.schema(
    [
        ("query_id", pa.string()),
        ("doc_id", pa.string()),
        ("role", pa.string()),  # "positive" or "negative"
        ("grade", pa.int8()),  # relevance asked for, 0 to 3; null if none was
    ]
)

POSITIVES = pa.schema(
    [
        ("query_id", pa.string()),
        ("positive_ids", _STRINGS),
        ("original_positive_id", pa.string()),
        ("positive_was_relabelled", pa.bool_()),
    ]
)

NEGATIVES = pa.schema(
    [
        ("query_id", pa.string()),
        ("positive_ids", _STRINGS),
        ("positive_scores", _FLOATS),
        ("negative_ids", _STRINGS),
        ("negative_scores", _FLOATS),
        ("negative_ranks", pa.list_(pa.int32())),
        ("negative_sources", _STRINGS),
        # Candidates dropped for this query, by rule, in the order the rules ran.
        ("dropped", pa.list_(pa.struct([("reason", pa.string()), ("count", pa.int32())]))),
        ("search_depth", pa.int32()),  # candidates looked at for this query
        ("docs_above", pa.int32()),  # documents scoring above the positive that bounds refer to
    ]
)

MINER_SCORES = pa.schema(
    [
        ("query_id", pa.string()),
        ("doc_id", pa.string()),
        ("source", pa.string()),  # the miner: "bm25", "dense:<encoder>"
        ("rank", pa.int32()),  # 0-based, in that miner's own list
        ("score", pa.float32()),  # in that miner's own scale, higher is better
    ]
)

# What reviewers said of the pair of query and source document; rows of one review are by criterion.
REVIEWS = pa.schema(
    [
        ("query_id", pa.string()),
        ("reviewer", pa.string()),  # place in the list and name: "0:rubric"
        ("criterion", pa.string()),  # "" where the review cannot be read
        ("review_score", pa.float32()),  # on the reviewer's own scale; null if it cannot be read
        ("failure", pa.string()),  # why not; "" if it can
    ]
)

PROVENANCE = pa.struct(
    [
        ("source_doc_id", pa.string()),
        ("generator", pa.string()),
        ("model_revision", pa.string()),
        ("prompt", pa.string()),
        ("prompt_sha256", pa.string()),
        ("seed", pa.int64()),
        ("persona", pa.string()),
        ("spec", pa.string()),
        ("paraphrase_of", pa.string()),
        ("positive_was_relabelled", pa.bool_()),
        ("original_positive_id", pa.string()),
    ]
)

EXAMPLES = pa.schema(
    [
        ("query_id", pa.string()),
        ("query", pa.string()),
        ("query_language", pa.string()),
        ("instruction", pa.string()),
        ("task", pa.string()),
        ("positive_ids", _STRINGS),
        ("positives", _STRINGS),
        ("positive_scores", _FLOATS),
        ("positive_languages", _STRINGS),
        ("negative_ids", _STRINGS),
        ("negatives", _STRINGS),
        ("negative_scores", _FLOATS),
        ("negative_ranks", pa.list_(pa.int32())),
        ("negative_sources", _STRINGS),
        ("negative_languages", _STRINGS),
        ("relevance", pa.list_(pa.int8())),  # positives then negatives; null where not judged
        ("group_id", pa.string()),
        ("split", pa.string()),
        ("provenance", PROVENANCE),
    ]
)


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage hands on: rows that go on, and rows that stop here with a reason.

    Attributes:
        kept: Rows that go on.
        rejected: Rows that stop, schema REJECTIONS.
        rows_in: Rows the stage was given, in the unit in which `kept` and `rejected` count.

    Raises:
        ContractError: If rows in differ from kept + rejected: a row was lost or invented.
    """

    kept: pa.Table
    rejected: pa.Table
    rows_in: int

    def __post_init__(self) -> None:
        check_table(self.rejected, REJECTIONS, "rejections")
        if self.rows_in != self.kept.num_rows + self.rejected.num_rows:
            raise ContractError(
                f"Rows in must equal rows kept + rejected, but {self.rows_in} came in, "
                f"{self.kept.num_rows} were kept and {self.rejected.num_rows} rejected. "
                "The stage loses or invents rows."
            )


def check_table(table: pa.Table, schema: pa.Schema, name: str) -> pa.Table:
    """Return `table` if its schema is exactly `schema`.

    Raises:
        ContractError: If a column is missing, extra, misplaced or of another type.
    """
    if not table.schema.equals(schema):
        expected = {f.name: f.type for f in schema}
        actual = {f.name: f.type for f in table.schema}
        missing = [n for n in expected if n not in actual]
        extra = [n for n in actual if n not in expected]
        wrong = [
            f"{n}: {actual[n]} instead of {expected[n]}"
            for n in expected
            if n in actual and actual[n] != expected[n]
        ]
        raise ContractError(
            f"Table `{name}` must have its schema, but missing columns are {missing}, extra "
            f"columns {extra}, wrong types {wrong or 'none (order differs)'}."
        )
    return table


def table_of(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return rows as a table of `schema`; an empty iterable gives an empty table."""
    return pa.Table.from_pylist([dict(r) for r in rows], schema=schema)


def reject_rows(
    table: pa.Table,
    id_column: str,
    stage: str,
    reasons: Sequence[str],
    details: Sequence[str],
) -> pa.Table:
    """Return `table`'s rows as REJECTIONS.

    Args:
        table: The rejected rows, R of them.
        id_column: The column that becomes `row_id`.
        stage: Name of the stage that rejects.
        reasons: R reasons, snake_case, each stating what is true of the row.
        details: R details for people: the value that decided.

    Returns:
        R rows in the order of `table`.

    Raises:
        ContractError: If the three lengths differ.
    """
    if not table.num_rows == len(reasons) == len(details):
        raise ContractError(
            f"Each of {table.num_rows} rejected rows must have one reason and one detail, but "
            f"there are {len(reasons)} reasons and {len(details)} details."
        )
    rows = table.to_pylist()
    return table_of(
        (
            {
                "row_id": row[id_column],
                "stage": stage,
                "reason": reason,
                "detail": detail,
                "row": canonical_json(row),
            }
            for row, reason, detail in zip(rows, reasons, details, strict=True)
        ),
        REJECTIONS,
    )


def empty(schema: pa.Schema) -> pa.Table:
    """Return a table of `schema` without rows."""
    return schema.empty_table()
