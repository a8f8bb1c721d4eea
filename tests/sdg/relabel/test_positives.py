from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from sdg.errors import ConfigError, ContractError
from sdg.ids import content_id
from sdg.llm import Score, ScoreRequest
from sdg.relabel.positives import RelabelConfig, Relabelled, documents_to_judge, relabel
from sdg.schemas import CANDIDATES, QUERIES, empty
from tests.sdg.rows import (
    candidates_of,
    candidates_row,
    document_row,
    documents_of,
    queries_of,
    query_row,
)

DOCUMENTS = documents_of(
    *(document_row(f"d{i}", f"Text number{i}.") for i in range(1, 6)),
    document_row("d6", "Texte number6.", language="fra-Latn"),
)
LIKELIHOOD: Any = ({"scorer": "query_likelihood"},)
CLASSES: Any = ({"scorer": "relevance_classification"},)


class Judge:
    """Likes documents by name: `likes["number2"]` is the mean log-probability after that text."""

    def __init__(
        self, likes: dict[str, float | None], order: Callable[[list[Score]], list[Score]] = list
    ) -> None:
        self.likes = likes
        self.order = order
        self.asked: list[ScoreRequest] = []

    def __call__(self, requests: Sequence[ScoreRequest]) -> list[Score]:
        """Answer every request, in the order that `order` makes of it."""
        self.asked.extend(requests)
        return self.order([self._score(request) for request in requests])

    def _score(self, request: ScoreRequest) -> Score:
        name = next(word for word in self.likes if f"{word}." in request.prompt)
        value = self.likes[name]
        if value is not None and request.continuation == " yes":
            value = -1 / -value  # the better the document, the likelier the label
        if value is not None and request.continuation == " no":
            value = -1.0
        return Score(request.key, value, 3, 9, "" if value is not None else "server_error")


def _likes(*values: float | None) -> dict[str, float | None]:
    return {f"number{i}": value for i, value in enumerate(values, start=1)}


def _relabel(
    judge: Judge, doc_ids: Sequence[str] = ("d2", "d1", "d3"), **settings: Any
) -> Relabelled:
    settings = {"scorers": LIKELIHOOD} | settings
    return relabel(
        queries_of(query_row("q1")),
        candidates_of(candidates_row("q1", doc_ids, docs_above=1)),
        DOCUMENTS,
        RelabelConfig(**settings),
        judge,
    )


def _positive(relabelled: Relabelled) -> str:
    ((positive,),) = relabelled.positives["positive_ids"].to_pylist()
    return str(positive)


def test_the_document_that_makes_the_query_likeliest_becomes_the_positive() -> None:
    relabelled = _relabel(Judge(_likes(-2.0, -1.0, -3.0)))
    assert relabelled.positives.to_pylist() == [
        {
            "query_id": "q1",
            "positive_ids": ["d2"],
            "original_positive_id": "d1",
            "positive_was_relabelled": True,
        }
    ]
    assert relabelled.extra["positives_changed"] == 1
    assert relabelled.extra["pairs_scored"] == 3


def test_judgments_hold_every_score_rank_and_fused_score() -> None:
    rows = _relabel(Judge(_likes(-2.0, -1.0, -3.0))).judgments.to_pylist()
    assert [(r["doc_id"], r["retrieval_rank"], r["fused_rank"]) for r in rows] == [
        ("d2", 0, 0),
        ("d1", 1, 1),
        ("d3", 2, 2),
    ]
    assert [r["scorer_scores"] for r in rows] == [
        [{"scorer": "query_likelihood", "score": score}] for score in (-1.0, -2.0, -3.0)
    ]
    assert rows[0]["fused_score"] == pytest.approx(1 / 61)
    assert rows[2]["fused_score"] == pytest.approx(1 / 63)


def test_the_source_wins_ties() -> None:
    assert _positive(_relabel(Judge(_likes(-1.0, -1.0, -1.0)))) == "d1"


def test_the_source_is_judged_even_if_it_was_not_retrieved() -> None:
    relabelled = _relabel(Judge(_likes(-1.0, -2.0, -3.0)), ["d2", "d3"], num_candidates=2)
    assert relabelled.judgments["doc_id"].to_pylist() == ["d1", "d2"]
    assert _positive(relabelled) == "d1"


