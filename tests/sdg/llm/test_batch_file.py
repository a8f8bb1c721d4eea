from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sdg.errors import BackendError, DataError
from sdg.llm import ENGINES, ChatRequest, Engine, Message, Sampling, ScoreRequest
from sdg.llm.journal import Journal


def engine(folder: Path, **fields: Any) -> Engine:
    given = {"engine": "batch_file", "folder": str(folder), "model": "m", "model_revision": "r"}
    return ENGINES.build({**given, **fields})


def ask(key: str) -> ChatRequest:
    return ChatRequest(key, "", (Message("user", f"about {key}"),), Sampling(), 7)


def lines(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / "requests").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def answer(asked: dict[str, Any], **response: Any) -> str:
    text = "re " + asked["body"]["messages"][0]["content"]
    choice = {"message": {"content": text}, "finish_reason": "stop"}
    body = {"choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    told = {"status_code": 200, "body": body, **response}
    return json.dumps({"custom_id": asked["custom_id"], "response": told, "error": None}) + "\n"


def test_requests_are_written_once_and_their_replies_read_by_the_next_run(tmp_path: Path) -> None:
    requests = [ask(f"r{i}") for i in range(5)]
    with Journal(tmp_path / "j.db") as journal:
        for first in (engine(tmp_path), engine(tmp_path)):
            replies = journal.complete(first, requests)
            assert {reply.failure for reply in replies} == {"pending"}
            assert "5 requests must be answered" in first.pending()
        asked = lines(tmp_path)
        assert [line["body"]["messages"][0]["content"] for line in asked] == [
            f"about r{i}" for i in range(5)
        ]
        assert {(line["method"], line["url"]) for line in asked} == {
            ("POST", "/v1/chat/completions")
        }
        (tmp_path / "replies").mkdir()
        (tmp_path / "replies" / "0000.jsonl").write_text("".join(map(answer, reversed(asked))))
        second = engine(tmp_path)
        replies = journal.complete(second, requests)
        assert [reply.candidates[0].text for reply in replies] == [
            f"re about r{i}" for i in range(5)
        ]
        assert second.pending() == ""
        assert (journal.usage.completion_tokens, len(lines(tmp_path))) == (10, 5)


def test_only_what_no_file_holds_is_written_into_a_new_file(tmp_path: Path) -> None:
    list(engine(tmp_path).complete([ask("a")]))
    with (tmp_path / "requests" / "0000.jsonl").open("a") as file:
        file.write('{"custom_id": "cut by a cra')
    list(engine(tmp_path, requests_per_file=2).complete([ask(key) for key in "abcd"]))
    files = sorted((tmp_path / "requests").glob("*.jsonl"))
    assert [file.name for file in files] == ["0000.jsonl", "0001.jsonl", "0002.jsonl"]
    assert [len(file.read_text().splitlines()) for file in files[1:]] == [2, 1]


@pytest.mark.parametrize(
    ("status", "failure"), [(400, "refused"), (429, "pending"), (500, "pending")]
)
def test_a_failed_line_is_a_failure_with_what_was_said(
    tmp_path: Path, status: int, failure: str
) -> None:
    list(engine(tmp_path).complete([ask("a")]))
    (tmp_path / "replies").mkdir()
    told = answer(lines(tmp_path)[0], status_code=status, body={"message": "no such thing"})
    (tmp_path / "replies" / "x.jsonl").write_text(told)
    (reply,) = engine(tmp_path).complete([ask("a")])
    assert (reply.failure, "no such thing" in reply.detail) == (failure, True)


def test_what_failed_for_now_is_written_once_into_a_new_file_and_an_answer_ends_it(
    tmp_path: Path,
) -> None:
    requests = [ask(key) for key in "abc"]
    list(engine(tmp_path).complete(requests))
    a, b, c = lines(tmp_path)
    expired = {"custom_id": b["custom_id"], "response": None, "error": {"code": "batch_expired"}}
    replies = tmp_path / "replies"
    replies.mkdir()
    (replies / "z.jsonl").write_text(
        answer(a) + json.dumps(expired) + "\n" + answer(c, status_code=500)
    )
    for _ in range(2):  # The second run finds what the first wrote and adds nothing.
        again = engine(tmp_path)
        told = list(again.complete(requests)) + list(again.complete(requests))
        assert [reply.failure for reply in told] == ["", "pending", "pending"] * 2
        assert "batch_expired" in told[1].detail
        assert "2 requests must be answered" in again.pending()
        assert [line["custom_id"] for line in lines(tmp_path)[3:]] == [
            b["custom_id"],
            c["custom_id"],
        ]
    assert len(list((tmp_path / "requests").iterdir())) == 2
    # Files of a batch service have names of their own: an answer counts wherever it lies.
    (replies / "a.jsonl").write_text(answer(b) + answer(c, status_code=503))
    last = engine(tmp_path)
    assert [reply.failure for reply in last.complete(requests)] == ["", "", "pending"]
    assert [line["custom_id"] for line in lines(tmp_path)[5:]] == [c["custom_id"]]


def test_a_file_of_replies_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "replies").mkdir()
    (tmp_path / "replies" / "x.jsonl").write_text("<html>\n")
    with pytest.raises(DataError, match=r"x\.jsonl.*<html>"):
        list(engine(tmp_path).complete([ask("a")]))


def test_it_says_that_it_cannot_score(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="another engine"):
        list(engine(tmp_path).score([ScoreRequest("a", "x", " y")]))


def test_where_the_files_lie_does_not_change_what_is_asked(tmp_path: Path) -> None:
    assert engine(tmp_path).identity() == engine(tmp_path / "b", requests_per_file=3).identity()
    for change in ({"model": "n"}, {"model_revision": "s"}, {"extra_body": {"top_k": 3}}):
        assert engine(tmp_path, **change).identity() != engine(tmp_path).identity()
