from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdg.corpus import CorpusConfig
from sdg.corpus.chunks import split_text
from sdg.errors import ConfigError
from sdg.ids import normalise_text

prose = st.lists(
    st.sampled_from(
        ["One two three.", "Yes!", "Is it so?", "word", "\n\n", "漢字。", "e\u0301" * 9]
    ),
    max_size=30,
).map(" ".join)


def test_chunks_hold_at_most_max_sentences_sentences_in_order() -> None:
    text = "Ann ran. Bob sat. Cat hid. Dan lay. Eve won. Fay left the room. Gus stayed at home."
    chunks = split_text(text, "eng-Latn", CorpusConfig(max_sentences=3, min_characters=1))
    assert chunks == [
        "Ann ran. Bob sat. Cat hid.",
        "Dan lay. Eve won. Fay left the room.",
        "Gus stayed at home.",
    ]


def test_a_last_chunk_under_min_characters_joins_the_one_before() -> None:
    config = CorpusConfig(max_sentences=2, min_characters=10)
    assert split_text("The first one. The second one. End.", "eng-Latn", config) == [
        "The first one. The second one. End."
    ]


def test_a_short_last_chunk_stays_alone_if_joining_would_break_max_characters() -> None:
    config = CorpusConfig(max_sentences=2, min_characters=10, max_characters=32)
    assert split_text("The first one. The second one. End.", "eng-Latn", config) == [
        "The first one. The second one.",
        "End.",
    ]


def test_an_abbreviation_ends_no_sentence() -> None:
    config = CorpusConfig(max_sentences=1, min_characters=1)
    assert split_text("Dr. Low came late. She sat.", "eng-Latn", config) == [
        "Dr. Low came late.",
        "She sat.",
    ]


def test_text_without_sentence_ends_is_cut_at_white_space() -> None:
    config = CorpusConfig(min_characters=1, max_characters=10)
    assert split_text("aaaa bbbb cccc dddd", "eng-Latn", config) == ["aaaa bbbb", "cccc dddd"]


def test_one_long_word_is_cut_at_the_bound_but_not_before_an_accent() -> None:
    config = CorpusConfig(min_characters=1, max_characters=4)
    assert split_text("abcdefgh", "eng-Latn", config) == ["abcd", "efgh"]
    letter = "x\u0323\u0301"
    assert split_text(letter * 3, "eng-Latn", config) == [letter, letter, letter]


def test_chunk_false_keeps_a_document_whole_whatever_its_length() -> None:
    text = "A sentence. " * 500
    assert split_text(text.strip(), "eng-Latn", CorpusConfig(chunk=False)) == [text.strip()]


@given(prose, st.integers(1, 40), st.one_of(st.none(), st.integers(1, 4)))
def test_chunks_keep_every_character_and_the_bound(
    text: str, max_characters: int, max_sentences: int | None
) -> None:
    text = normalise_text(text)
    config = CorpusConfig(
        min_characters=1, max_characters=max_characters, max_sentences=max_sentences
    )
    chunks = split_text(text, "fra-Latn", config)
    assert "".join("".join(chunks).split()) == "".join(text.split())
    assert [c for c in chunks if len(c) > max_characters or not c or c != normalise_text(c)] == []
    if max_characters > 2:
        assert not any(unicodedata.combining(chunk[0]) for chunk in chunks)


def test_bounds_without_room_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"`corpus\.max_characters` must be at least"):
        CorpusConfig(min_characters=100, max_characters=99)
