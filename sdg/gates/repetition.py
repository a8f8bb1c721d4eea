"""A query must not run in a circle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from pydantic import Field

from sdg.gates import GATES, Evidence, Gate, Objection, Verdict
from sdg.words import are_spaceless, explode_words, split_words

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
        run_characters: The same for scripts without spaces between words, where three characters
            come back in good queries, too ("したときにしたこと"); own.
        max_occurrences: How often the run may occur; own.
    """

    run_words: int = Field(default=3, ge=1)
    run_characters: int = Field(default=6, ge=1)
    max_occurrences: int = Field(default=1, ge=1)
    generated_only: bool = True

    def judge(self, queries: pa.Table, evidence: Evidence) -> Verdict:  # noqa: ARG002
        """Return which queries repeat a run; the detail is how often it occurs."""
        words = explode_words(split_words(queries["query"]))
        is_spaceless = are_spaceless(queries["query_language"])
        is_spaceless_word = is_spaceless[words["row"].to_numpy()]
        occurrences = np.zeros(queries.num_rows, dtype=np.int64)
        for own, length in (
            (words.filter(~is_spaceless_word), self.run_words),
            (words.filter(is_spaceless_word), self.run_characters),
        ):
            most = _most_frequent_runs(own, length)
            occurrences[most["row"].to_numpy()] = most["len"].to_numpy()
        return Verdict.of(
            Objection(occurrences > self.max_occurrences, "repeats_itself", occurrences)
        )


def _most_frequent_runs(words: pl.DataFrame, length: int) -> pl.DataFrame:
    """Return `row` and `len`: how often the most frequent run of so many words occurs in it."""
    runs = words.with_columns(
        pl.col("word").shift(-i).over("row").alias(f"word_{i}") for i in range(1, length)
    ).drop_nulls()
    keys = ["row", "word", *(f"word_{i}" for i in range(1, length))]
    return runs.group_by(keys).len().group_by("row").agg(pl.col("len").max())
