from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_cards.probe.metrics import measure
from data_cards.probe.ranking import best, rank
from tests.data_cards.probe.made import evaluation

_NUM_DOCS = 130


def _naive(ranked: list[int], grades: dict[int, int]) -> tuple[float, float]:
    gains = [grades.get(doc, 0) for doc in ranked[:10]]
    ideal = sorted(grades.values(), reverse=True)[:10]
    dcg, top = (
        sum(gain / math.log2(place + 2) for place, gain in enumerate(own)) for own in (gains, ideal)
    )
    return dcg / top, sum(doc in grades for doc in ranked[:100]) / len(grades)


@given(
    st.lists(
        st.dictionaries(st.integers(0, _NUM_DOCS - 1), st.integers(1, 3), min_size=1, max_size=30),
        min_size=1,
        max_size=5,
    ),
    st.integers(0, 2**32),
)
def test_metrics_are_those_of_the_formulas(grades: list[dict[int, int]], seed: int) -> None:
    judgments = [(q, d, grade) for q, own in enumerate(grades) for d, grade in own.items()]
    made = evaluation(["q"] * len(grades), ["d"] * _NUM_DOCS, judgments)
    draws = np.random.default_rng(seed)
    scores = draws.integers(0, 20, (len(grades), _NUM_DOCS)).astype(np.float32)
    ranked = best(scores, 100, np.full(len(grades), -1))
    found = measure(ranked, made)
    for place, own in enumerate(grades):
        order = sorted(range(_NUM_DOCS), key=lambda doc: (-scores[place, doc], doc))
        ndcg, recall = _naive(order, own)
        assert found.ndcg[place] == pytest.approx(ndcg)
        assert found.recall[place] == pytest.approx(recall)


def test_equal_scores_are_ordered_by_place_and_oneself_is_left_out() -> None:
    scores = np.array([[1, 3, 3, 2, 3]], np.float32)
    assert best(scores, 2, np.array([-1])).tolist() == [[1, 2]]
    assert best(scores, 9, np.array([1])).tolist() == [[2, 4, 3, 0, -1]]


def test_a_document_with_the_querys_own_id_is_not_found() -> None:
    made = evaluation(["q"], ["a", "b"], [(0, 1, 1)], query_ids=["d000"])
    vectors = np.array([[1.0, 0.0], [0.5, 0.5]], np.float32)
    ranked = rank(vectors[:1], vectors, made, 100)
    assert ranked.tolist() == [[1, -1]]
    assert measure(ranked, made).ndcg.tolist() == [1.0]


@pytest.mark.slow
def test_metrics_are_those_of_sentence_transformers() -> None:
    """Its gains are binary, and of equal scores it keeps any: neither occurs here."""
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    draws = np.random.default_rng(3)
    scores = draws.permutation(40 * _NUM_DOCS).reshape(40, _NUM_DOCS).astype(np.float32)
    relevant = [draws.choice(_NUM_DOCS, draws.integers(1, 15), replace=False) for _ in range(40)]
    judgments = [(q, int(d), 1) for q, own in enumerate(relevant) for d in own]
    made = evaluation(["q"] * 40, ["d"] * _NUM_DOCS, judgments)
    evaluator = InformationRetrievalEvaluator(
        dict.fromkeys(made.query_ids, "q"),
        dict.fromkeys(made.doc_ids, "d"),
        {made.query_ids[q]: {made.doc_ids[d] for d in own} for q, own in enumerate(relevant)},
        ndcg_at_k=[10],
        precision_recall_at_k=[100],
    )
    results: list[Any] = [
        [{"corpus_id": made.doc_ids[d], "score": float(s)} for d, s in enumerate(own)]
        for own in scores
    ]
    wanted = evaluator.compute_metrics(results)
    found = measure(best(scores, 100, np.full(40, -1)), made)
    assert found.ndcg.mean() == pytest.approx(wanted["ndcg@k"][10])
    assert found.recall.mean() == pytest.approx(wanted["recall@k"][100])
