"""`paraphrase`: a floor on the meaning, a ceiling on the words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mining.pair_rules import Originals
from mining.pair_rules.pair_cosine import PairCosine
from mining.pair_rules.paraphrase import Paraphrase
from sdg.errors import ContractError
from tests.mining.pair_rules.runs import at, pair, pairs_of, verdicts_of

RULE = Paraphrase(min_cosine=0.8, max_overlap=0.5)
ORIGINAL = "who built the old bridge"
OTHER_WORDS = "name the architect of that crossing"


def _paraphrase(query: str = OTHER_WORDS, **fields: Any) -> dict[str, Any]:
    return pair("p", **({"paraphrase_of": "o", "query": query} | fields))


def test_a_paraphrase_with_the_same_meaning_in_other_words_stays() -> None:
    run = pairs_of([pair("o", query=ORIGINAL), _paraphrase(angle=30)])
    assert verdicts_of(run, RULE) == {}


def test_a_paraphrase_that_means_something_else_stops() -> None:
    run = pairs_of([pair("o", query=ORIGINAL), _paraphrase(angle=60)])
    assert verdicts_of(run, RULE) == {"p": ("paraphrase_below_cosine", "0.5")}


@pytest.mark.parametrize(
    ("query", "overlap"),
    [
        ("Who built the old bridge?", "1.0"),
        ("who built the new bridge", "0.6667"),  # 4 of 6 different words
        ("bridge old the built who", "1.0"),
    ],
)
def test_a_paraphrase_that_keeps_the_words_stops(query: str, overlap: str) -> None:
    run = pairs_of([pair("o", query=ORIGINAL), _paraphrase(query)])
    assert verdicts_of(run, RULE) == {"p": ("paraphrase_above_overlap", overlap)}


def test_a_paraphrase_at_both_bounds_stays() -> None:
    run = pairs_of(
        [pair("o", query="one two three"), _paraphrase("two three four")],
        vectors=[[1.0, 0.0], [0.8, 0.6]],
    )
    assert verdicts_of(run, RULE) == {}


def test_meaning_owns_a_paraphrase_that_breaks_both_bounds() -> None:
    run = pairs_of([pair("o", query=ORIGINAL), _paraphrase(ORIGINAL, angle=60)])
    assert verdicts_of(run, RULE)["p"][0] == "paraphrase_below_cosine"


def test_queries_that_are_no_paraphrases_are_left_alone() -> None:
    run = pairs_of([pair("a", query=ORIGINAL), pair("b", query=ORIGINAL)])
    assert verdicts_of(run, RULE) == {}


@pytest.mark.parametrize(("angle", "stops"), [(0, False), (80, True)])
def test_a_lost_original_is_judged_by_the_text_given(angle: float, stops: bool) -> None:
    given = Originals(["o"], [ORIGINAL], np.array([at(0)], np.float32))
    run = pairs_of([_paraphrase(angle=angle)], given)
    assert ("p" in verdicts_of(run, RULE)) is stops


def test_a_lost_original_stops_its_paraphrase_if_asked_or_if_nobody_knows_it() -> None:
    given = Originals(["o"], [ORIGINAL], np.array([at(0)], np.float32))
    strict = RULE.model_copy(update={"missing_original": "reject"})
    missing = {"p": ("original_missing", "o")}
    assert verdicts_of(pairs_of([_paraphrase()], given), strict) == missing
    assert verdicts_of(pairs_of([_paraphrase()]), RULE) == missing


def test_an_original_that_an_earlier_rule_stopped_is_lost_but_known() -> None:
    run = pairs_of([pair("o", query=ORIGINAL, source_score=0.1), _paraphrase(angle=60)])
    first = PairCosine(min_cosine=0.3)
    assert verdicts_of(run, first, RULE)["p"] == ("paraphrase_below_cosine", "0.5")
    strict = RULE.model_copy(update={"missing_original": "reject"})
    assert verdicts_of(run, first, strict)["p"] == ("original_missing", "o")


def test_an_original_of_a_task_that_is_not_judged_is_found_all_the_same() -> None:
    run = pairs_of([pair("o", query=ORIGINAL, task="natural"), _paraphrase(angle=60)])
    rule = RULE.model_copy(update={"tasks": ("llm_*",), "missing_original": "reject"})
    assert verdicts_of(run, rule)["p"][0] == "paraphrase_below_cosine"


def test_a_lost_original_without_a_vector_is_a_broken_contract() -> None:
    with pytest.raises(ContractError, match="`vectors` must be given"):
        verdicts_of(pairs_of([_paraphrase()], Originals(["o"], [ORIGINAL])), RULE)
