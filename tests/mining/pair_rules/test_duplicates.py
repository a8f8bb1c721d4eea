"""`in_document_duplicate` and `near_duplicate` against greedy brute force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mining.pair_rules import similar_vectors
from mining.pair_rules.in_document_duplicate import InDocumentDuplicate
from mining.pair_rules.near_duplicate import NearDuplicateQuery
from tests.mining.pair_rules.runs import at, pair, pairs_of, verdicts_of

Row = Mapping[str, Any]

BY_VECTOR = NearDuplicateQuery(jaccard=None, cosine=0.9)
LONG = "which long old stone bridge crosses the wide river near the market of Brell"


def _greedy(rows: list[dict[str, Any]], is_twin: Callable[[Row, Row], bool]) -> dict[str, str]:
    """Return what stops and by whom, the slow and plain way."""
    stays: list[dict[str, Any]] = []
    found = {}
    for row in sorted(rows, key=lambda r: (-r["source_score"], r["query_id"])):
        twin = next((s for s in stays if is_twin(row, s)), None)
        if twin is None:
            stays.append(row)
        else:
            found[row["query_id"]] = twin["query_id"]
    return found


def _cosine(left: Row, right: Row) -> float:
    one, other = (np.array(at(row["angle"]), np.float32).astype(float) for row in (left, right))
    return float(np.float32(one @ other))


def _is_stranger(left: Row, right: Row) -> bool:
    families = [row["paraphrase_of"] or row["query_id"] for row in (left, right)]
    return left["try_of"] != right["try_of"] and families[0] != families[1]


def test_the_query_closer_to_its_document_stays_then_the_smaller_id() -> None:
    rows = [
        pair("a", angle=0, source_score=0.4),
        pair("b", angle=10, source_score=0.6),
        pair("c", angle=90, source_score=0.5),
        pair("d", angle=90, source_score=0.5),
    ]
    assert verdicts_of(pairs_of(rows), InDocumentDuplicate()) == {
        "a": ("near_duplicate_in_document", "b"),
        "d": ("near_duplicate_in_document", "c"),
    }


def test_a_query_that_stopped_stops_no_other() -> None:
    """A chain 0, 20, 40 degrees: the middle one goes, the last is far from the first."""
    rows = [pair(f"q{i}", angle=20 * i, source_score=0.9 - i / 10) for i in range(3)]
    for rule in (InDocumentDuplicate(), BY_VECTOR):
        assert {q: d for q, (_, d) in verdicts_of(pairs_of(rows), rule).items()} == {"q1": "q0"}


def test_a_cosine_of_exactly_the_bound_is_no_twin() -> None:
    rows = pairs_of([pair("a"), pair("b")], vectors=[[1.0, 0.0], [0.5, 0.75**0.5]])
    assert verdicts_of(rows, InDocumentDuplicate(cosine=0.5)) == {}
    assert list(verdicts_of(rows, InDocumentDuplicate(cosine=0.499))) == ["b"]


def test_only_queries_of_one_document_are_compared_or_of_one_parent_if_asked() -> None:
    rows = [pair("a"), pair("b", source_doc_id="d2"), pair("c", source_doc_id="d3", parent_id="p2")]
    assert verdicts_of(pairs_of(rows), InDocumentDuplicate()) == {}
    assert list(verdicts_of(pairs_of(rows), InDocumentDuplicate(within="parent"))) == ["b"]


@pytest.mark.parametrize("rule", [InDocumentDuplicate(), NearDuplicateQuery(), BY_VECTOR])
def test_languages_are_compared_with_each_other_only_if_asked(rule: InDocumentDuplicate) -> None:
    run = pairs_of([pair("a"), pair("b", query_language="fra-Latn")])
    assert verdicts_of(run, rule) == {}
    across = rule.model_copy(update={"across_languages": True})
    assert list(verdicts_of(run, across)) == ["b"]


@pytest.mark.parametrize("rule", [InDocumentDuplicate(), NearDuplicateQuery(), BY_VECTOR])
def test_tries_at_one_query_and_paraphrases_are_not_twins(rule: InDocumentDuplicate) -> None:
    rows = [
        pair("a", try_of="r1"),
        pair("b", try_of="r1"),
        pair("c", paraphrase_of="a", query_language="fra-Latn"),
        pair("d", paraphrase_of="e", query_language="fra-Latn"),
        pair("e", paraphrase_of="", query_language="fra-Latn"),
    ]
    assert {q: d for q, (_, d) in verdicts_of(pairs_of(rows), rule).items()} == {"d": "c", "e": "c"}
    both = rule.model_copy(update={"compare_paraphrases": True})
    assert {q: d for q, (_, d) in verdicts_of(pairs_of(rows[3:]), both).items()} == {"e": "d"}
    assert verdicts_of(pairs_of(rows[3:]), rule) == {}


def test_a_detail_of_a_twin_is_the_earliest_that_stays() -> None:
    rows = [
        pair(q, angle=a, source_score=s) for q, a, s in [("x", 0, 3), ("y", 40, 2), ("z", 20, 1)]
    ]
    assert verdicts_of(pairs_of(rows), BY_VECTOR)["z"] == ("near_duplicate_query", "x")


# Few angles and words, so that twins, chains and ties are common.
ROWS = st.lists(
    st.builds(
        lambda document, language, score, angle, words, of: {
            "source_doc_id": document,
            "query_language": language,
            "source_score": score,
            "angle": angle,
            "query": " ".join(words),
            **of,
        },
        st.sampled_from(["d1", "d2"]),
        st.sampled_from(["eng-Latn", "fra-Latn"]),
        st.sampled_from([0.25, 0.5, 0.75]),
        st.integers(0, 8).map(lambda n: n * 13.0),
        st.lists(st.sampled_from(["a", "b", "c", "d", "1", "2", "?!"]), max_size=7),
        st.sampled_from([{}, {}, {"try_of": "r"}, {"paraphrase_of": "000"}]),
    ),
    min_size=1,
    max_size=14,
).map(lambda rows: [pair(f"{i:03}", **row) for i, row in enumerate(rows)])


@hypothesis_settings(max_examples=80, deadline=None)
@given(rows=ROWS, across=st.booleans())
def test_in_document_duplicates_are_those_of_brute_force(
    rows: list[dict[str, Any]], across: bool
) -> None:
    def is_twin(left: Row, right: Row) -> bool:
        return (
            left["source_doc_id"] == right["source_doc_id"]
            and (across or left["query_language"] == right["query_language"])
            and _is_stranger(left, right)
            and _cosine(left, right) > 0.9
        )

    found = verdicts_of(pairs_of(rows), InDocumentDuplicate(across_languages=across))
    assert {q: d for q, (_, d) in found.items()} == _greedy(rows, is_twin)


@pytest.mark.parametrize(("axes", "block"), [(64, 512), (1, 3)], ids=["whole", "in-blocks"])
@hypothesis_settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_near_duplicates_by_vector_are_those_of_brute_force(
    axes: int, block: int, rows: list[dict[str, Any]]
) -> None:
    def is_twin(left: Row, right: Row) -> bool:
        same = left["query_language"] == right["query_language"]
        return same and _is_stranger(left, right) and _cosine(left, right) > 0.9

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similar_vectors, "_AXES", axes)
        patch.setattr(similar_vectors, "_BLOCK_ROWS", block)
        patch.setattr(similar_vectors, "_BLOCK_COLUMNS", block - 1)
        patch.setattr(similar_vectors, "_PAIRS", block)
        found = verdicts_of(pairs_of(rows), BY_VECTOR)
    assert {q: d for q, (_, d) in found.items()} == _greedy(rows, is_twin)


def test_near_duplicates_of_many_vectors_are_those_of_brute_force() -> None:
    """Clusters in 96 dimensions: some axes say little, and what is left of a vector counts."""
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(150, 96))
    points = centres[rng.integers(0, 150, 1200)] + rng.normal(scale=0.3, size=(1200, 96))
    vectors = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    scores = rng.choice([0.2, 0.4, 0.6], 1200)
    rows = [pair(f"{i:04}", source_score=scores[i]) for i in range(1200)]
    exact = (vectors.astype(float) @ vectors.astype(float).T).astype(np.float32)

    def is_twin(left: Row, right: Row) -> bool:
        return bool(exact[int(left["query_id"]), int(right["query_id"])] > 0.92)

    run = pairs_of(rows, vectors=vectors.tolist())
    found = verdicts_of(run, NearDuplicateQuery(jaccard=None, cosine=0.92))
    assert {q: d for q, (_, d) in found.items()} == _greedy(rows, is_twin)
    assert 300 < len(found) < 1100


@pytest.mark.parametrize("unit", ["word", "character"])
@hypothesis_settings(max_examples=80, deadline=None)
@given(
    rows=ROWS,
    jaccard=st.sampled_from([0.3, 0.5, 0.6, 0.8, 0.99]),
    same_numbers=st.booleans(),
    cosine=st.sampled_from([None, 0.9]),
)
def test_near_duplicates_by_words_are_those_of_brute_force(
    unit: str, rows: list[dict[str, Any]], jaccard: float, same_numbers: bool, cosine: float | None
) -> None:
    def parts(row: Row) -> set[str]:
        text = row["query"].replace("?!", " ")
        words = text.split()
        if unit == "word" or not words:
            return set(words)
        joined = " ".join(words)
        return {joined[i : i + 2] for i in range(max(1, len(joined) - 1))}

    def is_twin(left: Row, right: Row) -> bool:
        one, other = parts(left), parts(right)
        digits = [set(row["query"]) & set("12") for row in (left, right)]
        return (
            left["query_language"] == right["query_language"]
            and _is_stranger(left, right)
            and bool(one)
            and len(one & other) > jaccard * len(one | other)
            and (not same_numbers or digits[0] == digits[1])
            and (cosine is None or _cosine(left, right) > cosine)
        )

    rule = NearDuplicateQuery.model_validate(
        {
            "jaccard": jaccard,
            "unit": unit,
            "run": 2,
            "same_numbers": same_numbers,
            "cosine": cosine,
        }
    )
    found = verdicts_of(pairs_of(rows), rule)
    assert {q: d for q, (_, d) in found.items()} == _greedy(rows, is_twin)


@pytest.mark.parametrize(
    ("other", "is_twin"),
    [
        pytest.param(LONG.upper() + "?", True, id="case-and-punctuation"),
        pytest.param(LONG.replace("old ", ""), True, id="a-word-less-of-fourteen"),
        pytest.param(LONG.replace("Brell", "Orla"), True, id="one-name-of-fourteen-words"),
        pytest.param(LONG + " in 1914", False, id="a-number-more"),
        pytest.param("which bridge crosses the river", False, id="half-of-the-words"),
    ],
)
def test_near_duplicates_of_a_long_query(other: str, is_twin: bool) -> None:
    run = pairs_of([pair("a", query=LONG), pair("b", query=other)])
    assert ("b" in verdicts_of(run, NearDuplicateQuery())) is is_twin


@pytest.mark.parametrize(
    ("one", "other", "is_twin"),
    [
        ("what is the capital of Iran", "what is the capital of Iraq", False),
        ("who ruled the town in 1914", "who ruled the town in 1915", False),
        ("谁设计了峡谷上的桥", "谁设计了峡谷上的塔", False),
        ("谁设计了峡谷上的桥", "谁设计了峡谷上的桥?", True),
        ("?!", "?!", False),
    ],
)
def test_short_queries_that_differ_in_one_word_are_different(
    one: str, other: str, is_twin: bool
) -> None:
    run = pairs_of([pair("a", query=one), pair("b", query=other)])
    assert ("b" in verdicts_of(run, NearDuplicateQuery())) is is_twin


def test_a_cosine_beside_a_jaccard_must_agree() -> None:
    other = LONG.replace("Brell", "Orla")
    run = pairs_of([pair("a", query=LONG), pair("b", query=other, angle=60)])
    assert list(verdicts_of(run, NearDuplicateQuery())) == ["b"]
    assert verdicts_of(run, NearDuplicateQuery(cosine=0.9)) == {}


def test_near_duplicate_needs_something_to_compare_by() -> None:
    with pytest.raises(ValidationError, match="`jaccard` or `cosine` must be given"):
        NearDuplicateQuery(jaccard=None)
