"""The relabelling stage: scores candidates, fuses the rankings, chooses each query's positive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from sdg.errors import ContractError
from sdg.ids import content_id, normalise_text
from sdg.llm import Score, ScoreRequest
from sdg.relabel import Pair, Scorer
from sdg.relabel.config import RelabelConfig
from sdg.relabel.fusion import fuse_ranks, ranks_of
from sdg.schemas import CANDIDATES, DOCUMENTS, JUDGMENTS, POSITIVES, QUERIES, check_table

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Ask", "RelabelConfig", "Relabelled", "documents_to_judge", "relabel"]

Ask = Callable[[Sequence[ScoreRequest]], list[Score]]


class Relabelled(NamedTuple):
    """What relabelling gives.

    Attributes:
        positives: POSITIVES, one row per query, in the order of the queries.
        judgments: JUDGMENTS, by query_id, then fused_rank.
        extra: Whole numbers for the counts: queries_judged, positives_changed, pairs_scored (pairs
            of query and document), scores_failed (pair and scorer), queries_with_unscored_source,
            documents_truncated (distinct documents cut for scoring).
    """

    positives: pa.Table
    judgments: pa.Table
    extra: Mapping[str, int]


def documents_to_judge(queries: pa.Table, candidates: pa.Table, config: RelabelConfig) -> pa.Array:
    """Return the ids of the documents that `relabel` needs, so that no others are loaded.

    Returns:
        Distinct ids, ascending.
    """
    pairs = _all_pairs(_asked(queries, config), candidates, config.search_depth)
    return pairs["doc_id"].unique().sort().to_arrow().cast(pa.string())


def relabel(
    queries: pa.Table, candidates: pa.Table, documents: pa.Table, config: RelabelConfig, score: Ask
) -> Relabelled:
    """Return every query's positive: the source document, or the candidate that judges prefer.

    The source document is always judged beside the candidates, and wins ties. The positive changes
    only if every scorer could score the source and every scorer with a `min_gain` agrees; so a
    failing server changes nothing. Queries without any other candidate are not asked about; a
    document whose text is the query itself is none.

    Args:
        queries: QUERIES, N rows.
        candidates: CANDIDATES, joined by `query_id`; more rows are fine.
        documents: DOCUMENTS; holds at least those that `documents_to_judge` names.
        config: What to do.
        score: Answers each request once, in any order; failures are answers, too.

    Returns:
        See Relabelled. Every query has exactly one positive.

    Raises:
        ContractError: If a schema differs, a document or a query's candidates are missing, or an
            answer is missing.
    """
    check_table(queries, QUERIES, "queries")
    check_table(candidates, CANDIDATES, "candidates")
    check_table(documents, DOCUMENTS, "documents")
    pairs = _judged_pairs(queries, candidates, documents, config)
    scorers = config.scorers if config.enabled else ()
    texts = pairs["text"].str.slice(0, config.max_document_characters)
    scores = _ask(pairs.with_columns(text=texts), scorers, score)
    judged = _fuse(pairs, scores, config)
    chosen = _choose(judged, scores, scorers)
    positives = _positives(queries, chosen)
    cut = pairs.filter(pl.col("text").str.len_chars() > config.max_document_characters)
    extra = {
        "queries_judged": pairs["query_id"].n_unique(),
        "positives_changed": sum(positives["positive_was_relabelled"].to_pylist()),
        "pairs_scored": len(pairs),
        "scores_failed": int(np.isnan(scores).sum()),
        "queries_with_unscored_source": int(
            np.isnan(scores[:, judged["is_source"].to_numpy()]).any(axis=0).sum()
        ),
        "documents_truncated": cut["doc_id"].n_unique(),
    }
    return Relabelled(positives, _judgments(judged, scores, scorers), extra)


def _judged_pairs(
    queries: pa.Table, candidates: pa.Table, documents: pa.Table, config: RelabelConfig
) -> pl.DataFrame:
    """Return the pairs to judge, the source first, then by retrieval rank, query by query."""
    pairs = _all_pairs(_asked(queries, config), candidates, config.search_depth)
    languages = pl.DataFrame(documents.select(["doc_id", "language"]))
    pairs = pairs.join(languages, on="doc_id", how="left", maintain_order="left")
    if pairs["language"].null_count():
        lost = pairs.filter(pl.col("language").is_null())["doc_id"]
        raise ContractError(
            f"Every candidate's document must be given, but {lost.n_unique()} are missing, the "
            f"first being {lost[0]!r}. Pass the documents that `documents_to_judge` names."
        )
    if config.candidate_languages == "source":
        own = pl.col("language").filter("is_source").first().over("query_id")
        pairs = pairs.filter(pl.col("language") == own)
    pairs = pairs.sort(
        "query_id", "is_source", "retrieval_rank", "doc_id",
        descending=[False, True, False, False], nulls_last=True,
    )  # fmt: skip
    pairs = pairs.group_by("query_id", maintain_order=True).head(config.num_candidates)
    pairs = pairs.filter(pl.len().over("query_id") > 1)
    texts = pl.DataFrame(documents.select(["doc_id", "text"]))
    return pairs.join(texts, on="doc_id", how="left", maintain_order="left")


def _asked(queries: pa.Table, config: RelabelConfig) -> pl.DataFrame:
    rows = pl.DataFrame(
        queries.select(["query_id", "query", "query_language", "task", "source_doc_id"])
    )
    tasks = [
        task
        for task in rows["task"].unique().to_list()
        if config.enabled and any(fnmatchcase(task, glob) for glob in config.apply_to_tasks)
    ]
    return rows.filter(pl.col("task").is_in(tasks)).drop("task")


def _all_pairs(asked: pl.DataFrame, candidates: pa.Table, depth: int) -> pl.DataFrame:
    found = pl.DataFrame(candidates.select(["query_id", "docs_above", "doc_ids", "ranks"]))
    rows = asked.join(found, on="query_id", how="left", maintain_order="left")
    if rows["doc_ids"].null_count() or len(rows) != len(asked):
        raise ContractError(
            f"Each of {len(asked)} queries must have one row of candidates, but "
            f"{rows['doc_ids'].null_count()} have none and {len(rows)} rows were found. "
            "Retrieve candidates once for every query."
        )
    # A document that is the query itself answers nothing, and every scorer likes it best.
    itself = [content_id("d", normalise_text(query)) for query in rows["query"].to_list()]
    rows = rows.with_columns(itself=pl.Series(itself, dtype=pl.String))
    kept = ["query_id", "query", "query_language"]
    sources = rows.select(
        *kept, doc_id="source_doc_id", retrieval_rank="docs_above", is_source=pl.lit(value=True)
    )
    near = (
        rows.with_columns(pl.col("doc_ids").list.head(depth), pl.col("ranks").list.head(depth))
        .explode("doc_ids", "ranks", empty_as_null=True)
        .filter(
            pl.col("doc_ids").is_not_null()
            & (pl.col("doc_ids") != pl.col("source_doc_id"))
            & (pl.col("doc_ids") != pl.col("itself"))
        )
        .select(*kept, doc_id="doc_ids", retrieval_rank="ranks", is_source=pl.lit(value=False))
    )
    return pl.concat([sources, near])


def _ask(pairs: pl.DataFrame, scorers: Sequence[Scorer], score: Ask) -> npt.NDArray[np.float64]:
    """Return (S, P) scores, NaN where an answer failed."""
    asked: list[tuple[int, int, Sequence[ScoreRequest]]] = []
    columns = ["query_id", "doc_id", "query", "query_language", "text"]
    for at, (query_id, doc_id, query, language, text) in enumerate(
        pairs.select(columns).iter_rows()
    ):
        for number, scorer in enumerate(scorers):
            pair = Pair(f"{scorer.name}/{query_id}/{doc_id}", query, language, text)
            asked.append((number, at, scorer.requests(pair)))
    requests = [request for _, _, group in asked for request in group]
    answers = {answer.key: answer for answer in score(requests)} if requests else {}
    scores = np.full((len(scorers), len(pairs)), np.nan)
    for number, at, group in asked:
        missing = [request.key for request in group if request.key not in answers]
        if missing:
            raise ContractError(
                f"Every score request must be answered, but {missing[0]!r} was not. "
                "The engine or journal loses answers."
            )
        value = scorers[number].score([answers[request.key] for request in group])
        scores[number, at] = np.nan if value is None else value
    return scores


def _fuse(
    pairs: pl.DataFrame, scores: npt.NDArray[np.float64], config: RelabelConfig
) -> pl.DataFrame:
    """Return `pairs` with `fused_score` and `fused_rank`; rows keep their order."""
    groups = pairs["query_id"].rank("dense").to_numpy().astype(np.int64)
    order = np.arange(len(pairs))  # the source first, then as retrieved
    rankings = [ranks_of(row, groups, order) for row in scores]
    if config.fuse_retrieval:
        ranks = pairs["retrieval_rank"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        rankings.append(ranks_of(-ranks, groups, order))
    stacked = np.stack(rankings) if rankings else np.empty((0, len(pairs)))
    fused = fuse_ranks(stacked, config.rrf_constant)
    fused_ranks = ranks_of(fused, groups, order).astype(np.int32)
    return pairs.with_columns(fused_score=pl.Series(fused), fused_rank=pl.Series(fused_ranks))


def _choose(
    judged: pl.DataFrame, scores: npt.NDArray[np.float64], scorers: Sequence[Scorer]
) -> pl.DataFrame:
    """Return query_id and the new positive `doc_id` of the queries whose positive changes."""
    rows = judged.select("query_id", "doc_id", "is_source", "fused_rank").with_row_index("at")
    best = rows.filter((pl.col("fused_rank") == 0) & ~pl.col("is_source"))
    changed = best.join(
        rows.filter("is_source").select("query_id", source_at="at"),
        on="query_id",
        maintain_order="left",
    )
    gains = (
        scores[:, changed["at"].to_numpy()] - scores[:, changed["source_at"].to_numpy()]
    )  # (S, C), NaN where either has no score
    least = np.array([-np.inf if s.min_gain is None else s.min_gain for s in scorers])
    agreed: npt.NDArray[np.bool_] = np.all(gains >= least[:, None], axis=0)
    return changed.filter(pl.Series(agreed)).select("query_id", "doc_id")


def _positives(queries: pa.Table, changed: pl.DataFrame) -> pa.Table:
    rows = pl.DataFrame(queries.select(["query_id", "source_doc_id"])).join(
        changed, on="query_id", how="left", maintain_order="left"
    )
    positive = pl.coalesce("doc_id", "source_doc_id")
    table = rows.select(
        "query_id",
        positive_ids=pl.concat_list(positive),
        original_positive_id="source_doc_id",
        positive_was_relabelled=pl.col("doc_id").is_not_null(),
    )
    return table.to_arrow().cast(POSITIVES)


def _judgments(
    judged: pl.DataFrame, scores: npt.NDArray[np.float64], scorers: Sequence[Scorer]
) -> pa.Table:
    if not scorers or judged.is_empty():
        return JUDGMENTS.empty_table()
    entries = [
        pl.struct(
            scorer=pl.lit(scorer.name),
            score=pl.lit(pl.Series(row, dtype=pl.Float32).fill_nan(None)),
        )
        for scorer, row in zip(scorers, scores, strict=True)
    ]
    table = judged.select(
        "query_id",
        "doc_id",
        pl.col("retrieval_rank").cast(pl.Int32),
        scorer_scores=pl.concat_list(entries),
        fused_score=pl.col("fused_score").cast(pl.Float32),
        fused_rank=pl.col("fused_rank").cast(pl.Int32),
        judge=pl.lit(None, pl.String),
        grade=pl.lit(None, pl.Int8),
        is_false_negative=pl.lit(None, pl.Boolean),
        failure=pl.lit(None, pl.String),
    )
    return table.sort("query_id", "fused_rank").to_arrow().cast(JUDGMENTS)
