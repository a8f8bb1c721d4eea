"""Raw documents become documents: normalised, checked, in a known language, cut into chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from sdg.corpus.chunks import split_text
from sdg.corpus.contract import RAW_DOCUMENTS, STAGE, CorpusConfig
from sdg.ids import content_id, normalise_text
from sdg.language import UNDETERMINED, Verified, verify_languages
from sdg.schemas import DOCUMENTS, StageResult, check_table, reject_rows


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Why a raw document stops, or the language with which it goes on.

    Attributes:
        reason: "" if it goes on.
        detail: What decided.
        language: As `fra-Latn` or `und`.
        language_score: Confidence in `language`; None if the detector does not know it.
    """

    reason: str
    detail: str
    language: str = ""
    language_score: float | None = None


def cut_documents(raw: pa.Table, source: str, config: CorpusConfig) -> StageResult:
    """Return the documents made of one batch of raw documents.

    The declared language is kept as the claim and the detector verifies it: `language_score` is
    the confidence in the claim, null where the detector does not know the language. Without a claim
    language and score are the detector's. A title goes with every chunk; natural texts only with
    chunk 0, because they describe the document and its start is what they describe best.

    Args:
        raw: Schema RAW_DOCUMENTS, R rows.
        source: Name of the configured source.
        config: Settings of the stage.

    Returns:
        kept: Schema DOCUMENTS, in the order of `raw` and inside a document in chunk order;
            `group_id` is the parent's id until `apply_duplicates` sets it. Ids may repeat.
        rejected: Reasons of whole documents: the reader's own, `empty_text`,
            `under_min_characters`, `no_known_language`, `language_score_too_low`,
            `detected_another_language`; of single chunks: `under_min_characters`.
        rows_in: Chunks made + raw documents rejected whole.

    Raises:
        ContractError: If `raw` has another schema.
    """
    check_table(raw, RAW_DOCUMENTS, "raw documents")
    texts = [normalise_text(text) for text in raw["text"].to_pylist()]
    verdicts = _judge(raw, texts, config)
    stopped = [row for row, verdict in enumerate(verdicts) if verdict.reason]
    chunks = _cut(raw, texts, verdicts, source, config)
    is_short = np.array([len(t) < config.min_characters for t in chunks["text"].to_pylist()], bool)
    short = chunks.filter(pa.array(is_short))
    lengths = [f"{len(text)} characters" for text in short["text"].to_pylist()]
    whole = reject_rows(
        _with_row_ids(raw.take(pa.array(stopped, pa.int64())), source),
        "row_id",
        STAGE,
        [verdicts[row].reason for row in stopped],
        [verdicts[row].detail for row in stopped],
    )
    single = reject_rows(short, "doc_id", STAGE, ["under_min_characters"] * len(lengths), lengths)
    return StageResult(
        kept=chunks.filter(pa.array(~is_short)).combine_chunks(),
        rejected=pa.concat_tables([whole, single]),
        rows_in=chunks.num_rows + len(stopped),
    )


def _judge(raw: pa.Table, texts: Sequence[str], config: CorpusConfig) -> list[_Verdict]:
    """Return one verdict per raw document; only those that pass the cheap rules are identified."""
    verdicts = [
        _verdict_without_language(reason, detail, text, config.min_characters)
        for reason, detail, text in zip(
            raw["reason"].to_pylist(), raw["detail"].to_pylist(), texts, strict=True
        )
    ]
    claims = raw["language"].to_pylist()
    rows = [row for row, verdict in enumerate(verdicts) if not verdict.reason]
    verified = verify_languages(
        [texts[row] for row in rows],
        [claims[row] for row in rows],
        config.language_characters,
        config.expected_languages,
    )
    for row, result in zip(rows, verified, strict=True):
        verdicts[row] = _language_verdict(claims[row], result, config.min_language_score)
    return verdicts


