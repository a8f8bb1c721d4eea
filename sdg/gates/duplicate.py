"""One request needs each of its candidates once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sdg.gates import GATES, Evidence, Gate, Objection, Verdict
from sdg.ids import comparison_key

if TYPE_CHECKING:
    import pyarrow as pa


@GATES.register("duplicate")
class Duplicate(Gate):
    """Stop a query that another candidate of the same request equals.

    Equal means equal `comparison_key`; the smallest `query_id` stays, so the order of rows does not
    count. Equal queries of different requests may lie in different shards, and those of different
    documents are another matter (they are ambiguous): `sdg.duplicate_queries` finds both over the
    whole run.
    """

    def judge(self, queries: pa.Table, evidence: Evidence) -> Verdict:  # noqa: ARG002
        """Return which queries repeat an earlier one; the detail is the id of that one."""
        keys = [comparison_key(query) for query in queries["query"].to_pylist()]
        frame = pl.DataFrame(
            {
                "key": keys,
                "query_id": queries["query_id"].to_pylist(),
                "request_id": queries["request_id"].to_pylist(),
            }
        ).with_columns(first=pl.col("query_id").min().over("request_id", "key"))
        is_repeated = (frame["query_id"] != frame["first"]).to_numpy().astype(np.bool_)
        return Verdict.of(
            Objection(is_repeated, "duplicate_of_candidate", frame["first"].to_list())
        )
