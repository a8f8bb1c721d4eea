from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sdg.errors import ContractError
from sdg.round_trip import RoundTripConfig, Searched, check_round_trip, passing_queries
from sdg.schemas import CANDIDATES, QUERIES, empty
from tests.sdg.rows import candidates_of, candidates_row, queries_of, query_row, reasons


def _tries(*ranks: int | None, **fields: Any) -> tuple[pa.Table, pa.Table]:
    """Return one query per rank, q0, q1, …, each of its own request."""
    queries = [query_row(f"q{i}", request_id=f"r{i}", **fields) for i in range(len(ranks))]
    rows = [candidates_row(f"q{i}", docs_above=rank) for i, rank in enumerate(ranks)]
    return queries_of(*queries), candidates_of(*rows)


@pytest.mark.parametrize(
    ("top_k", "kept"), [(1, ["q0"]), (2, ["q0", "q1"]), (3, ["q0", "q1", "q2"])]
)
def test_the_source_must_be_among_the_top_k(top_k: int, kept: list[str]) -> None:
    queries, candidates = _tries(0, 1, 2, 3, None)
    result = check_round_trip(queries, candidates, RoundTripConfig(top_k=top_k))
    assert result.kept["query_id"].to_pylist() == kept
    assert set(result.rejected["reason"].to_pylist()) == {"source_not_in_top_k"}
    assert result.rejected["detail"].to_pylist()[-2:] == [
        f"rank 3, top_k {top_k}",
        f"rank none, top_k {top_k}",
    ]


def test_a_task_can_have_its_own_top_k() -> None:
    queries, candidates = _tries(5, 5)
    queries = queries.set_column(4, "task", pa.array(["natural", "llm_query"]))
    config = RoundTripConfig(top_k=2, task_top_k={"natural": 6})
    assert check_round_trip(queries, candidates, config).kept["query_id"].to_pylist() == ["q0"]


def test_rows_are_joined_by_id_and_never_by_position() -> None:
    queries, candidates = _tries(0, 9, 0)
    extra = candidates_of(candidates_row("q99", docs_above=0))
    shuffled = pa.concat_tables([extra, candidates]).take(pa.array([2, 0, 3, 1]))
    result = check_round_trip(queries, shuffled, RoundTripConfig())
    assert reasons(result) == {"q1": "source_not_in_top_k"}


@pytest.mark.parametrize(
    ("tries", "best"),
    [
        pytest.param([(1, 0.9, 0), (0, 0.1, 1)], "q1", id="rank before score"),
        pytest.param([(0, 0.1, 0), (0, 0.9, 1)], "q1", id="score before index"),
        pytest.param([(0, 0.5, 1), (0, 0.5, 0)], "q1", id="the first of equals"),
        pytest.param([(0, float("nan"), 0), (0, 0.1, 1)], "q1", id="no score comes last"),
        pytest.param([(7, 0.9, 0), (1, 0.1, 1)], "q1", id="what fails does not compete"),
    ],
)
def test_the_best_candidate_of_a_request_is_kept(
    tries: list[tuple[int, float, int]], best: str
) -> None:
    queries = queries_of(
        *(query_row(f"q{i}", candidate_index=index) for i, (_, _, index) in enumerate(tries))
    )
    candidates = candidates_of(
        *(
            candidates_row(f"q{i}", docs_above=rank, source_score=score)
            for i, (rank, score, _) in enumerate(tries)
        )
    )
    result = check_round_trip(queries, candidates, RoundTripConfig(prefer="source_score"))
    assert result.kept["query_id"].to_pylist() == [best]


def test_the_generators_own_likelihood_can_decide_between_equal_ranks() -> None:
    queries = queries_of(
        query_row("q0", mean_logprob=None),
        query_row("q1", mean_logprob=-0.5),
        query_row("q2", mean_logprob=-0.1),
    )
    candidates = candidates_of(
        *(candidates_row(f"q{i}", source_score=1 - 0.1 * i) for i in range(3))
    )
    by_score = check_round_trip(queries, candidates, RoundTripConfig(prefer="source_score"))
    by_likelihood = check_round_trip(queries, candidates, RoundTripConfig(prefer="mean_logprob"))
    without = queries.set_column(17, QUERIES.field(17), pa.nulls(3, pa.float32()))
    assert (
        check_round_trip(without, candidates, RoundTripConfig()).kept["query_id"][0].as_py() == "q0"
    )
    assert by_score.kept["query_id"].to_pylist() == ["q0"]
    assert by_likelihood.kept["query_id"].to_pylist() == ["q2"]
    assert by_likelihood.rejected["detail"].to_pylist() == ["q2", "q2"]


