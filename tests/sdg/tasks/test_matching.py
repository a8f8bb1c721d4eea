"""Two texts that belong together, short or long; no negative is written."""

from __future__ import annotations

import pytest

from sdg.tasks import Written
from sdg.tasks.long_long import LongLong
from sdg.tasks.short_short import ShortShort
from tests.sdg.tasks.whole_rows import read_one, request, text_of

SHORT, LONG = ShortShort(), LongLong()
SHORT_REPLY = {"input_text": "a spirit level", "positive_text": "hanging shelves straight"}
LONG_REPLY = {"input_text": "One court ruled.\n\nSo it did.", "positive_document": "Another, too."}


def test_a_short_text_is_matched_with_a_short_one() -> None:
    parsed = read_one(SHORT, SHORT_REPLY, document_language="fra-Latn")
    assert parsed.query == "a spirit level"
    assert parsed.written == (Written("hanging shelves straight", "fra-Latn", "positive"),)


def test_a_long_text_keeps_its_paragraphs() -> None:
    parsed = read_one(LONG, LONG_REPLY)
    assert parsed.query == "One court ruled.\n\nSo it did."
    assert parsed.written == (Written("Another, too.", "eng-Latn", "positive"),)


@pytest.mark.parametrize(
    ("task", "value", "reason"),
    [
        (SHORT, {**SHORT_REPLY, "input_text": "a\nb"}, "several_lines"),
        (SHORT, {**SHORT_REPLY, "positive_text": ""}, "empty_positive"),
        (SHORT, {**SHORT_REPLY, "positive_text": "A spirit level!"}, "positive_equals_query"),
        (SHORT, LONG_REPLY, "wrong_json_schema"),
        (LONG, {**LONG_REPLY, "input_text": "\n"}, "empty_query"),
        (LONG, {**LONG_REPLY, "positive_document": " "}, "empty_positive"),
        (LONG, SHORT_REPLY, "wrong_json_schema"),
    ],
)
def test_a_reply_that_is_no_pair_has_its_reason(
    task: ShortShort | LongLong, value: object, reason: str
) -> None:
    assert read_one(task, value).reason == reason


def test_long_texts_are_asked_for_with_their_length() -> None:
    task = LongLong(min_words=120)
    assert "at least 120 words" in text_of(task.render(request(task), {}, ["Match them"]))
    assert "at least 300 words" in text_of(LONG.render(request(LONG), {}, ["Match them"]))
