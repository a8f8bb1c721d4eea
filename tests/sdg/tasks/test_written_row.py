"""A row falls whose texts are empty or equal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdg.ids import comparison_key
from sdg.tasks.written_row import row_or_reason, written_as

TEXTS = st.lists(
    st.sampled_from(["", " ", "Brell", "brell!", "a bridge", "\ud800", "a\nb"]), max_size=3
)


@pytest.mark.parametrize(
    ("query", "positives", "negatives", "reason"),
    [
        pytest.param(" ", ["a"], ["b"], "empty_query", id="no query"),
        pytest.param("a\nb", ["c"], [], "several_lines", id="two lines"),
        pytest.param("q", [" \x00"], ["b"], "empty_positive", id="no positive"),
        pytest.param("q", ["a"], [""], "empty_negative", id="no negative"),
        pytest.param("a bridge", ["A bridge!"], [], "positive_equals_query", id="echo"),
        pytest.param("q", ["a"], ["Q?"], "negative_equals_query", id="echo in the negative"),
        pytest.param("q", ["a b"], ["A  B."], "negative_equals_positive", id="twins"),
        pytest.param("q", ["a", "A"], [], "repeated_positive", id="one positive twice"),
        pytest.param("q", ["a"], ["b", "B"], "repeated_negative", id="one negative twice"),
        pytest.param("q", ["a"], ["b"], "", id="sound"),
    ],
)
def test_texts_that_cannot_stand_together_have_their_reason(
    query: str, positives: list[str], negatives: list[str], reason: str
) -> None:
    written = (
        *written_as("negative", negatives, "eng-Latn", 1),
        *written_as("positive", positives, "eng-Latn", 3),
    )
    parsed = row_or_reason(query, written, facts={"a": 1})
    assert (parsed.reason, parsed.query) == (reason, "" if reason else query)
    assert parsed.written == (() if reason else written)


def test_matched_texts_keep_their_lines_and_typed_queries_lose_their_quotes() -> None:
    written = written_as("positive", [" a \n\n\n\nb "], "eng-Latn")
    assert written[0].text == "a\n\nb"
    assert row_or_reason("x\r\ny", written, is_one_line=False).query == "x\ny"
    assert row_or_reason("“who built it”", written).query == "who built it"


@given(st.text(max_size=5), TEXTS, TEXTS)
def test_what_is_accepted_has_only_different_texts(
    query: str, positives: list[str], negatives: list[str]
) -> None:
    written = (
        *written_as("positive", positives, "eng-Latn"),
        *written_as("negative", negatives, "eng-Latn"),
    )
    parsed = row_or_reason(query, written, is_one_line=False)
    assert bool(parsed.query) is not bool(parsed.reason)
    if not parsed.reason:
        texts = [parsed.query, *(document.text for document in parsed.written)]
        assert all(texts)
        assert len({comparison_key(text) for text in texts}) == len(texts)
