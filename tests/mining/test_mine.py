"""Mining against scores that can be seen, brute force, and the defects known from other miners."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mining.candidates import CandidateSearch
from mining.corpus import CorpusView
from mining.embed import EmbeddedQueries
from mining.indexes import INDEXES, Index
from mining.known import Known
from mining.mine import MiningConfig, mine
from mining.proposals import Proposals
from sdg.errors import ContractError
from sdg.schemas import NEGATIVES
from tests.mining import visible
from tests.mining.visible import at, document, exact_scores

EXACT = [name for name in INDEXES if INDEXES[name].is_exact]

ANGLES = [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 90.0, 120.0, 180.0]


@pytest.fixture
def fan(tmp_path: Path) -> CorpusView:
    """Return documents d0..d9 at the angles above; cosines to angle 0 fall from 1 to -1."""
    rows = [document(f"d{i}", f"unlike words number{i} alpha{i}") for i in range(len(ANGLES))]
    vectors = {str(row["text"]): at(a) for row, a in zip(rows, ANGLES, strict=True)}
    return visible.corpus(tmp_path, rows, vectors)


def _mine(
    queries: EmbeddedQueries,
    positives: dict[str, list[str]],
    corpus: CorpusView,
    index: Index | None = None,
    **config: Any,
) -> dict[str, dict[str, Any]]:
    result = mine(
        queries,
        visible.positives(positives),
        corpus,
        index or INDEXES.build({"index": "exact"}),
        MiningConfig(**{"num_negatives": 2, **config}),
        seed=5,
    )
    assert result.kept.schema.equals(NEGATIVES)
    return {row["query_id"]: row for row in result.kept.to_pylist()}


def test_negatives_are_the_hardest_below_95_percent_of_the_positive(fan: CorpusView) -> None:
    row = _mine(visible.queries({"q": at(0)}, ["d1"]), {"q": ["d1"]}, fan)["q"]
    # The positive scores cos 10 = 0.985, the bound is 0.936: d0 (1.0) and d2 (0.940) are too near.
    assert row["negative_ids"] == ["d3", "d4"]
    assert row["negative_ranks"] == [3, 4]
    assert row["negative_scores"] == pytest.approx([np.cos(np.pi / 6), np.cos(np.pi / 4.5)])
    assert row["dropped"] == [
        {"reason": "known_positive", "count": 1},
        {"reason": "above_percent_of_positive", "count": 2},
    ]


def test_counts_of_a_row_add_up_to_what_was_looked_at(fan: CorpusView) -> None:
    row = _mine(visible.queries({"q": at(0)}, ["d1"]), {"q": ["d1"]}, fan)["q"]
    dropped = sum(entry["count"] for entry in row["dropped"])
    assert row["search_depth"] == 10
    assert dropped == 3


def test_each_query_is_held_against_its_own_positives_when_their_numbers_differ(
    fan: CorpusView,
) -> None:
    """Other miners sliced a flat list of positives wrongly as soon as counts were uneven."""
    queries = visible.queries(
        {"a": at(0), "b": at(0), "c": at(0), "d": at(0)}, ["d1", "d1", "d4", "d1"]
    )
    found = _mine(
        queries, {"a": ["d1"], "b": ["d1", "d3", "d4"], "c": ["d4"], "d": ["d1", "d2"]}, fan
    )
    assert found["a"]["negative_ids"] == ["d3", "d4"]
    # The lowest positive of b is d4: 0.766 * 0.95 = 0.728 leaves d5 (0.643) and d6 (0.5).
    assert found["b"]["negative_ids"] == ["d5", "d6"]
    assert found["c"]["negative_ids"] == ["d5", "d6"]
    # The lowest positive of d is d2: 0.940 * 0.95 = 0.893 leaves d3 (0.866).
    assert found["d"]["negative_ids"] == ["d3", "d4"]


def test_the_anchor_decides_which_positive_the_bound_is_relative_to(fan: CorpusView) -> None:
    queries, own = visible.queries({"q": at(0)}, ["d1"]), {"q": ["d1", "d4"]}
    assert _mine(queries, own, fan, anchor="min")["q"]["negative_ids"] == ["d5", "d6"]
    assert _mine(queries, own, fan, anchor="max")["q"]["negative_ids"] == ["d3", "d5"]


def test_a_negative_positive_score_moves_the_bound_down_and_not_up(fan: CorpusView) -> None:
    """`positive * 0.95` would let documents above a negative positive through."""
    row = _mine(visible.queries({"q": at(0)}, ["d8"]), {"q": ["d8"]}, fan, num_negatives=1)["q"]
    assert row["positive_scores"] == pytest.approx([-0.5])
    assert row["negative_ids"] == ["d9"]


def test_a_corpus_smaller_than_what_is_asked_rejects_the_query_with_the_numbers(
    fan: CorpusView,
) -> None:
    result = mine(
        visible.queries({"q": at(0)}, ["d8"]),
        visible.positives({"q": ["d8"]}),
        fan,
        INDEXES.build({"index": "faiss_flat"}),
        MiningConfig(num_negatives=2),
        seed=5,
    )
    (rejection,) = result.rejected.to_pylist()
    assert (rejection["reason"], rejection["detail"]) == (
        "too_few_negatives",
        "1 of 2, 1 candidates survived",
    )
    kept = _mine(visible.queries({"q": at(0)}, ["d8"]), {"q": ["d8"]}, fan, on_shortfall="keep")
    assert kept["q"]["negative_ids"] == ["d9"]


def test_the_document_a_query_was_written_for_is_no_negative_after_relabelling(
    fan: CorpusView,
) -> None:
    row = _mine(visible.queries({"q": at(0)}, ["d3"]), {"q": ["d1"]}, fan)["q"]
    assert "d3" not in row["negative_ids"]


def test_equal_scores_come_in_order_of_ids(tmp_path: Path) -> None:
    rows = [document(f"d{i}", f"unlike words number{i} alpha{i}") for i in range(6)]
    vectors = {str(row["text"]): at(0 if i == 3 else 60) for i, row in enumerate(rows)}
    tied = visible.corpus(tmp_path, rows, vectors)
    for name in EXACT:
        row = _mine(
            visible.queries({"q": at(0)}, ["d3"]),
            {"q": ["d3"]},
            tied,
            INDEXES.build({"index": name}),
            num_negatives=3,
        )["q"]
        assert row["negative_ids"] == ["d0", "d1", "d2"]


def test_a_missing_positive_is_named(fan: CorpusView) -> None:
    with pytest.raises(ContractError, match="nowhere"):
        _mine(visible.queries({"q": at(0)}, ["d1"]), {"q": ["nowhere"]}, fan)


def test_sampling_depends_on_seed_and_query_only(fan: CorpusView) -> None:
    selection = {"strategy": "sampled", "sample_from": 6}
    both = visible.queries({"a": at(0), "b": at(5)}, ["d1", "d1"])
    one = visible.queries({"b": at(5)}, ["d1"])
    together = _mine(both, {"a": ["d1"], "b": ["d1"]}, fan, selection=selection)
    alone = _mine(one, {"b": ["d1"]}, fan, selection=selection)
    assert together["b"] == alone["b"]
    scores = together["b"]["negative_scores"]
    assert scores == sorted(scores, reverse=True)


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(3, 60),
    fraction=st.sampled_from([0.5, 0.9, 0.95, 1.0]),
)
def test_mining_equals_brute_force_for_every_back_end(
    tmp_path_factory: pytest.TempPathFactory, seed: int, size: int, fraction: float
) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(size, 5)).astype(np.float32)
    vectors[:: max(2, size // 3)] = vectors[0]  # duplicates, hence ties
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = [document(f"d{i:03d}", f"w{i}a w{i}b w{i}c") for i in range(size)]
    corpus = visible.corpus(
        tmp_path_factory.mktemp("c"),
        rows,
        {str(row["text"]): v.tolist() for row, v in zip(rows, vectors, strict=True)},
    )
    probe = random.normal(size=5).astype(np.float32)
    probe /= np.linalg.norm(probe)
    scores = exact_scores(probe[None], vectors)[0]
    bound = scores[1] - abs(scores[1]) * np.float32(1 - fraction)
    order = np.lexsort((np.arange(size), -scores))
    expected = [f"d{i:03d}" for i in order if i != 1 and scores[i] <= bound][:3]
    for name in EXACT:
        found = _mine(
            visible.queries({"q": probe.tolist()}, ["d001"]),
            {"q": ["d001"]},
            corpus,
            INDEXES.build({"index": name}),
            num_negatives=3,
            on_shortfall="keep",
            rules=[{"rule": "known_positive"}, {"rule": "percent", "fraction": fraction}],
        )
        assert (found["q"]["negative_ids"] if found else []) == expected


def test_the_number_of_candidates_looked_at_together_changes_nothing(
    fan: CorpusView, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = visible.queries({f"q{i}": at(7 * i) for i in range(9)}, ["d1"] * 9)
    own = {f"q{i}": ["d1", "d2"] if i % 2 else ["d1"] for i in range(9)}
    together = _mine(queries, own, fan, on_shortfall="keep")
    monkeypatch.setattr("mining.candidates._MAX_CANDIDATES", 1)
    assert _mine(queries, own, fan, on_shortfall="keep") == together


def test_the_order_of_the_queries_is_the_order_of_the_rows_and_nothing_else(
    fan: CorpusView,
) -> None:
    queries = visible.queries({f"q{i}": at(7 * i) for i in range(9)}, ["d1"] * 9)
    own = {f"q{i}": ["d1"] for i in range(9)}
    forward = _mine(queries, own, fan, on_shortfall="keep")
    backward = _mine(queries, dict(reversed(own.items())), fan, on_shortfall="keep")
    assert list(backward) == list(reversed(forward))
    assert backward == forward


def test_the_search_goes_no_deeper_than_the_rank_window(
    fan: CorpusView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mining.candidates._SPARE", 0)
    rules = [{"rule": "known_positive"}, {"rule": "rank_window", "first": 2, "last": 4}]
    queries = visible.queries({"q": at(0)}, ["d1"])
    row = _mine(queries, {"q": ["d1"]}, fan, rules=rules, num_negatives=3,
                on_shortfall="keep")["q"]  # fmt: skip
    assert (row["negative_ids"], row["search_depth"]) == (["d2", "d3"], 4)


def test_the_search_goes_no_deeper_than_the_floor(fan: CorpusView) -> None:
    rules = [{"rule": "known_positive"}, {"rule": "floor", "threshold": 0.9}]
    queries = visible.queries({"q": at(0)}, ["d1"])
    row = _mine(queries, {"q": ["d1"]}, fan, rules=rules, num_negatives=3,
                on_shortfall="keep")["q"]  # fmt: skip
    assert (row["negative_ids"], row["search_depth"]) == (["d0", "d2"], 3)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([{"rule": "percent"}], "known_positive"),
        ([{"rule": "known_positive"}, {"rule": "percent"}, {"rule": "percent"}], "once"),
    ],
)
def test_rules_that_cannot_be_counted_or_trusted_are_refused(
    rules: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        MiningConfig.model_validate({"rules": rules})


@hypothesis_settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), small=st.floats(0, 0.2), more=st.floats(0, 0.3))
def test_a_wider_margin_keeps_a_subset_and_nothing_is_above_the_bound(
    tmp_path_factory: pytest.TempPathFactory, seed: int, small: float, more: float
) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(40, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = [document(f"d{i:02d}", f"w{i}a w{i}b") for i in range(40)]
    view = visible.corpus(
        tmp_path_factory.mktemp("c"),
        rows,
        {str(row["text"]): v.tolist() for row, v in zip(rows, vectors, strict=True)},
    )
    queries = visible.queries({"q": vectors[3].tolist()}, ["d07"])
    kept = []
    for margin in (small, small + more):
        rules = [{"rule": "known_positive"}, {"rule": "margin", "margin": margin}]
        found = _mine(queries, {"q": ["d07"]}, view, num_negatives=40, on_shortfall="keep",
                      rules=rules)  # fmt: skip
        row = found.get("q", {"negative_ids": [], "negative_scores": [], "positive_scores": [0.0]})
        bound = row["positive_scores"][0] - margin + 1e-6
        assert all(score <= bound for score in row["negative_scores"])
        kept.append(set(row["negative_ids"]))
    assert kept[1] <= kept[0]


def test_negatives_equal_those_of_sentence_transformers(tmp_path: Path) -> None:
    """Same vectors, `strategy top`, relative margin 0.05: row for row the same negatives."""
    pytest.importorskip("sentence_transformers")
    from datasets import Dataset
    from sentence_transformers.util import dot_score, mine_hard_negatives, pairwise_dot_score

    random = np.random.default_rng(11)
    vectors = random.normal(size=(80, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    noise = vectors[:30] + 0.4 * random.normal(size=(30, 8)).astype(np.float32)
    probes = (noise / np.linalg.norm(noise, axis=1, keepdims=True)).astype(np.float32)
    table = {f"w{i}a w{i}b": v for i, v in enumerate(vectors)}
    table |= {f"text of q{i:02d}": v for i, v in enumerate(probes)}

    def encode(texts: list[str], **_: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.stack([table[text] for text in texts])

    # All that their function asks of a model.
    model: Any = SimpleNamespace(
        device="cpu",
        encode_query=encode,
        encode_document=encode,
        similarity=dot_score,
        similarity_pairwise=pairwise_dot_score,
        get_embedding_dimension=lambda: 8,
    )
    texts = list(table)[:80]
    theirs = mine_hard_negatives(
        Dataset.from_dict({"query": list(table)[80:], "answer": texts[:30]}),
        model,
        corpus=texts,
        num_negatives=3,
        range_max=80,
        relative_margin=0.05,
        sampling_strategy="top",
        output_format="n-tuple",
        use_faiss=False,
        verbose=False,
    )
    expected = {
        row["query"].removeprefix("text of "): [row[f"negative_{i}"] for i in (1, 2, 3)]
        for row in theirs
    }
    rows = [document(f"d{i:02d}", text) for i, text in enumerate(texts)]
    view = visible.corpus(tmp_path, rows, {text: table[text].tolist() for text in texts})
    names = [f"q{i:02d}" for i in range(30)]
    ours = _mine(
        visible.queries({n: probes[i].tolist() for i, n in enumerate(names)},
                        [f"d{i:02d}" for i in range(30)]),
        {n: [f"d{i:02d}"] for i, n in enumerate(names)},
        view,
        num_negatives=3,
        rules=[{"rule": "known_positive"}, {"rule": "percent"}],
    )  # fmt: skip
    found = {q: [texts[int(d[1:])] for d in row["negative_ids"]] for q, row in ours.items()}
    assert len(expected) > 20
    # They leave out queries that are short of negatives after the margin, as we do.
    assert found == expected


def test_random_fill_completes_a_short_list_with_documents_no_rule_forbids(
    fan: CorpusView,
) -> None:
    queries = visible.queries({"q": at(0)}, ["d1"])
    # Ranks 3 and 4 leave d3 and d4; what else is below the bound comes at random.
    rules = [
        {"rule": "known_positive"},
        {"rule": "percent"},
        {"rule": "rank_window", "first": 3, "last": 5},
    ]
    row = _mine(queries, {"q": ["d1"]}, fan, rules=rules, num_negatives=5,
                on_shortfall="random_fill")["q"]  # fmt: skip
    assert row["negative_ids"][:2] == ["d3", "d4"]
    assert row["negative_sources"] == ["dense:given"] * 2 + ["random"] * 3
    assert set(row["negative_ids"][2:]) <= {"d5", "d6", "d7", "d8", "d9"}
    assert row["negative_ranks"] == [3, 4, -1, -1, -1]
    assert row["negative_scores"] == sorted(row["negative_scores"], reverse=True)


def test_a_query_that_random_documents_cannot_fill_is_rejected(fan: CorpusView) -> None:
    queries = visible.queries({"q": at(0)}, ["d1"])
    found = _mine(queries, {"q": ["d1"]}, fan, num_negatives=8, on_shortfall="random_fill")
    assert found == {}


def _proposed(rows: list[int], **settings: Any) -> Proposals:
    scores = np.arange(len(rows), 0, -1, dtype=np.float32)
    return Proposals("bm25", np.array([rows]), scores[None], **settings)


def test_candidates_of_another_miner_obey_the_bounds_and_keep_their_source(
    fan: CorpusView,
) -> None:
    rules = [{"rule": "known_positive"}, {"rule": "percent"}]
    result = mine(
        visible.queries({"q": at(0)}, ["d1"]),
        visible.positives({"q": ["d1"]}),
        fan,
        INDEXES.build({"index": "exact"}),
        MiningConfig.model_validate({"num_negatives": 3, "rules": rules}),
        seed=1,
        extra=[_proposed([1, 2, 9, 4])],
    )
    (row,) = result.kept.to_pylist()
    # The search found all ten documents itself, so it owns them all.
    assert row["negative_sources"] == ["dense:given"] * 3
    assert row["negative_ids"] == ["d3", "d4", "d5"]


def test_candidates_beyond_the_search_come_from_the_miner_that_proposed_them(
    fan: CorpusView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mining.candidates._SPARE", 0)
    proposed = _proposed([0, 1, 2, 9, 4])
    rules = [{"rule": "known_positive"}, {"rule": "percent"}]
    result = mine(
        visible.queries({"q": at(0)}, ["d1"]),
        visible.positives({"q": ["d1"]}),
        fan,
        INDEXES.build({"index": "exact"}),
        MiningConfig.model_validate({"num_negatives": 1, "rules": rules, "on_shortfall": "keep"}),
        seed=1,
        extra=[replace(proposed, exempt=frozenset({"percent"}))],
    )
    (row,) = result.kept.to_pylist()
    # d0 scores 1.0, above the bound of 0.936, which does not hold for it; d1 is a positive.
    assert (row["negative_ids"], row["negative_sources"]) == (["d0"], ["bm25"])
    assert row["negative_ranks"] == [0]


def test_only_documents_of_the_wanted_language_are_searched_and_ranked(tmp_path: Path) -> None:
    """A window of the nearest would hold nothing but the other language here."""
    rows = [
        document(f"d{i:03d}", f"w{i}a w{i}b", language="fra-Latn" if i < 95 else "eng-Latn")
        for i in range(100)
    ]
    vectors = {str(row["text"]): at(i * 0.5) for i, row in enumerate(rows)}
    view = visible.corpus(tmp_path, rows, vectors)
    rules = [{"rule": "known_positive"}, {"rule": "language", "policy": "same"}]
    row = _mine(visible.queries({"q": at(0)}, ["d000"]), {"q": ["d000"]}, view, rules=rules)["q"]
    assert (row["negative_ids"], row["negative_ranks"]) == (["d095", "d096"], [0, 1])


TOPICS = ["a"] * 40 + ["b"] * 40 + [""] * 10 + ["c"] * 4 + ["d"] * 6


@pytest.mark.parametrize(
    ("policies", "positive_ids", "negative_ids", "ranks"),
    [
        # One value, two values, none: what has them is searched, and ranked among itself.
        ({"topic": "same"}, ["d090"], ["d091", "d092"], [1, 2]),
        ({"topic": "same"}, ["d090", "d099"], ["d091", "d092"], [1, 2]),
        ({"topic": "same"}, ["d085"], [], []),
        # All but "a"; all but "a" and "b".
        ({"topic": "other"}, ["d000"], ["d040", "d041"], [0, 1]),
        ({"topic": "other"}, ["d000", "d040"], ["d080", "d081"], [0, 1]),
        # Few documents have "c": everything is searched and the rule judges.
        ({"topic": "other"}, ["d093"], ["d000", "d001"], [0, 1]),
        ({"topic": "other"}, ["d093", "d000"], ["d040", "d041"], [0, 1]),
        ({"topic": "same", "source": "same"}, ["d090"], ["d092"], [1]),
        ({"topic": "other", "source": "same"}, ["d000"], ["d040", "d042"], [0, 1]),
        ({"topic": "any"}, ["d000"], ["d001", "d002"], [1, 2]),
    ],
)
def test_only_documents_that_an_attribute_policy_allows_are_searched_and_ranked(
    policies: dict[str, str],
    positive_ids: list[str],
    negative_ids: list[str],
    ranks: list[int],
    tmp_path: Path,
) -> None:
    rows = [
        document(f"d{i:03d}", f"w{i}a w{i}b", topic=topic, source=str(i % 2))
        for i, topic in enumerate(TOPICS)
    ]
    vectors = {str(row["text"]): at(i * 0.5) for i, row in enumerate(rows)}
    view = visible.corpus(tmp_path, rows, vectors)
    rules = [{"rule": "known_positive"}, {"rule": "attribute", "policies": policies}]
    queries = visible.queries({"q": at(0)}, positive_ids[:1])
    mined = _mine(queries, {"q": positive_ids}, view, rules=rules, on_shortfall="keep")
    found = [(row["negative_ids"], row["negative_ranks"]) for row in mined.values()]
    assert found == ([(negative_ids, ranks)] if negative_ids else [])


@pytest.mark.parametrize("extra", [[], [1]])
def test_a_query_whose_language_no_document_has_is_short_by_that_rule(
    extra: list[int], fan: CorpusView
) -> None:
    queries = replace(visible.queries({"q": at(0)}, ["d0"]), languages=["deu-Latn"])
    proposed = Proposals("bm25", np.array([extra], np.int64), np.ones((1, len(extra)), np.float32))
    result = mine(
        queries,
        visible.positives({"q": ["d0"]}),
        fan,
        INDEXES.build({"index": "exact"}),
        MiningConfig.model_validate({"rules": [{"rule": "known_positive"}, {"rule": "language"}]}),
        seed=1,
        extra=[proposed] if extra else [],
    )
    assert not result.kept.num_rows
    (row,) = result.rejected.to_pylist()
    assert row["row_id"] == "q"


def test_a_positive_with_too_many_documents_above_it_is_weak(fan: CorpusView) -> None:
    queries = visible.queries({"a": at(0), "b": at(0)}, ["d1", "d3"])
    config = MiningConfig(num_negatives=2, max_above=2)
    result = mine(
        queries,
        visible.positives({"a": ["d1"], "b": ["d3"]}),
        fan,
        INDEXES.build({"index": "exact"}),
        config,
        seed=1,
    )
    assert result.kept["query_id"].to_pylist() == ["a"]
    assert result.kept["docs_above"].to_pylist() == [1]
    (rejection,) = result.rejected.to_pylist()
    assert rejection["reason"] == "weak_positive"
    assert rejection["detail"] == "3 documents above it, 2 allowed"


def test_looked_at_is_dropped_plus_surviving_whatever_the_rules(fan: CorpusView) -> None:
    queries = visible.queries({f"q{i}": at(13 * i) for i in range(9)}, [f"d{i}" for i in range(9)])
    own = {f"q{i}": [f"d{i}"] for i in range(9)}
    known = Known.of(queries, visible.positives(own), fan)
    names = ["same_group", "percent", "margin", "known_positive"]
    rules = MiningConfig.model_validate({"rules": [{"rule": name} for name in names]}).rules
    index = INDEXES.build({"index": "exact"})
    search = CandidateSearch(queries, known, known.anchors("min"), fan, index, rules)
    judged = search.run(4)
    assert (judged.dropped.sum(axis=0) + judged.survivors).tolist() == judged.depth.tolist()
    assert judged.dropped[3].tolist() == [1] * 9


def test_an_approximate_index_that_misses_the_positive_leaves_counts_with_their_own_query(
    tmp_path: Path,
) -> None:
    """Where it saw less than is known, a count was negative and moved to the next query's row."""
    random = np.random.default_rng(1)
    vectors = random.normal(size=(300, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = [document(f"d{i:03d}", f"w{i}a w{i}b") for i in range(300)]
    table = {str(row["text"]): v.tolist() for row, v in zip(rows, vectors, strict=True)}
    view = visible.corpus(tmp_path, rows, table)
    queries = visible.queries(
        {f"q{i:02d}": vectors[i].tolist() for i in range(30)}, [f"d{i:03d}" for i in range(30)]
    )
    index = INDEXES.build({"index": "matryoshka", "dimension": 2})
    index.prepare(view, tmp_path / "indexes", "f")
    own = {f"q{i:02d}": [f"d{i:03d}"] for i in range(30)}
    found = _mine(queries, own, view, index, on_shortfall="keep")
    for row in found.values():
        assert all(entry["count"] > 0 for entry in row["dropped"])
        assert {entry["reason"] for entry in row["dropped"]} <= {
            "known_positive", "above_percent_of_positive", "same_entity_as_positive",
            "near_duplicate_of_positive", "equal_text",
        }  # fmt: skip
        dropped = sum(entry["count"] for entry in row["dropped"])
        assert dropped + len(row["negative_ids"]) <= row["search_depth"]


def test_ranks_of_another_miner_do_not_end_the_search(tmp_path: Path) -> None:
    rows = [
        document(f"d{i:03d}", f"w{i}a w{i}b", group_id="g" if i < 60 else f"g{i}")
        for i in range(150)
    ]
    vectors = {str(row["text"]): at(i * 0.5) for i, row in enumerate(rows)}
    view = visible.corpus(tmp_path, rows, vectors)
    rules = [
        {"rule": "known_positive"},
        {"rule": "same_group"},
        {"rule": "rank_window", "last": 100},
    ]
    config = MiningConfig.model_validate({"num_negatives": 3, "rules": rules})
    proposed = _proposed(list(range(149, 49, -1)))
    results = [
        mine(
            visible.queries({"q": at(0)}, ["d000"]),
            visible.positives({"q": ["d000"]}),
            view,
            INDEXES.build({"index": "exact"}),
            config,
            seed=1,
            extra=extra,
        )
        for extra in ([], [proposed])
    ]
    alone, together = (result.kept["negative_ids"].to_pylist() for result in results)
    assert alone == together == [["d060", "d061", "d062"]]


def test_what_other_miners_propose_above_the_bound_is_not_counted_twice(fan: CorpusView) -> None:
    config = MiningConfig.model_validate(
        {"num_negatives": 2, "rules": [{"rule": "known_positive"}, {"rule": "percent"}]}
    )
    rows = [
        mine(
            visible.queries({"q": at(0)}, ["d1"]),
            visible.positives({"q": ["d1"]}),
            fan,
            INDEXES.build({"index": "exact"}),
            config,
            seed=1,
            extra=extra,
        ).kept.to_pylist()[0]
        for extra in ([], [_proposed([0, 1, 2, 3, 4])])
    ]
    assert rows[0] == rows[1]


def test_random_documents_obey_the_rules_that_read_them(tmp_path: Path) -> None:
    texts = ["a red door", "A red door!", "une porte", "la clef", "a blue sea", "a tall tree"]
    tags = ["eng-Latn", "eng-Latn", "fra-Latn", "fra-Latn", "eng-Latn", "eng-Latn"]
    rows = [
        document(f"d{i}", text, language=tag)
        for i, (text, tag) in enumerate(zip(texts, tags, strict=True))
    ]
    view = visible.corpus(tmp_path, rows, {t: at(30 * i) for i, t in enumerate(texts)})
    names = ["known_positive", "exact_duplicate", "language"]
    rules: list[dict[str, Any]] = [{"rule": name} for name in names]
    rules.append({"rule": "rank_window", "last": 1})
    row = _mine(visible.queries({"q": at(0)}, ["d0"]), {"q": ["d0"]}, view, rules=rules,
                on_shortfall="random_fill")["q"]  # fmt: skip
    assert set(row["negative_ids"]) == {"d4", "d5"}
    assert row["negative_sources"] == ["random", "random"]


def test_in_document_candidates_belong_to_their_miner_even_if_the_search_finds_them(
    fan: CorpusView,
) -> None:
    config = MiningConfig.model_validate(
        {"num_negatives": 3, "rules": [{"rule": "known_positive"}, {"rule": "percent"}]}
    )
    exempt = replace(_proposed([2, 3]), exempt=frozenset({"percent"}))
    result = mine(
        visible.queries({"q": at(0)}, ["d1"]),
        visible.positives({"q": ["d1"]}),
        fan,
        INDEXES.build({"index": "exact"}),
        config,
        seed=1,
        extra=[exempt],
    )
    (row,) = result.kept.to_pylist()
    assert row["negative_ids"] == ["d2", "d3", "d4"]
    assert row["negative_sources"] == ["bm25", "bm25", "dense:given"]
    dropped = {entry["reason"]: entry["count"] for entry in row["dropped"]}
    assert dropped == {"known_positive": 1, "above_percent_of_positive": 1}
    assert row["search_depth"] == 10