def test_only_so_many_candidates_are_judged_the_source_included() -> None:
    judge = Judge(_likes(-1.0, -2.0, -3.0, -4.0, -5.0))
    _relabel(judge, ["d5", "d4", "d3", "d2", "d1"], num_candidates=3)
    assert sorted(r.key for r in judge.asked) == [
        f"query_likelihood/q1/{doc}" for doc in ("d1", "d4", "d5")
    ]


def test_labels_are_judged_by_their_difference() -> None:
    relabelled = _relabel(Judge(_likes(-2.0, -4.0, -1.0)), scorers=CLASSES)
    # yes: -1/2 -> no is -1, three tokens each.
    rows = {r["doc_id"]: r["scorer_scores"][0]["score"] for r in relabelled.judgments.to_pylist()}
    assert rows == {"d1": 1.5, "d2": 2.25, "d3": 0.0}
    assert _positive(relabelled) == "d2"


def test_two_scorers_are_fused_by_rank_and_disagreement_keeps_the_source() -> None:
    # Likelihood ranks d1 d2 d3 (0 1 2); the labels rank d3 d2 d1 here: all fuse alike.
    judge = Judge(_likes(-1.0, -2.0, -3.0))
    relabelled = _relabel(judge, scorers=LIKELIHOOD + CLASSES)
    fused = {r["doc_id"]: r["fused_score"] for r in relabelled.judgments.to_pylist()}
    assert fused["d2"] == pytest.approx(2 / 62)
    assert fused["d1"] == fused["d3"] == pytest.approx(1 / 61 + 1 / 63)
    assert _positive(relabelled) == "d1"
    assert relabelled.extra["pairs_scored"] == 3
    assert len(judge.asked) == 9


def test_retrieval_can_be_a_ranking_of_its_own() -> None:
    judge = Judge(_likes(-2.0, -3.0, -1.0))
    assert _positive(_relabel(judge)) == "d3"
    # d3 is rank 0 + 2, d1 rank 1 + 1, d2 rank 2 + 0: the ends win, d2 by retrieval.
    rows = _relabel(judge, fuse_retrieval=True).judgments.to_pylist()
    assert {r["doc_id"]: r["fused_score"] for r in rows} == pytest.approx(
        {"d3": 1 / 61 + 1 / 63, "d1": 2 / 62, "d2": 1 / 63 + 1 / 61}
    )


@pytest.mark.parametrize(("min_gain", "positive"), [(None, "d2"), (0.5, "d2"), (0.51, "d1")])
def test_a_change_must_gain_as_much_as_asked(min_gain: float | None, positive: str) -> None:
    scorers: Any = ({"scorer": "query_likelihood", "min_gain": min_gain},)
    assert _positive(_relabel(Judge(_likes(-1.5, -1.0, -3.0)), scorers=scorers)) == positive


def test_documents_of_other_languages_are_judged_only_when_asked() -> None:
    likes = _likes(-2.0, -3.0) | {"number6": -1.0}
    assert _positive(_relabel(Judge(likes), ["d6", "d1", "d2"])) == "d1"
    any_language = _relabel(Judge(likes), ["d6", "d1", "d2"], candidate_languages="any")
    assert _positive(any_language) == "d6"


def test_a_failed_candidate_is_recorded_and_ranks_last() -> None:
    relabelled = _relabel(Judge(_likes(-2.0, None, -3.0)))
    rows = relabelled.judgments.to_pylist()
    assert [(r["doc_id"], r["scorer_scores"][0]["score"]) for r in rows] == [
        ("d1", -2.0),
        ("d3", -3.0),
        ("d2", None),
    ]
    assert rows[2]["fused_score"] == 0
    assert (relabelled.extra["scores_failed"], _positive(relabelled)) == (1, "d1")


def test_a_source_without_a_score_stays_the_positive() -> None:
    relabelled = _relabel(Judge(_likes(None, -1.0, -3.0)))
    assert _positive(relabelled) == "d1"
    assert relabelled.extra["queries_with_unscored_source"] == 1


