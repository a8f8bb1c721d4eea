"""What the stages of a run leave for publication: their shards, and the rows that survived."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from flows.judging import concat
from flows.miners import miner_scores
from flows.reviewing import reviews_of
from sdg.errors import DataError
from sdg.schemas import (
    GRADES,
    LINKS,
    MINER_SCORES,
    NEGATIVES,
    POSITIVES,
    QUERIES,
    REJECTIONS,
    REVIEWS,
)
from sdg.shards import Shard
from sdg.written_rows import grades_of


class Finished(NamedTuple):
    """The shards of every stage that publishing reads.

    Attributes:
        pieces: read.
        documents: deduplicate.
        plan: plan, and the plan of variations; tables "kept" (REQUESTS) and "rejected".
        generated: generate.
        queries: cell_yield or, if there is one, review: the rows that mining was given.
        positives: relabel.
        negatives: mine.
        rejecting: Every shard with a table "rejected", in the order of the flow.
        embedded: embed.
        proposed: propose, if there are several miners.
        prepared: What the miners made of the corpus, likewise.
        recall: What approximate indexes find, if there is one.
        judged: judge; tables "grades" and "judgments" beside those of positives and negatives.
        agreement: The second opinion, if one was asked for.
        written: Documents that an LLM wrote, their links, and what was not good enough.
        reviewed: review, if there is one; table "reviews" beside those of a stage.
    """

    pieces: Sequence[Shard]
    documents: Sequence[Shard]
    plan: Sequence[Shard]
    generated: Sequence[Shard]
    queries: Sequence[Shard]
    positives: Sequence[Shard]
    negatives: Sequence[Shard]
    rejecting: Sequence[Shard]
    embedded: Sequence[Shard]
    proposed: Sequence[Shard] = ()
    prepared: Shard | None = None
    recall: Shard | None = None
    judged: Sequence[Shard] = ()
    agreement: Shard | None = None
    written: Sequence[Shard] = ()
    reviewed: Sequence[Shard] = ()


class FinalTables(NamedTuple):
    """The rows that survived everything."""

    queries: pa.Table
    positives: pa.Table
    negatives: pa.Table
    rejections: pa.Table
    grades: pa.Table
    miners: pa.Table = MINER_SCORES.empty_table()
    reviews: pa.Table = REVIEWS.empty_table()


def final_tables(finished: Finished) -> FinalTables:
    """Return the rows that survived, and everything that stopped.

    Raises:
        DataError: If no row is left.
    """
    negatives = concat(finished.negatives, "kept", NEGATIVES)
    if not negatives.num_rows:
        raise DataError(
            "A data set must keep at least one row, but none is left instead. What stopped them: "
            f"{_attrition(finished)}. `pairmill preview` with the same configuration shows some "
            "with what was said; relax the stage that rejects most."
        )
    ids = negatives["query_id"].combine_chunks()
    queries = only(concat(finished.queries, "kept", QUERIES), ids)
    positives = only(concat(finished.positives, "positives", POSITIVES), ids)
    rejections = concat(finished.rejecting, "rejected", REJECTIONS)
    links = concat(finished.written, "links", LINKS)
    grades = grades_of(links, concat(finished.judged, "grades", GRADES), positives)
    miners = miner_scores(finished.proposed, negatives)
    reviews = reviews_of(finished.reviewed, ids)
    return FinalTables(queries, positives, negatives, rejections, grades, miners, reviews)


def only(table: pa.Table, ids: pa.Array) -> pa.Table:
    """Return the rows whose `query_id` is among `ids`."""
    return table.filter(pc.is_in(table["query_id"], value_set=ids))


def _attrition(finished: Finished) -> str:
    """Return how many rows stopped at each stage for which reason, in the order of the stages."""
    table = concat(finished.rejecting, "rejected", REJECTIONS).select(["stage", "reason"])
    counted = pl.DataFrame(table).group_by("stage", "reason", maintain_order=True).len()
    return ", ".join(f"{stage} {reason} {n:,}" for stage, reason, n in counted.iter_rows())
