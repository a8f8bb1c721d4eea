"""Our negatives are those of sentence-transformers' miner, or the test says why not.

Where the two differ on purpose, a test holds both results side by side:

- `range_min` skips survivors there; our rank window counts raw ranks.
- `range_max` is a number of documents looked at, plus the most positives that any query has; our
  search has no window, so a query that runs out there is filled here.
- `max_score` is inclusive there; our `absolute` keeps what is below the threshold, as published.
- the n-tuple format leaves a starved query out without a word; here it is rejected with a reason.
- NaN vectors become negatives there; here they are refused.

The bound is the same: relative to the lowest of the query's own positives (their variable is called
`max_positive_scores`), inclusive, subtracted so that negative similarities keep their order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.abstracts import Abstracts, embed_texts
from benchmarks.agreement import REASONS, Lists, Reason, reason_of_difference
from benchmarks.given_model import GivenModel
from mining.indexes import INDEXES
from mining.mine import MiningConfig, mine
from sdg.errors import DataError
from tests.mining import visible
from tests.mining.visible import at, document

EXACT = [name for name in INDEXES if INDEXES[name].is_exact]

pytest.importorskip("sentence_transformers")

Floats = npt.NDArray[np.float32]
UNEVEN = [[0], [1, 2, 3], [4], [5, 6]]


class Pairs(NamedTuple):
    """Queries, documents and which answer which.

    Attributes:
        queries: (Q, D) unit rows.
        documents: (N, D) unit rows.
        positives: Q lists of rows of `documents`.
    """

    queries: Floats
    documents: Floats
    positives: list[list[int]]

    def error(self) -> float:
        return 2.0 * self.queries.shape[1] * 2.0**-24


def _unit(rows: npt.NDArray[Any]) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths == 0, 1, lengths), np.float32)


def _random_pairs(seed: int, num_documents: int, counts: list[int], dimension: int = 6) -> Pairs:
    """Return queries near the first of their positives, which are all different documents."""
    random = np.random.default_rng(seed)
    documents = _unit(random.normal(size=(num_documents, dimension)))
    own = np.split(random.permutation(num_documents)[: sum(counts)], np.cumsum(counts)[:-1])
    near = np.stack([documents[rows[0]] for rows in own])
    queries = _unit(near + random.normal(scale=0.3, size=near.shape))
    return Pairs(queries, documents, [rows.tolist() for rows in own])


def _mined(pairs: Pairs, **choices: Any) -> Any:
    """Return the data set that `mine_hard_negatives` makes of the pairs."""
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    names = [f"q{i}" for i in range(len(pairs.queries))]
    texts = [f"d{i}" for i in range(len(pairs.documents))]
    model: Any = GivenModel(names, pairs.queries, texts, pairs.documents)
    return mine_hard_negatives(
        Dataset.from_list(
            [
                {"query": name, "answer": texts[row]}
                for name, rows in zip(names, pairs.positives, strict=True)
                for row in rows
            ]
        ),
        model,
        corpus=texts,
        sampling_strategy="top",
        verbose=False,
        **{"range_max": len(texts), "num_negatives": 3, **choices},
    )


def _theirs(pairs: Pairs, **choices: Any) -> list[list[int]]:
    """Return Q lists of rows: the negatives of `mine_hard_negatives`, hardest first."""
    found: dict[str, list[int]] = {f"q{i}": [] for i in range(len(pairs.queries))}
    for row in _mined(pairs, output_format="labeled-pair", **choices):
        if row["label"] == 0:
            found[row["query"]].append(int(row["answer"][1:]))
    return list(found.values())


def _ours(
    folder: Path, pairs: Pairs, *rules: dict[str, Any], index: str = "exact", **choices: Any
) -> list[list[int]]:
    """Return Q lists of rows: the negatives of `mine`, hardest first."""
    width = len(str(len(pairs.documents)))
    # Their ties fall by place in the corpus, ours by id: ids that sort like places agree on most.
    ids = [f"d{i:0{width}d}" for i in range(len(pairs.documents))]
    rows = [document(doc_id, f"text {doc_id}") for doc_id in ids]
    table: dict[str, Any] = {f"text {i}": v for i, v in zip(ids, pairs.documents, strict=True)}
    view = visible.corpus(folder, rows, table)
    names = [f"q{i}" for i in range(len(pairs.queries))]
    probes: dict[str, Any] = dict(zip(names, pairs.queries, strict=True))
    result = mine(
        visible.queries(probes, [ids[own[0]] for own in pairs.positives]),
        visible.positives(
            {name: [ids[row] for row in own]
             for name, own in zip(names, pairs.positives, strict=True)}
        ),
        view,
        INDEXES.build({"index": index}),
        MiningConfig(
            **{
                "num_negatives": 3,
                "rules": [{"rule": "known_positive"}, *rules],
                "on_shortfall": "keep",
                **choices,
            }
        ),
        seed=1,
    )  # fmt: skip
    found: dict[str, list[int]] = {name: [] for name in names}
    for row in result.kept.to_pylist():
        found[row["query_id"]] = [int(doc_id[1:]) for doc_id in row["negative_ids"]]
    return list(found.values())


def _reasons(
    pairs: Pairs, theirs: list[list[int]], ours: list[list[int]], bounds: npt.NDArray[np.float64]
) -> list[str]:
    """Return why the lists of each query differ, for tests with random vectors."""
    scores = pairs.queries.astype(np.float64) @ pairs.documents.astype(np.float64).T
    return [
        reason_of_difference(Lists(one, other, own, bound), pairs.error())
        for one, other, own, bound in zip(theirs, ours, scores, bounds, strict=True)
    ]


def _anchors(pairs: Pairs) -> npt.NDArray[np.float64]:
    scores = pairs.queries.astype(np.float64) @ pairs.documents.astype(np.float64).T
    return np.array([row[own].min() for row, own in zip(scores, pairs.positives, strict=True)])


@pytest.mark.parametrize("use_faiss", [False, True], ids=["torch", "faiss"])
@pytest.mark.parametrize(
    ("their_choice", "our_rules"),
    [
        pytest.param({}, [], id="no bound"),
        pytest.param({"relative_margin": 0.05}, [{"rule": "percent"}], id="relative margin"),
        pytest.param(
            {"absolute_margin": 0.1}, [{"rule": "margin", "margin": 0.1}], id="absolute margin"
        ),
        pytest.param(
            {"max_score": 0.4}, [{"rule": "absolute", "threshold": 0.4}], id="highest score"
        ),
        pytest.param({"min_score": 0.2}, [{"rule": "floor", "threshold": 0.2}], id="lowest score"),
        pytest.param(
            {"relative_margin": 0.1, "absolute_margin": 0.05, "max_score": 0.5, "min_score": 0.0},
            [
                {"rule": "percent", "fraction": 0.9},
                {"rule": "margin", "margin": 0.05},
                {"rule": "absolute", "threshold": 0.5},
                {"rule": "floor", "threshold": 0.0},
            ],
            id="all bounds at once",
        ),
    ],
)
def test_every_bound_gives_the_same_negatives_for_uneven_counts_of_positives(
    tmp_path: Path,
    use_faiss: bool,
    their_choice: dict[str, Any],
    our_rules: list[dict[str, Any]],
) -> None:
    """In 2025 their flat list of positives was cut wrongly as soon as counts were uneven."""
    pairs = _random_pairs(seed=3, num_documents=60, counts=[1, 3, 1, 2] * 3)
    theirs = _theirs(pairs, use_faiss=use_faiss, **their_choice)
    ours = _ours(tmp_path, pairs, *our_rules)
    assert ours == theirs
    assert sum(map(len, ours)) > 12


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(8, 80),
    use_faiss=st.booleans(),
    index=st.sampled_from(EXACT),
    margin=st.sampled_from([0.0, 0.05, 0.3]),
)
def test_relative_margins_give_the_same_negatives_for_random_vectors_with_duplicates(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    size: int,
    use_faiss: bool,
    index: str,
    margin: float,
) -> None:
    pairs = _random_pairs(seed, size, [1, 3, 1, 2])
    # The same vector under several texts: equal scores, so either miner may take any of them.
    pairs.documents[:: max(2, size // 4)] = pairs.documents[0]
    theirs = _theirs(pairs, use_faiss=use_faiss, relative_margin=margin)
    ours = _ours(
        tmp_path_factory.mktemp("c"),
        pairs,
        {"rule": "percent", "fraction": 1 - margin},
        index=index,
    )
    anchors = _anchors(pairs)
    reasons = _reasons(pairs, theirs, ours, anchors - np.abs(anchors) * margin)
    assert set(reasons) <= {"equal", "tie", "at_bound"}


@pytest.mark.parametrize("use_faiss", [False, True], ids=["torch", "faiss"])
@pytest.mark.parametrize("index", EXACT)
def test_a_corpus_smaller_than_what_is_asked_gives_both_what_there_is(
    tmp_path: Path, use_faiss: bool, index: str
) -> None:
    """Padding is row -1 in both of their paths, and -1 is the last document of a list."""
    pairs = Pairs(
        np.array([at(0), at(90)], np.float32),
        np.array([at(5), at(40), at(80), at(170)], np.float32),
        [[0], [2]],
    )
    theirs = _theirs(pairs, use_faiss=use_faiss, num_negatives=6, range_max=6,
                     relative_margin=0.05)  # fmt: skip
    ours = _ours(tmp_path, pairs, {"rule": "percent"}, index=index, num_negatives=6)
    # Query 1's positive scores cos 10; what is left are 50, 80 and 85 degrees away.
    assert ours == theirs == [[1, 2, 3], [1, 3, 0]]


@pytest.mark.parametrize("use_faiss", [False, True], ids=["torch", "faiss"])
def test_documents_with_one_vector_are_all_taken_and_only_their_order_is_free(
    tmp_path: Path, use_faiss: bool
) -> None:
    documents = np.array([at(5), at(40), at(40), at(40), at(70)], np.float32)
    pairs = Pairs(np.array([at(0)], np.float32), documents, [[0]])
    (theirs,) = _theirs(pairs, use_faiss=use_faiss, num_negatives=4, relative_margin=0.05)
    (ours,) = _ours(tmp_path, pairs, {"rule": "percent"}, num_negatives=4)
    assert ours == [1, 2, 3, 4]
    assert (sorted(theirs[:3]), theirs[3]) == ([1, 2, 3], 4)


@pytest.mark.parametrize("use_faiss", [False, True], ids=["torch", "faiss"])
def test_a_zero_query_scores_zero_everywhere_and_a_zero_document_is_nobodys_neighbour(
    tmp_path: Path, use_faiss: bool
) -> None:
    documents = np.array([at(0), [0, 0], at(60), at(120)], np.float32)
    pairs = Pairs(np.array([[0, 0], at(10)], np.float32), documents, [[0], [0]])
    theirs = _theirs(pairs, use_faiss=use_faiss, num_negatives=3, relative_margin=0.05)
    ours = _ours(tmp_path, pairs, {"rule": "percent"}, num_negatives=3)
    # All of the first query's scores are 0, the bound 0 - |0| * 0.05 as well: every other document.
    assert (ours[0], sorted(theirs[0])) == ([1, 2, 3], [1, 2, 3])
    # 60 degrees is 50 from the second query, nothing is 90, 120 is 110 and points away.
    assert ours[1] == theirs[1] == [2, 1, 3]


@pytest.mark.parametrize("use_faiss", [False, True], ids=["torch", "faiss"])
def test_a_negative_positive_moves_the_bound_down_in_both(tmp_path: Path, use_faiss: bool) -> None:
    """`positive * 0.95` would let documents through that are nearer than the positive."""
    documents = np.array([at(120), at(119), at(121), at(123), at(150)], np.float32)
    pairs = Pairs(np.array([at(0)], np.float32), documents, [[0]])
    theirs = _theirs(pairs, use_faiss=use_faiss, relative_margin=0.05)
    # The bound is -0.5 - 0.025 = -0.525: 121 degrees is -0.515, 123 degrees -0.545.
    assert _ours(tmp_path, pairs, {"rule": "percent"}) == theirs == [[3, 4]]


@pytest.mark.parametrize("use_faiss", [False, True], ids=["torch", "faiss"])
def test_a_score_equal_to_the_bound_is_kept_by_both(tmp_path: Path, use_faiss: bool) -> None:
    # Powers of two: 1 - 0.25 is exactly 0.75 in any arithmetic.
    documents = np.array([[1, 0], [0.75, 0], [0.8125, 0], [0.5, 0]], np.float32)
    pairs = Pairs(np.array([[1, 0]], np.float32), documents, [[0]])
    for choice, rule in [
        ({"relative_margin": 0.25}, {"rule": "percent", "fraction": 0.75}),
        ({"absolute_margin": 0.25}, {"rule": "margin", "margin": 0.25}),
        ({"min_score": 0.75, "max_score": 0.8}, {"rule": "floor", "threshold": 0.75}),
    ]:
        theirs = _theirs(pairs, use_faiss=use_faiss, num_negatives=1, **choice)
        rules = [rule, {"rule": "absolute", "threshold": 0.8}]
        assert _ours(tmp_path, pairs, *rules, num_negatives=1) == theirs == [[1]]


@pytest.mark.parametrize("use_faiss", [False, True], ids=["torch", "faiss"])
def test_a_score_equal_to_the_highest_allowed_is_kept_there_and_dropped_here(
    tmp_path: Path, use_faiss: bool
) -> None:
    """TopK-Abs keeps what is below its threshold; their `max_score` is a score that may occur."""
    documents = np.array([[1, 0], [0.75, 0], [0.5, 0]], np.float32)
    pairs = Pairs(np.array([[1, 0]], np.float32), documents, [[0]])
    theirs = _theirs(pairs, use_faiss=use_faiss, num_negatives=1, max_score=0.75)
    ours = _ours(tmp_path, pairs, {"rule": "absolute", "threshold": 0.75}, num_negatives=1)
    assert (theirs, ours) == ([[1]], [[2]])


def test_the_bound_is_relative_to_the_lowest_positive_in_both(tmp_path: Path) -> None:
    """Their variable is called `max_positive_scores` and holds the minimum."""
    documents = np.array([at(10), at(40), at(30), at(60), at(80)], np.float32)
    pairs = Pairs(np.array([at(0)], np.float32), documents, [[0, 1]])
    theirs = _theirs(pairs, relative_margin=0.05)
    # 0.95 cos 40 = 0.728 excludes 30 degrees (0.866); 0.95 cos 10 = 0.936 would not.
    assert _ours(tmp_path, pairs, {"rule": "percent"}) == theirs == [[3, 4]]
    assert _ours(tmp_path / "max", pairs, {"rule": "percent"}, anchor="max") == [[2, 3, 4]]


def test_their_range_counts_survivors_and_our_window_raw_ranks(tmp_path: Path) -> None:
    documents = np.array([at(a) for a in (0, 5, 30, 40, 50, 60, 70)], np.float32)
    pairs = Pairs(np.array([at(0)], np.float32), documents, [[1]])
    # Rank 0 falls to the margin, rank 1 is the positive: 30 and 40 degrees are the first two of the
    # survivors, which they skip.
    theirs = _theirs(pairs, range_min=2, range_max=6, relative_margin=0.05)
    assert theirs == [[4, 5, 6]]
    # The end of the range counts raw ranks, one more for the positive: 70 degrees is rank 6.
    assert _theirs(pairs, range_min=2, range_max=5, relative_margin=0.05) == [[4, 5]]
    survivors = _ours(tmp_path, pairs, {"rule": "percent"}, num_negatives=5)
    assert [survivors[0][2:]] == theirs
    window = {"rule": "rank_window", "first": 2}
    # Ranks 0 and 1 are what our window skips: they would have been dropped anyway.
    assert _ours(tmp_path / "raw", pairs, window, {"rule": "percent"}) == [[2, 3, 4]]


def test_their_window_grows_with_the_most_positives_of_any_query(tmp_path: Path) -> None:
    """One query with 600 positives made them search 1,230 deep for all."""
    angles = [0, 1, 2, 3, 4, 60, 70]
    documents = np.array([at(a) for a in angles], np.float32)
    one = Pairs(np.array([at(0)], np.float32), documents, [[0]])
    theirs_alone = _theirs(one, range_max=4, num_negatives=2, relative_margin=0.05)
    # range_max + 1 positive are looked at, all within 4 degrees.
    assert theirs_alone == [[]]
    two = Pairs(np.array([at(0), at(65)], np.float32), documents, [[0], [5, 6, 4]])
    theirs_beside = _theirs(two, range_max=4, num_negatives=2, relative_margin=0.05)
    # Beside a query with three positives the same query finds what it did not find before.
    assert theirs_beside[0] == [5, 6]
    for name, pairs in [("one", one), ("two", two)]:
        found = _ours(tmp_path / name, pairs, {"rule": "percent"}, num_negatives=2)
        assert found[0] == [5, 6]


def test_their_window_runs_out_where_our_search_goes_on(tmp_path: Path) -> None:
    angles = [*np.linspace(0, 10, 50).tolist(), 60.0, 70.0]
    documents = np.array([at(a) for a in angles], np.float32)
    pairs = Pairs(np.array([at(0)], np.float32), documents, [[49]])
    theirs = _theirs(pairs, range_max=None, num_negatives=2, relative_margin=0.05)
    ours = _ours(tmp_path, pairs, {"rule": "percent"}, num_negatives=2)
    # By default they look at 10 x 2 + 1 + 1 documents.
    assert (theirs, ours) == ([[]], [[50, 51]])
    lists = Lists(theirs[0], ours[0], np.cos(np.radians(angles)), 0.95 * np.cos(np.radians(10)))
    assert reason_of_difference(lists, pairs.error()) == "their_window"


def test_a_positive_of_another_query_may_be_a_negative_in_both(tmp_path: Path) -> None:
    documents = np.array([at(0), at(30), at(60)], np.float32)
    pairs = Pairs(np.array([at(0), at(30)], np.float32), documents, [[0], [1]])
    theirs = _theirs(pairs, num_negatives=2)
    assert _ours(tmp_path, pairs, num_negatives=2) == theirs
    assert theirs[0] == [1, 2]


def test_a_document_whose_vector_is_nan_becomes_their_negative_and_is_refused_here(
    tmp_path: Path,
) -> None:
    """One NaN document became 199 of 248 negatives: NaN is not above any bound."""
    documents = np.array([at(5), at(40), [np.nan, np.nan], at(60)], np.float32)
    pairs = Pairs(np.array([at(0), at(10)], np.float32), documents, [[0], [0]])
    theirs = _theirs(pairs, num_negatives=1, relative_margin=0.05)
    assert theirs == [[2], [2]]
    with pytest.raises(DataError, match="NaN"):
        _ours(tmp_path, pairs, {"rule": "percent"}, num_negatives=1)


@pytest.fixture(scope="module")
def described(abstracts: Abstracts, abstracts_cache: Path) -> Pairs:
    """Return (description -> abstract) pairs; dozens of abstracts have one description."""
    own: dict[str, list[int]] = {}
    for row, description in enumerate(abstracts.descriptions):
        if description:
            own.setdefault(description, []).append(row)
    queries = embed_texts(list(own), abstracts_cache / "vectors")
    return Pairs(queries, abstracts.vectors, list(own.values()))


def test_their_ntuple_leaves_a_starved_query_out_that_ours_can_keep_or_reject(
    tmp_path: Path,
) -> None:
    documents = np.array([at(a) for a in (0, 2, 90)], np.float32)
    pairs = Pairs(np.array([at(0), at(90)], np.float32), documents, [[0], [2]])
    theirs = _mined(pairs, output_format="n-tuple", num_negatives=2, relative_margin=0.05)
    assert theirs["query"] == ["q1"]
    short = _ours(tmp_path, pairs, {"rule": "percent"}, num_negatives=2)
    assert short == [[2], [1, 0]]


@pytest.mark.slow
@pytest.mark.parametrize("use_faiss", [False, True], ids=["torch", "faiss"])
def test_negatives_of_26000_abstracts_are_theirs_row_for_row(
    tmp_path: Path, described: Pairs, use_faiss: bool
) -> None:
    """Same vectors, margin 0.05, the same number of documents looked at."""
    window = 100 + max(map(len, described.positives))
    theirs = _theirs(
        described, use_faiss=use_faiss, range_max=100, num_negatives=4, relative_margin=0.05
    )
    ours = _ours(
        tmp_path,
        described,
        {"rule": "rank_window", "last": window},
        {"rule": "percent"},
        index="faiss_flat",
        num_negatives=4,
    )
    counts = _counts(described, theirs, ours)
    assert sum(counts.values()) == len(described.positives) > 20_000
    assert counts["unexplained"] == counts["their_window"] == 0
    # Rounding decides between equal scores, and at the bound, in a handful of rows.
    assert counts["tie"] + counts["at_bound"] < 0.001 * len(described.positives)
    # Without the window every query is filled, and what they found is how our list begins.
    full = _ours(
        tmp_path / "full", described, {"rule": "percent"}, index="faiss_flat", num_negatives=4
    )
    assert all(len(row) == 4 for row in full)
    counts = _counts(described, theirs, full)
    assert counts["unexplained"] == 0
    # Their window ran out where their list is short; now and then what it lacks is at the bound,
    # so that rounding might have left it out as well.
    short = sum(len(row) < 4 for row in theirs)
    assert 0 < 0.8 * short < counts["their_window"] <= short
    assert 0 <= counts["their_window"] + counts["at_bound"] - short < 0.001 * len(theirs)


def _counts(pairs: Pairs, theirs: list[list[int]], ours: list[list[int]]) -> dict[Reason, int]:
    counts = dict.fromkeys(REASONS, 0)
    documents = pairs.documents.astype(np.float64)
    for place, (one, other) in enumerate(zip(theirs, ours, strict=True)):
        if one == other:
            counts["equal"] += 1
            continue
        scores = documents @ pairs.queries[place].astype(np.float64)
        anchor = float(scores[pairs.positives[place]].min())
        bound = anchor - abs(anchor) * 0.05
        counts[reason_of_difference(Lists(one, other, scores, bound), pairs.error())] += 1
    return counts