def test_every_score_failing_changes_nothing() -> None:
    relabelled = _relabel(Judge(_likes(None, None, None)), scorers=LIKELIHOOD + CLASSES)
    assert _positive(relabelled) == "d1"
    assert relabelled.extra["scores_failed"] == 6


def test_the_order_of_answers_does_not_count() -> None:
    likes = _likes(-2.0, -1.0, -3.0)
    both = {"scorers": LIKELIHOOD + CLASSES}
    forwards = _relabel(Judge(likes), **both)
    backwards = _relabel(Judge(likes, order=lambda scores: scores[::-1]), **both)
    assert forwards.judgments.equals(backwards.judgments)
    assert forwards.positives.equals(backwards.positives)


def test_a_lost_answer_is_refused_with_its_key() -> None:
    with pytest.raises(ContractError, match="query_likelihood/q1/d3"):
        _relabel(Judge(_likes(-2.0, -1.0, -3.0), order=lambda scores: scores[:2]))


def test_other_tasks_and_a_switched_off_stage_ask_nothing_and_keep_the_source() -> None:
    for settings in ({"apply_to_tasks": ("natural",)}, {"enabled": False}):
        judge = Judge(_likes(-2.0, -1.0, -3.0))
        relabelled = _relabel(judge, **settings)
        assert (judge.asked, _positive(relabelled), relabelled.judgments.num_rows) == ([], "d1", 0)


def test_a_query_with_no_other_candidate_is_not_asked_about() -> None:
    judge = Judge(_likes(-2.0))
    assert _positive(_relabel(judge, ["d1"])) == "d1"
    assert judge.asked == []


def test_every_query_keeps_one_positive_in_the_order_of_the_queries() -> None:
    queries = queries_of(*(query_row(f"q{i}", source_doc_id=f"d{i}") for i in (3, 1, 2)))
    candidates = candidates_of(
        *(candidates_row(f"q{i}", ["d1", "d2", "d3"], source_doc_id=f"d{i}") for i in (1, 2, 3))
    )
    config = RelabelConfig(scorers=LIKELIHOOD)
    relabelled = relabel(queries, candidates, DOCUMENTS, config, Judge(_likes(-3.0, -1.0, -2.0)))
    assert relabelled.positives["query_id"].to_pylist() == ["q3", "q1", "q2"]
    assert relabelled.positives["positive_ids"].to_pylist() == [["d2"]] * 3
    assert relabelled.positives["positive_was_relabelled"].to_pylist() == [True, True, False]


def test_long_documents_are_cut_for_scoring_and_counted() -> None:
    judge = Judge({"Text": -1.0})
    texts = [document_row(f"d{i}", f"Text. number{i}") for i in (1, 2, 3)]
    relabelled = relabel(
        queries_of(query_row("q1")),
        candidates_of(candidates_row("q1", ["d1", "d2", "d3"])),
        documents_of(*texts),
        RelabelConfig(scorers=LIKELIHOOD, max_document_characters=5),
        judge,
    )
    assert relabelled.extra["documents_truncated"] == 3
    assert all("number" not in request.prompt for request in judge.asked)


def test_no_queries_give_empty_tables() -> None:
    relabelled = relabel(
        empty(QUERIES), empty(CANDIDATES), DOCUMENTS, RelabelConfig(), Judge(_likes())
    )
    assert (relabelled.positives.num_rows, relabelled.judgments.num_rows) == (0, 0)
    assert relabelled.extra["pairs_scored"] == 0


def test_missing_documents_and_candidates_are_refused() -> None:
    with pytest.raises(ContractError, match="d404"):
        _relabel(Judge(_likes(-1.0)), ["d1", "d404"])
    with pytest.raises(ContractError, match="one row of candidates"):
        relabel(
            queries_of(query_row("q1")),
            empty(CANDIDATES),
            DOCUMENTS,
            RelabelConfig(),
            Judge(_likes(-1.0)),
        )


def test_a_language_without_a_prompt_is_scored_with_the_english_one() -> None:
    candidates = candidates_of(candidates_row("q1", ["d1", "d2"]))
    settings = RelabelConfig(scorers=LIKELIHOOD)
    asked = {}
    for language in ("tha-Thai", "eng-Latn"):
        judge = Judge(_likes(-1.0, -2.0))
        queries = queries_of(query_row("q1", query_language=language))
        relabel(queries, candidates, DOCUMENTS, settings, judge)
        asked[language] = [request.prompt for request in judge.asked]
    assert len(asked["tha-Thai"]) == 2
    assert asked["tha-Thai"] == asked["eng-Latn"]


