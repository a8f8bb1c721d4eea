"""A query must not run in a circle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from pydantic import Field

from sdg.gates import GATES, Evidence, Gate, Objection, Verdict
from sdg.words import explode_words, split_words

if TYPE_CHECKING:
    import pyarrow as pa


@GATES.register("repetition")
class Repetition(Gate):
    """Stop queries in which the same run of words comes back.

    Small models fall into loops ("the first of the first of the first"). Quality filters for web
    text count repeated n-grams for the same reason (Gopher rules); a query is short enough that
    coming back once decides. Runs of two words come back in good queries, too ("of the").

    Attributes:
        run_words: Length of the run in words; own.
        max_occurrences: How often the run may occur; own.
    """

    run_words: int = Field(default=3, ge=1)
    max_occurrences: int = Field(default=1, ge=1)
    generated_only: bool = True

    def judge(self, queries: pa.Table, evidence: Evidence) -> Verdict:  # noqa: ARG002
        """Return which queries repeat a run; the detail is how often it occurs."""
        words = explode_words(split_words(queries["query"]))
        runs = words.with_columns(
            pl.col("word").shift(-i).over("row").alias(f"word_{i}")
            for i in range(1, self.run_words)
        ).drop_nulls()
        keys = ["row", "word", *(f"word_{i}" for i in range(1, self.run_words))]
        most = runs.group_by(keys).len().group_by("row").agg(pl.col("len").max())
        occurrences = np.zeros(queries.num_rows, dtype=np.int64)
        occurrences[most["row"].to_numpy()] = most["len"].to_numpy()
        return Verdict.of(
            Objection(occurrences > self.max_occurrences, "repeats_itself", occurrences)
        )