def test_natural_pairs_and_switched_off_choice_keep_every_candidate() -> None:
    candidates = candidates_of(candidates_row("q0"), candidates_row("q1"))
    natural = queries_of(*(query_row(f"q{i}", generator="") for i in range(2)))
    written = queries_of(*(query_row(f"q{i}") for i in range(2)))
    assert check_round_trip(natural, candidates, RoundTripConfig()).kept.num_rows == 2
    assert check_round_trip(written, candidates, RoundTripConfig()).kept.num_rows == 1
    assert check_round_trip(written, candidates, RoundTripConfig(best_of=False)).kept.num_rows == 2


def test_passing_queries_hold_those_that_lost_to_a_better_one() -> None:
    queries = queries_of(*(query_row(f"q{i}") for i in range(3)))
    candidates = candidates_of(
        *(candidates_row(f"q{i}", docs_above=9 * (i == 2)) for i in range(3))
    )
    result = check_round_trip(queries, candidates, RoundTripConfig())
    assert result.kept["query_id"].to_pylist() == ["q0"]
    assert passing_queries(result, queries)["query_id"].to_pylist() == ["q0", "q1"]


@pytest.mark.parametrize("rows", [[], ["q0", "q0"]])
def test_missing_or_repeated_candidates_are_refused(rows: list[str]) -> None:
    candidates = candidates_of(*(candidates_row(query_id) for query_id in rows))
    with pytest.raises(ContractError, match="one row of candidates"):
        check_round_trip(queries_of(query_row("q0")), candidates, RoundTripConfig())


def test_no_queries_give_an_empty_result() -> None:
    result = check_round_trip(empty(QUERIES), empty(CANDIDATES), RoundTripConfig())
    assert (result.kept.num_rows, result.rejected.num_rows) == (0, 0)


def test_a_top_k_below_one_is_refused() -> None:
    with pytest.raises(ValidationError, match="must be at least 1"):
        RoundTripConfig(task_top_k={"natural": 0})


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=12),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_each_request_keeps_its_best_rank_whatever_the_order(
    tries: list[tuple[int, int]], top_k: int, random: Any
) -> None:
    order = list(range(len(tries)))
    random.shuffle(order)
    queries = queries_of(*(query_row(f"q{i:02}", request_id=f"r{tries[i][1]}") for i in order))
    candidates = candidates_of(
        *(candidates_row(f"q{i:02}", docs_above=rank) for i, (rank, _) in enumerate(tries))
    )
    result = check_round_trip(queries, candidates, RoundTripConfig(top_k=top_k))
    expected: dict[int, tuple[int, int]] = {}
    for i, (rank, request) in enumerate(tries):
        if rank < top_k:
            expected[request] = min(expected.get(request, (rank, i)), (rank, i))
    assert sorted(result.kept["query_id"].to_pylist()) == sorted(
        f"q{i:02}" for _, i in expected.values()
    )


def test_a_pool_ranks_the_source_as_a_search_of_so_many_documents_would() -> None:
    """1,000 above of 100,000: in a pool of 101 one is expected above, and k = 2 keeps 74 %."""
    names = [f"q{i}" for i in range(2000)]
    queries = queries_of(*(query_row(name, request_id=name) for name in names))
    candidates = candidates_of(*(candidates_row(name, docs_above=1000) for name in names))
    searched = Searched(100_000, 3)
    all_of_them = check_round_trip(queries, candidates, RoundTripConfig(), searched)
    assert all_of_them.kept.num_rows == 0
    config = RoundTripConfig(pool=101)
    found = check_round_trip(queries, candidates, config, searched)
    assert found.kept.num_rows / 2000 == pytest.approx(0.7358, abs=0.03)
    assert check_round_trip(queries, candidates, config, searched) == found
    part = check_round_trip(queries.slice(500, 100), candidates, config, searched)
    whole = set(found.kept["query_id"].to_pylist())
    assert set(part.kept["query_id"].to_pylist()) == whole & set(names[500:600])


def test_a_pool_as_large_as_the_corpus_changes_nothing_and_needs_its_size() -> None:
    queries = queries_of(*(query_row(f"q{i}", request_id=f"r{i}") for i in range(4)))
    candidates = candidates_of(*(candidates_row(f"q{i}", docs_above=i) for i in range(4)))
    config = RoundTripConfig(pool=50)
    found = check_round_trip(queries, candidates, config, Searched(50, 3))
    assert found.kept["query_id"].to_pylist() == ["q0", "q1"]
    with pytest.raises(ContractError, match="searched"):
        check_round_trip(queries, candidates, config)


def test_of_replies_with_several_queries_one_stays_for_each_place() -> None:
    """Replies (q0, q1) and (q2, q3): places 0 and 1."""
    ranks = [1, 0, 0, 1]
    rows = [
        query_row(f"q{i}", request_id="r", candidate_index=i, generator="m", task="seven")
        for i in range(4)
    ]
    found = [candidates_row(f"q{i}", docs_above=rank) for i, rank in enumerate(ranks)]
    kept = check_round_trip(
        queries_of(*rows), candidates_of(*found), RoundTripConfig(top_k=9), None, {"seven": 2}
    ).kept
    assert kept["query_id"].to_pylist() == ["q1", "q2"]
