"""What each strategy draws, and how alike chosen negatives may be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mining.corpus import CorpusView
from mining.select import STRATEGIES, SelectionConfig, Survivors, select
from sdg.errors import UnknownNameError
from tests.mining import visible
from tests.mining.visible import at, document

Rows = np.ndarray[Any, np.dtype[np.int64]]


def _survivors(
    scores: list[float], queries: int, miners: list[int] | None = None, corpus: Any = None
) -> Survivors:
    shape = queries, len(scores)
    rows = np.broadcast_to(np.arange(len(scores)), shape).copy()
    return Survivors(
        rows,
        np.broadcast_to(np.array(scores, np.float32), shape),
        rows,
        np.broadcast_to(np.array(miners or [0] * len(scores), np.int16), shape),
        [f"q{i}" for i in range(queries)],
        corpus,
    )


def _select(given: Survivors, n: int, **selection: Any) -> Rows:
    return select(given, n, SelectionConfig.model_validate(selection), 11)


def test_top_takes_the_hardest() -> None:
    assert _select(_survivors([0.9, 0.8, 0.7], 2), 2, strategy="top").tolist() == [[0, 1]] * 2


def test_the_default_is_the_hardest() -> None:
    assert SelectionConfig().model_dump()["strategy"] == "top"
    assert _select(_survivors([0.9, 0.8, 0.7], 1), 2).tolist() == [[0, 1]]


def test_sampled_follows_the_softmax_of_the_scores() -> None:
    scores = [0.9, 0.6, 0.3]
    taken = Counter(
        _select(_survivors(scores, 20_000), 1, strategy="sampled", temperature=0.3).ravel().tolist()
    )
    weights = np.exp(np.array(scores) / 0.3)
    expected = weights / weights.sum()
    # Five standard errors of a share among 20,000.
    assert [taken[i] / 20_000 for i in range(3)] == pytest.approx(expected.tolist(), abs=0.018)


def test_uniform_takes_each_with_the_same_chance() -> None:
    taken = Counter(
        _select(_survivors([0.9, 0.6, 0.3, 0.1], 20_000), 2, strategy="uniform", sample_from=4)
        .ravel()
        .tolist()
    )
    assert [taken[i] / 20_000 for i in range(4)] == pytest.approx([0.5] * 4, abs=0.018)


def test_stratified_by_rank_takes_one_of_each_run_of_ranks() -> None:
    chosen = _select(_survivors([1 - i / 10 for i in range(10)], 400), 5,
                     strategy="stratified", sample_from=10)  # fmt: skip
    assert (chosen // 2 == np.arange(5)).all()
    assert set((chosen % 2).ravel().tolist()) == {0, 1}


def test_stratified_gives_equal_shares_when_there_are_fewer_strata_than_negatives() -> None:
    chosen = _select(_survivors([1 - i / 12 for i in range(12)], 200), 5,
                     strategy="stratified", strata=3, sample_from=12)  # fmt: skip
    shares = np.stack([(chosen // 4 == stratum).sum(axis=1) for stratum in range(3)])
    # Five over three strata: the harder two give two.
    assert shares.T.tolist() == [[2, 2, 1]] * 200


def test_stratified_by_miner_takes_the_hardest_of_each_in_turn() -> None:
    miners = [0, 0, 0, 1, 0, 1, 2]
    given = _survivors([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3], 1, miners)
    stratified = {"strategy": "stratified", "by": "miner"}
    assert _select(given, 3, **stratified).tolist() == [[0, 3, 6]]
    assert _select(given, 5, **stratified).tolist() == [[0, 1, 3, 5, 6]]
    # Miners 1 and 2 have no more, so miner 0 goes on.
    assert _select(given, 6, **stratified).tolist() == [[0, 1, 2, 3, 5, 6]]


def test_stratified_by_miner_reaches_behind_the_hardest_of_all() -> None:
    # The search's own come first: what only another miner found is never among the ten hardest.
    given = _survivors([1 - i / 20 for i in range(14)], 1, [0] * 12 + [1, 2])
    chosen = _select(given, 4, strategy="stratified", by="miner", sample_from=10)
    assert chosen.tolist() == [[0, 1, 12, 13]]


def test_by_preference_the_same_are_given_in_the_order_of_the_strategy() -> None:
    given = _survivors([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], 50)
    for strategy in STRATEGIES:
        config = SelectionConfig.model_validate({"strategy": strategy, "sample_from": 6})
        hardest, preferred = (
            select(given, 4, config, 7, by_preference=flag) for flag in (False, True)
        )
        assert np.sort(preferred, axis=1).tolist() == hardest.tolist()
        assert (preferred != hardest).any() == (strategy in ("sampled", "uniform"))
        # The first two are those that would be chosen if only two were.
        if strategy != "stratified":
            two = select(given, 2, config, 7)
            assert np.sort(preferred[:, :2], axis=1).tolist() == two.tolist()


def test_another_seed_draws_otherwise() -> None:
    given = _survivors([0.5] * 10, 30)
    config = SelectionConfig.model_validate({"strategy": "sampled"})
    assert (select(given, 4, config, 1) != select(given, 4, config, 2)).any()


@pytest.mark.parametrize(
    "settings",
    [
        {"strategy": "top", "temperatur": 1.0},
        {"strategy": "sampled", "temperature": 0},
        {"strategy": "uniform", "sample_from": 0},
        {"diverse": {"max_similarity": 2}},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SelectionConfig.model_validate(settings)


def test_an_unknown_strategy_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"sampled, stratified, top, uniform.*'best'"):
        SelectionConfig.model_validate({"strategy": "best"})


@pytest.fixture
def fan(tmp_path: Path) -> CorpusView:
    """Return documents at 0, 5, 20, 23, 60 degrees; the first and last have equal words."""
    texts = ["Same words here!", "b one two", "c three four", "d five six", "same words, here"]
    rows = [document(f"d{i}", text) for i, text in enumerate(texts)]
    angles = dict(zip(texts, [0, 5, 20, 23, 60], strict=True))
    return visible.corpus(tmp_path, rows, {text: at(angle) for text, angle in angles.items()})


def test_diverse_passes_over_what_is_too_near_to_one_already_chosen(fan: CorpusView) -> None:
    given = _survivors([0.9, 0.8, 0.7, 0.6, 0.5], 1, corpus=fan)
    # cos 5 = 0.996 and cos 3 = 0.999 are too near, cos 20 = 0.940 is not.
    assert _select(given, 2, diverse={"max_similarity": 0.95}).tolist() == [[0, 2]]
    assert _select(given, 2, diverse={"max_similarity": 0.997}).tolist() == [[0, 1]]


def test_diverse_passes_over_equal_words_however_far_their_vectors(fan: CorpusView) -> None:
    given = _survivors([0.9, 0.8, 0.7, 0.6, 0.5], 1, corpus=fan)
    # d0, d2 and d4 differ enough by vector, but d4 has the words of d0.
    assert _select(given, 3, diverse={"max_similarity": 0.95}).tolist() == [[0, 2, -1]]
    equal_only = {"max_similarity": 0.95, "max_jaccard": 1.0}
    assert _select(given, 3, diverse=equal_only).tolist() == [[0, 2, -1]]


def test_diverse_asks_for_survivors_to_spare(fan: CorpusView) -> None:
    config = SelectionConfig.model_validate({"diverse": {"spare": 5}})
    assert config.survivors_needed(4) == 20
    assert SelectionConfig.model_validate(config.model_dump()) == config


def test_diverse_works_with_a_draw_and_goes_on_behind_it(fan: CorpusView) -> None:
    given = _survivors([0.9, 0.8, 0.7, 0.6, 0.5], 60, corpus=fan)
    chosen = _select(given, 2, strategy="uniform", sample_from=2, diverse={"max_similarity": 0.95})
    # One of the near pair d0, d1 is drawn, then comes the hardest that is unlike it: cos 15 and
    # cos 18 are too near to d1.
    assert {tuple(row) for row in chosen.tolist()} == {(0, 2), (1, 4)}


@pytest.mark.parametrize("queries", [0, 2])
def test_no_survivors_give_an_empty_choice(fan: CorpusView, queries: int) -> None:
    given = _survivors([], queries, corpus=fan)
    for strategy in STRATEGIES:
        for settings in ({"strategy": strategy}, {"strategy": strategy, "diverse": {}}):
            assert _select(given, 2, **settings).tolist() == [[-1, -1]] * queries


@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**31),
    limit=st.sampled_from([0.3, 0.8, 0.95]),
    n=st.integers(1, 6),
    strategy=st.sampled_from(["top", "uniform", "sampled"]),
)
def test_diverse_equals_the_greedy_choice_written_naively(
    tmp_path_factory: pytest.TempPathFactory, seed: int, limit: float, n: int, strategy: str
) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(12, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = [f"{' '.join(random.choice(list('abc'), 2))} t{i // 3}" for i in range(12)]
    rows = [document(f"d{i:02d}", f"{text} {'!' * i}") for i, text in enumerate(texts)]
    view = visible.corpus(
        tmp_path_factory.mktemp("c"),
        rows,
        {str(row["text"]): v.tolist() for row, v in zip(rows, vectors, strict=True)},
    )
    given = _survivors(np.linspace(1, 0, 12).tolist(), 3, corpus=view)
    settings = {"strategy": strategy, "sample_from": 12}
    chosen = _select(given, n, **settings, diverse={"max_similarity": limit, "max_jaccard": 0.5})
    words = [set(text.split()) for text in texts]
    for query in range(3):
        # The order of preference shows when all are taken one after the other.
        preference: list[int] = []
        for size in range(1, 13):
            own = _select(given, size, strategy=strategy, sample_from=12)[query].tolist()
            preference += [place for place in own if place not in preference]
        expected: list[int] = []
        for place in preference:
            if len(expected) < n and all(
                vectors[place] @ vectors[other] <= limit
                and len(words[place] & words[other]) <= 0.5 * len(words[place] | words[other])
                for other in expected
            ):
                expected.append(place)
        assert [p for p in chosen[query].tolist() if p >= 0] == sorted(expected)
