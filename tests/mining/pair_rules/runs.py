"""Runs for tests of pair rules: only what matters is written, the rest is filled in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from mining.pair_rules import Originals, PairRule, Pairs, judge_pairs

_DEFAULTS: dict[str, Any] = {
    "query": "who built the bridge of Brell",
    "query_language": "eng-Latn",
    "document_language": "eng-Latn",
    "task": "llm_query",
    "generator": "m",
    "source_doc_id": "d1",
    "parent_id": "p1",
    "paraphrase_of": "",
    "source_score": 0.5,
    "angle": 0.0,
}


def pair(query_id: str, **fields: Any) -> dict[str, Any]:
    """Return an English query of a model "m" for document "d1"; its vector is at `angle`."""
    assert not set(fields) - set(_DEFAULTS) - {"try_of"}
    return {"query_id": query_id, "try_of": query_id} | _DEFAULTS | fields


def at(angle: float) -> list[float]:
    """Return the unit vector at an angle in degrees: cosines are those of the differences."""
    return [math.cos(math.radians(angle)), math.sin(math.radians(angle))]


def pairs_of(
    rows: Sequence[Mapping[str, Any]],
    originals: Originals | None = None,
    vectors: Sequence[Sequence[float]] | None = None,
) -> Pairs:
    """Return a run; its vectors are at each row's `angle`, or as given in the order of `rows`."""
    given = [at(row["angle"]) for row in rows] if vectors is None else vectors
    frame = pl.DataFrame([dict(row) for row in rows]).with_row_index("place")
    frame = frame.with_columns(
        pl.col("place").cast(pl.Int64), pl.col("source_score").cast(pl.Float64)
    )
    return Pairs(frame.sort("query_id"), np.array(given, np.float32), originals or Originals())


def verdicts_of(pairs: Pairs, *rules: PairRule) -> dict[str, tuple[str, str]]:
    """Return query_id -> (reason, detail) of what stops."""
    found = judge_pairs(pairs, rules).verdicts
    return {row["query_id"]: (row["reason"], row["detail"]) for row in found.to_pylist()}
