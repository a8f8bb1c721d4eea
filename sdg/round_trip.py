"""Round trip: a query must find its own source document again.

    queries + candidates ─► source among the top k? ─► best candidate of its request ─► kept
                              │ source_not_in_top_k       │ not_best_candidate
                              └───────────────────────────┴─► rejected

E5 keeps a pair if its document is among the top 2 of a million (nomic's code does the same), KaLM's
script among the top 50, Promptagator only at rank 1. The rank is over all documents, which may be
more or fewer than a million; `pool` brings it to the size of a published pool, so that bounds
compare. It also stops ambiguous natural texts: "American actress" does not bring back one article
of fifty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from sdg.errors import ContractError
from sdg.ids import seed_for
from sdg.part import Part
from sdg.schemas import CANDIDATES, QUERIES, StageResult, check_table
from sdg.verdicts import VERDICTS, apply_verdicts

STAGE = "round_trip"


class RoundTripConfig(Part):
    """How far down its own source document may be for a query.

    Attributes:
        top_k: The source must be among the top k. 2 is E5's value; 1 is Promptagator's and suits
            small generators; 50 is KaLM's relaxed one and suits a weak retriever.
        task_top_k: Task -> its own top k, instead of `top_k`.
        pool: If given, ranks are over a random sample of so many documents, the source among them,
            drawn anew for each query; 1,000,000 is E5's pool. None, or a pool as large as the
            corpus: over all documents.
        best_of: True keeps one generated query per request: the one whose source ranks highest,
            then by `prefer`, then the first. For requests whose candidates are tries at the same
            query; false for requests that ask for several different queries. Natural pairs are
            never tries and are not compared.
        prefer: Decides between equal ranks: "mean_logprob" (what the generator found likeliest) or
            "source_score" (cosine with the source; leans to copies). The other one comes next; a
            missing number comes last. With a 135M model "mean_logprob" left 33 usable queries of
            39, "source_score" 31.
    """

    top_k: int = Field(default=2, ge=1)
    task_top_k: Mapping[str, int] = Field(default_factory=dict)
    pool: int | None = Field(default=None, ge=2)
    best_of: bool = True
    prefer: Literal["mean_logprob", "source_score"] = "mean_logprob"

    @field_validator("task_top_k")
    @classmethod
    def _check_positive(cls, value: Mapping[str, int]) -> Mapping[str, int]:
        wrong = {task: k for task, k in value.items() if k < 1}
        if wrong:
            message = f"Each `task_top_k` must be at least 1, but is {wrong} instead. Raise it."
            raise ValueError(message)
        return value


class Searched(NamedTuple):
    """What the candidates were found in.

    Attributes:
        num_documents: Of the corpus.
        seed: The run's seed; decides the draw of pools.
    """

    num_documents: int
    seed: int


def check_round_trip(
    queries: pa.Table,
    candidates: pa.Table,
    config: RoundTripConfig,
    searched: Searched | None = None,
    queries_per_reply: Mapping[str, int] | None = None,
) -> StageResult:
    """Return the queries that find their source document again, at most one per request.

    Of a task whose replies hold several queries, those at one place of the replies to a request
    are tries of each other, and one of each place stays.

    Rows are joined by `query_id`, never by position. Only `docs_above` and `source_score` of the
    candidates are read.

    Args:
        queries: QUERIES, N rows, any order.
        candidates: CANDIDATES; holds every query once; more rows and any order are fine.
        config: Bounds.
        searched: Needed if `config.pool` is given.
        queries_per_reply: Column `task` -> how many queries a reply holds; others hold one.

    Returns:
        Kept and rejected rows, each in the order of `queries`; reasons `source_not_in_top_k`
        (detail: the 0-based rank and k) and `not_best_candidate` (detail: the better one's id).

    Raises:
        ContractError: If a schema differs, or a query has no row of candidates or several, or
            `searched` is missing where it is needed.
    """
    check_table(queries, QUERIES, "queries")
    check_table(candidates, CANDIDATES, "candidates")
    rows = _joined(queries, candidates)
    limits = pl.col("task").replace_strict(
        dict(config.task_top_k), default=config.top_k, return_dtype=pl.Int32
    )
    rows = rows.with_columns(limit=limits, rank=pl.col("docs_above"))
    if config.pool is not None:
        rows = rows.with_columns(rank=_pool_ranks(rows, config.pool, searched))
    # A null rank (a source without a vector) is not in the top k.
    rows = rows.with_columns(is_found=(pl.col("rank") < pl.col("limit")).fill_null(value=False))
    verdicts = [_not_found(rows.filter(~pl.col("is_found")))]
    if config.best_of:
        verdicts.append(_not_best(rows.filter("is_found"), config.prefer, queries_per_reply or {}))
    return apply_verdicts(queries, pl.concat(verdicts).to_arrow().cast(VERDICTS), STAGE)


def passing_queries(result: StageResult, queries: pa.Table) -> pa.Table:
    """Return the queries that found their source, those that lost to a better candidate included.

    Args:
        result: What `check_round_trip` returned for `queries`.
        queries: The same table.

    Returns:
        Rows in the order of `queries`; what `cell_yield.count_candidates` counts as passed.
    """
    is_lost = pc.equal(result.rejected["reason"], "source_not_in_top_k")
    lost = result.rejected.filter(is_lost)["row_id"].combine_chunks()
    return queries.filter(pc.invert(pc.is_in(queries["query_id"], value_set=lost)))


def _joined(queries: pa.Table, candidates: pa.Table) -> pl.DataFrame:
    columns = [
        "query_id", "task", "request_id", "candidate_index", "generator", "mean_logprob",
    ]  # fmt: skip
    ranks = pl.DataFrame(candidates.select(["query_id", "docs_above", "source_score"]))
    asked = ranks.filter(pl.col("query_id").is_in(pl.Series(queries["query_id"]).implode()))
    if asked["query_id"].n_unique() != queries.num_rows or len(asked) != queries.num_rows:
        raise ContractError(
            f"Each of {queries.num_rows} queries must have one row of candidates, but "
            f"{asked['query_id'].n_unique()} of them have {len(asked)} rows. "
            "Retrieve candidates for exactly the queries that are checked."
        )
    return pl.DataFrame(queries.select(columns)).join(asked, on="query_id", how="left")


def _pool_ranks(rows: pl.DataFrame, pool: int, searched: Searched | None) -> pl.Series:
    """Return the 0-based rank of each source in a random pool that holds it.

    Of the N - 1 other documents, `docs_above` score higher; how many of those are among the
    `pool - 1` drawn is hypergeometric, so a search of the whole corpus stands for one of any pool.
    """
    if searched is None:
        raise ContractError(
            "`searched` must be given where `round_trip.pool` is, but is None instead. "
            "Pass the size of the corpus that the candidates were found in."
        )
    others = searched.num_documents - 1
    if pool - 1 >= others:
        return rows["docs_above"]
    ranks = [
        None
        if above is None
        else int(
            np.random.Generator(
                np.random.PCG64(seed_for(searched.seed, "round_trip_pool", query_id))
            ).hypergeometric(above, others - above, pool - 1)
        )
        for query_id, above in rows.select("query_id", "docs_above").iter_rows()
    ]
    return pl.Series("rank", ranks, dtype=pl.Int32)


def _not_found(rows: pl.DataFrame) -> pl.DataFrame:
    rank = pl.col("rank").cast(pl.String).fill_null("none")
    return rows.select(
        "query_id",
        reason=pl.lit("source_not_in_top_k"),
        detail=pl.format("rank {}, top_k {}", rank, pl.col("limit")),
    )


def _not_best(rows: pl.DataFrame, prefer: str, per_reply: Mapping[str, int]) -> pl.DataFrame:
    numbers = ["mean_logprob", "source_score"]
    numbers.sort(key=lambda name: name != prefer)
    tries = rows.filter(pl.col("generator") != "")
    tries = tries.with_columns(pl.col(numbers).fill_nan(None)).sort(
        "request_id", "docs_above", *numbers, "candidate_index", "query_id",
        descending=[False, False, True, True, False, False], nulls_last=True,
    )  # fmt: skip
    held = pl.col("task").replace_strict(dict(per_reply), default=1, return_dtype=pl.Int32)
    place = pl.col("candidate_index") % held
    tries = tries.with_columns(best=pl.col("query_id").first().over("request_id", place))
    return tries.filter(pl.col("query_id") != pl.col("best")).select(
        "query_id", reason=pl.lit("not_best_candidate"), detail=pl.col("best")
    )
