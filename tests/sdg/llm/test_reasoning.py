from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdg.llm.openai_wire import read_reply
from sdg.llm.reasoning import share_of_tokens, split_reasoning


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("<think>\nWhat is it?\n</think>\n\nthe query", "What is it?", "the query"),
        ("What is it?\n</think>\nthe query", "What is it?", "the query"),
        ("<think></think>the query", "", "the query"),
        ("<think>never ends", "never ends", ""),
        ("the query", "", "the query"),
        ("use <think> in HTML", "", "use <think> in HTML"),
        ("", "", ""),
    ],
)
def test_reasoning_is_what_stands_before_the_answer(text: str, reasoning: str, answer: str) -> None:
    assert split_reasoning(text) == (reasoning, answer)


@given(st.text().filter(lambda text: "</think>" not in text and "<think>" not in text))
def test_a_reply_without_tags_is_not_touched(text: str) -> None:
    assert split_reasoning(text) == ("", text)


def test_the_share_of_tokens_follows_the_letters() -> None:
    assert share_of_tokens("x" * 30, "y" * 10, 100) == 75
    assert share_of_tokens("", "", 5) == 0


def body(message: dict[str, Any], finish: str = "stop", **usage: Any) -> dict[str, Any]:
    tokens = {"prompt_tokens": 7, "completion_tokens": 100, **usage}
    return {"choices": [{"message": message, "finish_reason": finish}], "usage": tokens}


@pytest.mark.parametrize(
    "message",
    [
        {"content": "q" * 10, "reasoning_content": "r" * 30},
        {"content": "q" * 10, "reasoning": "r" * 30},
        {"content": "<think>" + "r" * 30 + "</think>" + "q" * 10},
    ],
    ids=["reasoning_content", "reasoning", "tags"],
)
def test_reasoning_is_taken_off_and_its_tokens_counted(message: dict[str, Any]) -> None:
    reply = read_reply("k", body(message))
    (candidate,) = reply.candidates
    assert (candidate.text, candidate.reasoning) == ("q" * 10, "")
    assert (reply.completion_tokens, reply.reasoning_tokens) == (100, 75)


def test_what_the_server_counts_is_believed() -> None:
    details = {"reasoning_tokens": 42}
    message = {"content": "q", "reasoning_content": "r"}
    assert read_reply("k", body(message, completion_tokens_details=details)).reasoning_tokens == 42


def test_a_reply_cut_while_thinking_has_no_text_and_keeps_what_was_thought() -> None:
    reply = read_reply("k", body({"content": None, "reasoning_content": "hm"}, "length"))
    (candidate,) = reply.candidates
    assert (candidate.text, candidate.finish_reason, candidate.reasoning) == ("", "length", "hm")
