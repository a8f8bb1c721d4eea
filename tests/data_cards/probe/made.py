"""An evaluation set and a train split small enough to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from data_cards.probe.beir import EvalSet
from data_cards.probe.rows import TrainRows

_ROWS: dict[str, Any] = {
    "query_id": pl.String,
    "query": pl.String,
    "positive_ids": pl.List(pl.String),
    "negative_ids": pl.List(pl.String),
    "group_id": pl.String,
}
_DOCUMENTS: dict[str, Any] = {"doc_id": pl.String, "text": pl.String, "group_id": pl.String}


def evaluation(
    queries: Sequence[str],
    documents: Sequence[str],
    judgments: Sequence[tuple[int, int, int]],
    **changes: Any,
) -> EvalSet:
    """Return an evaluation set; judgments are (query, document, grade) by place."""
    judged = np.array(judgments, np.int64).reshape(-1, 3)
    made = EvalSet(
        "made",
        [f"q{number:03d}" for number in range(len(queries))],
        list(queries),
        [f"d{number:03d}" for number in range(len(documents))],
        list(documents),
        [""] * len(documents),
        judged[:, 0],
        judged[:, 1],
        judged[:, 2],
        0,
    )
    return made._replace(**changes)


def train(
    rows: Sequence[tuple[str, list[str], list[str], str]], corpus: dict[str, tuple[str, str]]
) -> TrainRows:
    """Return a train split; rows are (query, positives, negatives, group), documents (text, g)."""
    listed = [(f"r{number}", *row) for number, row in enumerate(rows)]
    documents = [(doc_id, text, group) for doc_id, (text, group) in sorted(corpus.items())]
    return TrainRows(
        pl.DataFrame(listed, schema=_ROWS, orient="row"),
        pl.DataFrame(documents, schema=_DOCUMENTS, orient="row"),
    )
