"""The rows that the report page lets people browse: a sample, worst first, as compact JSON."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from data_cards.audit.audited_set import POSITIVE, AuditedSet
from data_cards.escape import printable
from sdg.ids import seed_for

MAX_ROWS = 2_000  # a page of about 4 MB, which a phone opens in a second or two; own
MAX_CHARACTERS = 600  # of a text
MAX_DOCUMENTS = 24  # of a row


class Browsable(NamedTuple):
    """What the page's script reads.

    Attributes:
        payload: JSON: texts once each, rows that point to them, names of reasons.
        shown: Rows in it.
        total: Rows of the data set.
        with_findings: Rows of the data set that a metric objects to, as far as findings are listed.
    """

    payload: dict[str, Any]
    shown: int
    total: int
    with_findings: int


def browsable_rows(data: AuditedSet, findings: pl.DataFrame, seed: int) -> Browsable:
    """Return up to MAX_ROWS rows: those with most objections first, then a random sample.

    Args:
        data: The audited data set.
        findings: Schema FINDINGS; a finding on a document alone counts for the first row with it.
        seed: Of the sample.
    """
    reasons = _reasons_of_rows(data, findings)
    per_row = reasons.group_by("row").agg(pl.col("reason").n_unique(), pl.col("place").min())
    worst = per_row.sort("reason", "place", "row", descending=[True, False, False])
    half = MAX_ROWS if data.rows.height <= MAX_ROWS else MAX_ROWS * 3 // 4
    chosen = worst["row"].head(half).to_list()
    rest = np.setdiff1d(np.arange(data.rows.height), chosen)
    size = min(MAX_ROWS - len(chosen), len(rest))
    generator = np.random.Generator(np.random.PCG64(seed_for(seed, "report")))
    drawn = np.sort(generator.choice(rest, size=size, replace=False)) if size else rest[:0]
    order = [*chosen, *drawn.tolist()]
    payload = _payload(data, order, reasons)
    return Browsable(payload, len(order), data.rows.height, per_row.height)


def _reasons_of_rows(data: AuditedSet, findings: pl.DataFrame) -> pl.DataFrame:
    """Return (row, document, reason, place): place is that of the finding in its own reason."""
    named = findings.with_columns(
        reason=pl.col("metric") + "." + pl.col("reason"),
        place=pl.int_range(pl.len()).over("metric", "reason"),
    ).select("row", "document", "reason", "place")
    of_rows = named.filter(pl.col("row") >= 0)
    first = data.links.group_by("document").agg(pl.col("row").min())
    alone = named.filter((pl.col("row") < 0) & (pl.col("document") >= 0)).drop("row")
    of_documents = alone.join(first, on="document", how="inner").select(of_rows.columns)
    return pl.concat([of_rows, of_documents])


def _payload(data: AuditedSet, order: list[int], reasons: pl.DataFrame) -> dict[str, Any]:
    names = sorted(set(reasons["reason"].to_list()))
    place_of = {name: place for place, name in enumerate(names)}
    rows = data.rows.with_row_index("row").with_columns(pl.col("row").cast(pl.Int32))
    wanted = pl.DataFrame({"row": pl.Series(order, dtype=pl.Int32)})
    rows = wanted.join(rows, on="row", how="left", maintain_order="left")
    links = wanted.join(data.links, on="row", how="inner", maintain_order="left_right")
    links = links.join(
        data.documents.with_row_index("document")
        .with_columns(pl.col("document").cast(pl.Int32))
        .select("document", "doc_id", "text", "language"),
        on="document",
        how="left",
        maintain_order="left",
    )
    texts = pl.concat([rows["query"], links["text"]]).unique(maintain_order=True)
    where = {place: at for at, place in enumerate(texts.to_list())}
    objections = _by_row(reasons, set(order), place_of)
    documents: dict[int, list[list[Any]]] = {}
    for link in links.iter_rows(named=True):
        own = objections.get(link["row"], {}).get(link["document"], [])
        documents.setdefault(link["row"], []).append(_document(link, where, own))
    return {
        "texts": [_shortened(text) for text in data.texts.take(texts.to_numpy()).to_pylist()],
        "reasons": names,
        "rows": [
            _row(row, where, documents.get(row["row"], []), objections.get(row["row"], {}))
            for row in rows.iter_rows(named=True)
        ],
    }


def _by_row(
    reasons: pl.DataFrame, rows: set[int], place_of: dict[str, int]
) -> dict[int, dict[int, list[int]]]:
    """Return row -> document (-1: the row itself) -> places of reasons."""
    found: dict[int, dict[int, list[int]]] = {}
    for row, document, reason, _ in reasons.filter(pl.col("row").is_in(list(rows))).iter_rows():
        own = found.setdefault(row, {}).setdefault(document, [])
        if place_of[reason] not in own:
            own.append(place_of[reason])
    return found


def _row(
    row: dict[str, Any],
    where: dict[int, int],
    documents: list[list[Any]],
    objections: dict[int, list[int]],
) -> dict[str, Any]:
    every = sorted({reason for own in objections.values() for reason in own})
    return {
        "id": printable(row["query_id"]),
        "q": where[row["query"]],
        "lang": printable(row["query_language"]),
        "task": printable(row["task"]),
        "split": printable(row["split"]),
        "gen": printable(row["generator"]),
        "ins": _shortened(row["instruction"]),
        "group": printable(row["group_id"]),
        "was": printable(row["original_positive"]),
        "why": every,
        "docs": documents[:MAX_DOCUMENTS],
        "more": max(0, len(documents) - MAX_DOCUMENTS),
    }


def _document(link: dict[str, Any], where: dict[int, int], own: list[int]) -> list[Any]:
    """Return [is positive, text, doc_id, language, score, rank, source, grade, reasons]."""
    score = link["score"]
    return [
        int(link["role"] == POSITIVE),
        where[link["text"]],
        printable(link["doc_id"]),
        printable(link["language"]),
        None if score is None or not np.isfinite(score) else round(float(score), 4),
        link["rank"],
        printable(link["source"] or ""),
        link["grade"],
        own,
    ]


def _shortened(text: str) -> str:
    """Return at most MAX_CHARACTERS of `text`, saying how much was left out, on one line."""
    cut = printable(text[:MAX_CHARACTERS])
    left = len(text) - MAX_CHARACTERS
    return cut if left <= 0 else f"{cut} … ({left:,} more characters)"
