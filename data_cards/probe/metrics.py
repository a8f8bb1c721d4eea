"""nDCG and recall of every query, by trec_eval's formulas.

Reference: Järvelin and Kekäläinen 2002, Cumulated gain-based evaluation of IR techniques.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from data_cards.probe.beir import EvalSet, Ints

Values = npt.NDArray[np.float64]

NDCG_DEPTH = 10
RECALL_DEPTH = 100


class QueryMetrics(NamedTuple):
    """One value of each metric for each query.

    Attributes:
        ndcg: (Q,) nDCG@10 in [0, 1].
        recall: (Q,) Recall@100 in [0, 1].
    """

    ndcg: Values
    recall: Values


def measure(ranked: Ints, evaluation: EvalSet) -> QueryMetrics:
    """Return the metrics of a ranking.

    A gain is the grade itself and is divided by log2(rank + 2), rank 0-based; the ideal ranking is
    that of all relevant documents. Recall is the share of the relevant documents in the first 100.

    Args:
        ranked: (Q, K) places of documents, the best first; -1 is padding. K >= 100, or all.
        evaluation: Judgments.
    """
    grades = _grades(ranked, evaluation)
    num_queries = len(evaluation.queries)
    relevant = np.bincount(evaluation.judged_query, minlength=num_queries)
    found = (grades[:, :RECALL_DEPTH] > 0).sum(axis=1)
    gained = _discounted(grades[:, :NDCG_DEPTH])
    return QueryMetrics(gained / _discounted(_ideal(evaluation)), found / relevant)


def _grades(ranked: Ints, evaluation: EvalSet) -> Ints:
    """Return the (Q, K) grades of ranked documents, 0 where none was given."""
    num_docs = len(evaluation.documents)
    judged = evaluation.judged_query * num_docs + evaluation.judged_doc
    order = np.argsort(judged)
    asked = np.arange(len(ranked))[:, None] * num_docs + ranked
    places = np.searchsorted(judged, asked, sorter=order)
    nearest = order[np.minimum(places, len(judged) - 1)]
    is_judged = (judged[nearest] == asked) & (ranked >= 0)
    return np.where(is_judged, evaluation.grades[nearest], 0)


def _ideal(evaluation: EvalSet) -> Ints:
    """Return each query's best grades, highest first, padded with 0 to (Q, 10)."""
    judged = pl.DataFrame({"query": evaluation.judged_query, "grade": evaluation.grades})
    best = (
        judged.sort("query", "grade", descending=[False, True])
        .with_columns(rank=pl.int_range(pl.len()).over("query"))
        .filter(pl.col("rank") < NDCG_DEPTH)
    )
    ideal = np.zeros((len(evaluation.queries), NDCG_DEPTH), np.int64)
    ideal[best["query"].to_numpy(), best["rank"].to_numpy()] = best["grade"].to_numpy()
    return ideal


def _discounted(grades: Ints) -> Values:
    discounts = 1 / np.log2(np.arange(grades.shape[1]) + 2.0)
    return grades @ discounts
