"""Rules in a list: the first that objects owns a query, later ones see what is left."""

from __future__ import annotations

import polars as pl
import pytest

from mining.pair_rules import PairRule, Pairs, PairVerdict, judge_pairs
from mining.pair_rules.easiness import Easiness
from mining.pair_rules.in_document_duplicate import InDocumentDuplicate
from mining.pair_rules.pair_cosine import PairCosine
from sdg.errors import ContractError
from sdg.verdicts import VERDICTS
from tests.mining.pair_rules.runs import pair, pairs_of, verdicts_of


class _Greedy(PairRule):
    """Stops what it is told to."""

    ids: tuple[str, ...] = ()

    def judge(self, judged: pl.DataFrame, pairs: Pairs) -> PairVerdict:
        found = pl.DataFrame({"query_id": self.ids}, schema={"query_id": pl.String})
        return PairVerdict(found.with_columns(reason=pl.lit("told"), detail=pl.lit("")))


_Greedy.name = "greedy"


def test_the_first_rule_that_objects_owns_the_query() -> None:
    run = pairs_of([pair("a", source_score=0.9), pair("b", source_score=0.1)])
    low, twins = PairCosine(min_cosine=0.5), InDocumentDuplicate()
    assert verdicts_of(run, low, twins)["b"][0] == "below_pair_cosine"
    assert verdicts_of(run, twins, low)["b"][0] == "near_duplicate_in_document"


def test_a_query_that_an_earlier_rule_stopped_is_no_twin_and_no_part_of_a_percentile() -> None:
    # Without "a" twin "b" has nobody; the percentile of 0.5 alone stops nothing.
    run = pairs_of([pair("a", source_score=0.9), pair("b", source_score=0.5)])
    first = _Greedy(ids=("a",))
    assert list(verdicts_of(run, first, InDocumentDuplicate())) == ["a"]
    assert list(verdicts_of(run, Easiness(percentile=40, min_cell=1))) == ["a"]
    rest = judge_pairs(run, [first, Easiness(percentile=40, min_cell=2)])
    assert rest.verdicts["reason"].to_pylist() == ["told"]
    assert rest.unjudged["query_id"].to_pylist() == ["b"]


def test_no_rules_and_no_rows_give_no_verdicts() -> None:
    run = pairs_of([pair("a")])
    assert judge_pairs(run, []).verdicts.equals(VERDICTS.empty_table())
    empty = Pairs(run.rows.clear(), run.vectors)
    assert judge_pairs(empty, [InDocumentDuplicate()]).verdicts.equals(VERDICTS.empty_table())


@pytest.mark.parametrize("ids", [("a", "a"), ("elsewhere",)])
def test_a_rule_may_stop_only_what_it_judges_and_once(ids: tuple[str, ...]) -> None:
    with pytest.raises(ContractError, match="must stop queries that it judges"):
        judge_pairs(pairs_of([pair("a")]), [_Greedy(ids=ids)])


def test_rows_out_of_order_or_doubled_are_refused() -> None:
    run = pairs_of([pair("a"), pair("b")])
    for rows in (run.rows.reverse(), pl.concat([run.rows, run.rows])):
        with pytest.raises(ContractError, match="must be by `query_id` ascending"):
            judge_pairs(Pairs(rows), [])


def test_a_rule_without_its_vectors_is_a_broken_contract() -> None:
    run = pairs_of([pair("a")])
    with pytest.raises(ContractError, match="`vectors` must be given"):
        judge_pairs(Pairs(run.rows), [InDocumentDuplicate()])
