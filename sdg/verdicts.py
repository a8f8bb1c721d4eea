"""Verdicts of rules that see a whole run, and how a stage carries them out."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from sdg.schemas import StageResult, check_table, reject_rows

VERDICTS = pa.schema([("query_id", pa.string()), ("reason", pa.string()), ("detail", pa.string())])


def apply_verdicts(queries: pa.Table, verdicts: pa.Table, stage: str) -> StageResult:
    """Return the queries without a verdict as kept, the others as rejected.

    Args:
        queries: QUERIES, one shard of the run.
        verdicts: VERDICTS of the whole run, each query at most once; ids that are not in `queries`
            belong to other shards.
        stage: Written into each rejection.

    Returns:
        Kept and rejected rows, each in the order of `queries`.
    """
    check_table(verdicts, VERDICTS, "verdicts")
    rows = pc.index_in(queries["query_id"], value_set=verdicts["query_id"].combine_chunks())
    is_rejected = pc.is_valid(rows)
    found = verdicts.take(rows.filter(is_rejected))
    return StageResult(
        kept=queries.filter(pc.invert(is_rejected)),
        rejected=reject_rows(
            queries.filter(is_rejected),
            "query_id",
            stage,
            found["reason"].to_pylist(),
            found["detail"].to_pylist(),
        ),
        rows_in=queries.num_rows,
    )