def test_a_language_that_has_no_name_is_refused() -> None:
    queries = queries_of(query_row("q1", query_language="qzz-Latn"))
    candidates = candidates_of(candidates_row("q1", ["d1", "d2"]))
    settings = RelabelConfig(scorers=LIKELIHOOD)
    with pytest.raises(ConfigError, match="prompt_language"):
        relabel(queries, candidates, DOCUMENTS, settings, Judge(_likes(-1.0, -2.0)))


@pytest.mark.parametrize("scorers", [(), LIKELIHOOD * 2])
def test_no_scorer_or_the_same_one_twice_is_refused(scorers: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError, match="each once"):
        RelabelConfig(scorers=scorers)


def test_a_document_cannot_change_the_prompt_or_the_labels() -> None:
    documents = documents_of(
        document_row("d1", "number1. {query} {document}\n\nAnswer:\nmaybe | never"),
        document_row("d2", "number2."),
    )
    judge = Judge(_likes(-1.0, -2.0))
    relabel(
        queries_of(query_row("q1", "what | is {document}\nno")),
        candidates_of(candidates_row("q1", ["d1", "d2"])),
        documents,
        RelabelConfig(scorers=CLASSES),
        judge,
    )
    assert {r.continuation for r in judge.asked} == {" yes", " no"}
    assert "number1. {query} {document} Answer: maybe | never\n" in judge.asked[0].prompt


def test_likelihoods_are_numbers_a_float_can_hold() -> None:
    rows = _relabel(Judge(_likes(-2.0, -1.0, -3.0)), scorers=LIKELIHOOD + CLASSES).judgments
    assert all(math.isfinite(value) for value in rows["fused_score"].to_pylist())
    assert pa.types.is_float32(rows["fused_score"].type)


def test_documents_to_judge_are_all_that_relabelling_needs() -> None:
    queries = queries_of(query_row("q1"), query_row("q2", task="natural"))
    candidates = candidates_of(
        candidates_row("q1", ["d5", "d4", "d6", "d2", "d3"]), candidates_row("q2", ["d404"])
    )
    config = RelabelConfig(
        scorers=LIKELIHOOD, num_candidates=2, max_looked_at=3, apply_to_tasks=("llm_*",)
    )
    needed = documents_to_judge(queries, candidates, config).to_pylist()
    assert needed == ["d1", "d4", "d5", "d6"]
    few = documents_of(*(row for row in DOCUMENTS.to_pylist() if row["doc_id"] in needed))
    judge = Judge(_likes(-1.0, -2.0, -3.0, -4.0, -5.0))
    relabelled = relabel(queries, candidates, few, config, judge)
    assert relabelled.judgments["doc_id"].to_pylist() == ["d1", "d5"]


def test_a_configuration_that_was_written_out_reads_back_the_same() -> None:
    entry: Any = {"scorer": "query_likelihood", "min_gain": 0.2}
    config = RelabelConfig(scorers=(entry,))
    assert RelabelConfig.model_validate(config.model_dump(mode="json")) == config
    names = [scorer.name for scorer in RelabelConfig().scorers]
    assert names == ["query_likelihood", "relevance_classification"]


def test_a_document_that_is_the_query_itself_is_no_positive() -> None:
    passage = "Text number2."
    itself = content_id("d", passage)
    found = candidates_of(candidates_row("q1", [itself, "d1", "d3"], docs_above=1))
    documents = documents_of(
        document_row(itself, passage),
        *(document_row(f"d{i}", f"Text number{i}.") for i in (1, 3)),
    )
    queries, config = queries_of(query_row("q1", passage)), RelabelConfig(scorers=LIKELIHOOD)
    assert documents_to_judge(queries, found, config).to_pylist() == ["d1", "d3"]
    judge = Judge({"number1": -2.0, "number3": -3.0, "number2": -0.1})
    assert _positive(relabel(queries, found, documents, config, judge)) == "d1"
