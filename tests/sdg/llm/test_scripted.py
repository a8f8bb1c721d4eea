from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdg.errors import ConfigError
from sdg.llm import ENGINES, ChatRequest, Engine, Message, Reply, Sampling, ScoreRequest
from sdg.llm.scripted import keyword_query, last_passage

PASSAGE = (
    "The lighthouse of Arvik was built in 1874 by the engineer Maria Lund on a granite reef in "
    "the North Sea, and its lamp is visible at a distance of twenty kilometres."
)


def scripted(**fields: Any) -> Engine:
    return ENGINES.build({"engine": "scripted", **fields})


def reply_to(engine: Engine, prompt: str, *, seed: int = 0, n: int = 1, schema: str = "") -> Reply:
    request = ChatRequest("k", prompt, (), Sampling(num_candidates=n), seed, schema)
    (reply,) = engine.complete([request])
    return reply


def test_default_reply_is_a_short_query_of_the_passages_own_words() -> None:
    words = reply_to(scripted(), f"Passage: {PASSAGE}\nQuery:").candidates[0].text.split()
    assert 4 <= len(words) == len(set(words)) <= 7
    assert set(words) <= set(PASSAGE.casefold().replace(",", "").split())


def test_candidates_and_seeds_differ_and_repeat_exactly() -> None:
    first = reply_to(scripted(), PASSAGE, n=8)
    assert reply_to(scripted(), PASSAGE, n=8) == first
    assert len({c.text for c in first.candidates}) >= 4
    assert reply_to(scripted(), PASSAGE, n=8, seed=1).candidates != first.candidates


@pytest.mark.parametrize(
    "prompt",
    [
        f"Passage: Some other passage that is shown first as an example of the task.\nQuery: some "
        f"example\n\nPassage: {PASSAGE}\nQuery:",
        f"<document>\n{PASSAGE}\n</document>\nWrite one query that this document answers, and no "
        "other text before it or after it.",
        f"Texte : {PASSAGE}\nQuestion :",
    ],
    ids=["few_shot", "tagged", "label_with_space"],
)
def test_last_passage_is_found_in(prompt: str) -> None:
    assert last_passage(prompt) == PASSAGE


@given(st.text(), st.integers(0, 2**63 - 1))
def test_keyword_query_takes_distinct_words_in_the_order_of_the_passage(
    passage: str, draw: int
) -> None:
    words = keyword_query(passage, draw).split()
    assert len(words) == len(set(words)) <= 7
    lowered = passage.casefold()
    places = [lowered.index(word) for word in words]
    assert all(place >= 0 for place in places)


def test_rules_answer_before_the_default_and_candidates_take_turns(tmp_path: Path) -> None:
    rules = tmp_path / "rules.jsonl"
    rules.write_text('{"match": "light.ouse", "replies": ["one", "two"]}\n', encoding="utf-8")
    engine = scripted(replies_file=str(rules))
    assert [c.text for c in reply_to(engine, PASSAGE, n=3).candidates] == ["one", "two", "one"]
    assert reply_to(engine, "Nothing that matches here").candidates[0].text != "one"


def test_identity_follows_the_rules_content_not_their_place(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text('{"match": "x", "replies": ["one"]}', encoding="utf-8")
    second.write_text('{"match": "x", "replies": ["one"]}\n', encoding="utf-8")
    assert scripted(replies_file=str(first)).identity() == (
        scripted(replies_file=str(second), delay_seconds=1, log_file="x").identity()
    )
    second.write_text('{"match": "x", "replies": ["two"]}', encoding="utf-8")
    assert scripted(replies_file=str(first)).revision() != (
        scripted(replies_file=str(second)).revision()
    )


@pytest.mark.parametrize("line", ['{"match": "("}', "no json", '{"match": "x", "replies": []}'])
def test_a_bad_rule_is_refused_with_the_file(tmp_path: Path, line: str) -> None:
    rules = tmp_path / "rules.jsonl"
    rules.write_text(line, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"rules\.jsonl"):
        reply_to(scripted(replies_file=str(rules)), PASSAGE)


def test_bad_fraction_makes_every_kind_of_bad_candidate_at_about_its_share() -> None:
    candidates = reply_to(scripted(bad_fraction=0.5), PASSAGE, n=400).candidates
    empty = sum(c.text == "" for c in candidates)
    copied = sum(c.text == PASSAGE for c in candidates)
    cut = sum(c.finish_reason == "length" for c in candidates)
    assert 160 <= empty + copied + cut <= 240
    assert min(empty, copied, cut) >= 40


def test_bad_fraction_spares_a_request_for_one_candidate() -> None:
    assert reply_to(scripted(bad_fraction=1.0), PASSAGE).candidates[0].text not in ("", PASSAGE)


def test_schema_gives_json_that_obeys_it() -> None:
    schema = {
        "type": "object",
        "properties": {
            "query": {"type": "string"},
            "kind": {"enum": ["keyword", "question"]},
            "grade": {"type": "integer", "minimum": 1},
            "more": {"type": "array", "items": {"type": "string"}},
        },
    }
    value = json.loads(reply_to(scripted(), PASSAGE, schema=json.dumps(schema)).candidates[0].text)
    assert sorted(value) == ["grade", "kind", "more", "query"]
    assert value["kind"] in ("keyword", "question") and value["grade"] == 1
    assert len(value["more"]) == 1
    assert value["more"][0].endswith(" more") and value["more"] != [value["query"]]


def test_lists_have_as_many_items_as_the_schema_needs_each_drawn_for_itself() -> None:
    lists = {
        "three": {"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 5},
        "none": {"type": "array", "items": {"type": "string"}, "minItems": 0, "maxItems": 0},
    }
    schema = json.dumps({"type": "object", "properties": lists})
    value = json.loads(reply_to(scripted(), PASSAGE, schema=schema).candidates[0].text)
    assert value["none"] == []
    assert len(value["three"]) == len(set(value["three"])) == 3


def test_schema_without_properties_gives_a_query() -> None:
    value = json.loads(reply_to(scripted(), PASSAGE, schema="{}").candidates[0].text)
    assert list(value) == ["query"]


def test_score_is_higher_the_more_words_the_prompt_holds() -> None:
    texts = {"all": " arvik lighthouse", "half": " arvik noodles", "none": " rice noodles"}
    scores = scripted().score([ScoreRequest(k, PASSAGE, text) for k, text in texts.items()])
    assert {s.key: s.mean_logprob for s in scores} == {
        "all": -0.002,
        "half": -0.502,
        "none": -1.002,
    }


def test_a_prompt_over_the_limit_is_too_long_for_replies_and_scores() -> None:
    engine = scripted(max_prompt_words=3)
    assert reply_to(engine, PASSAGE).failure == "too_long"
    (score,) = engine.score([ScoreRequest("k", PASSAGE, " x")])
    assert (score.failure, score.mean_logprob) == ("too_long", None)


def test_log_file_gets_one_line_per_request_answered(tmp_path: Path) -> None:
    log = tmp_path / "sent.log"
    engine = scripted(log_file=str(log))
    request = ChatRequest("a", "", (Message("user", PASSAGE),), Sampling(), 0)
    stream = engine.complete([request, ChatRequest("b", "other", (), Sampling(), 0)])
    next(stream)
    assert len(log.read_text().splitlines()) == 1
    next(stream)
    assert len(set(log.read_text().splitlines())) == 2