def _verdict_without_language(reason: str, detail: str, text: str, min_characters: int) -> _Verdict:
    if reason:
        return _Verdict(reason, detail)
    if not text:
        return _Verdict("empty_text", "no characters left after normalisation")
    if len(text) < min_characters:
        return _Verdict("under_min_characters", f"{len(text)} characters")
    return _Verdict("", "")


def _language_verdict(claim: str, verified: Verified, minimum: float | None) -> _Verdict:
    detected, score = verified.detected
    told = f"declared {claim or 'nothing'}, detected {detected} with {score}"
    if claim and np.isnan(verified.claimed_score):
        return _Verdict("", "", claim, None)
    if minimum is not None and detected == UNDETERMINED:
        return _Verdict("no_known_language", told)
    if claim and minimum is not None and score >= minimum and verified.claimed_score < score:
        return _Verdict("detected_another_language", told)
    if claim:
        return _Verdict("", "", claim, verified.claimed_score)
    if minimum is not None and score < minimum:
        return _Verdict("language_score_too_low", told)
    return _Verdict("", "", detected, score)


def _cut(
    raw: pa.Table,
    texts: Sequence[str],
    verdicts: Sequence[_Verdict],
    source: str,
    config: CorpusConfig,
) -> pa.Table:
    """Return all chunks of the documents that go on, schema DOCUMENTS."""
    passed = [row for row, verdict in enumerate(verdicts) if not verdict.reason]
    cut = [split_text(texts[row], verdicts[row].language, config) for row in passed]
    counts = np.array([len(chunks) for chunks in cut], dtype=np.int64)
    rows = np.repeat(np.array(passed, dtype=np.int64), counts)
    firsts = np.repeat(np.cumsum(counts) - counts, counts)
    indices = (np.arange(len(rows)) - firsts).astype(np.int32)
    chunks = [chunk for document in cut for chunk in document]
    parents = {row: content_id("d", texts[row]) for row in passed}
    parent_ids = pa.array([parents[row] for row in rows.tolist()], pa.string())
    naturals = _natural_texts(raw)
    columns: dict[str, Any] = {
        "doc_id": [content_id("d", chunk) for chunk in chunks],
        "text": chunks,
        "title": _normalised(raw["title"], rows),
        "language": [verdicts[row].language for row in rows.tolist()],
        "language_score": [verdicts[row].language_score for row in rows.tolist()],
        "topic": _normalised(raw["topic"], rows),
        "source": [source] * len(chunks),
        "source_key": _normalised(raw["source_key"], rows),
        "parent_id": parent_ids,
        "chunk_index": indices,
        "num_chunks": np.repeat(counts, counts).astype(np.int32),
        "entity_key": raw["entity_key"].take(pa.array(rows)),
        "group_id": parent_ids,
        "natural_texts": [
            naturals[row] if index == 0 else []
            for row, index in zip(rows.tolist(), indices.tolist(), strict=True)
        ],
    }
    return pa.table(columns, schema=DOCUMENTS)


def _normalised(column: pa.ChunkedArray, rows: np.ndarray[Any, Any]) -> pa.ChunkedArray:
    """Return the values of `column` at `rows`, normalised and on one line; each value once."""
    values = pa.array(
        [" ".join(normalise_text(v).split()) for v in column.to_pylist()], pa.string()
    )
    return values.take(pa.array(rows))


def _natural_texts(raw: pa.Table) -> list[list[dict[str, str]]]:
    return [
        [
            {"kind": entry["kind"], "text": text}
            for entry in entries or []
            if (text := normalise_text(entry["text"] or ""))
        ]
        for entries in raw["natural_texts"].to_pylist()
    ]


def _with_row_ids(raw: pa.Table, source: str) -> pa.Table:
    """Return `raw` with ids of its own: many unreadable documents have the same empty text."""
    ids = [content_id("r", source, key) for key in raw["source_key"].to_pylist()]
    return raw.append_column("row_id", pa.array(ids, pa.string()))
