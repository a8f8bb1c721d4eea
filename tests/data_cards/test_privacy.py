from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_cards.privacy import WITHHELD, private_values, publishable

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["path", "url", "api_key", "n"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("key", "value", "published"),
    [
        ("api_key", "sk-123", WITHHELD),
        ("hf_token", "hf_123", WITHHELD),
        ("api_key", "", ""),
        ("max_tokens", 256, 256),
        ("tokenizer", "words", "words"),
        ("url", "http://gpu-7.internal:8000/v1", WITHHELD),
        ("urls", ["http://a:1", "http://b:2"], [WITHHELD, WITHHELD]),
        ("path", "/home/me/corpus.parquet", "corpus.parquet"),
        ("path", "~/corpus", "corpus"),
        ("path", "file:///srv/corpus.jsonl", "corpus.jsonl"),
        ("path", r"C:\Users\me\corpus.csv", "corpus.csv"),
        ("path", "corpora/mine.parquet", "corpora/mine.parquet"),
        ("path", "s3://key:secret@bucket/corpus?sig=1", "s3://bucket/corpus"),
        ("path", "hf://datasets/owner/name", "hf://datasets/owner/name"),
        ("question", "either / or", "either / or"),
        ("temperature", 0.7, 0.7),
    ],
)
def test_publishable_withholds_secrets_servers_and_absolute_paths(
    key: str, value: Any, published: Any
) -> None:
    assert publishable({"part": {key: value}}) == {"part": {key: published}}
    assert bool(private_values({"part": {key: value}})) is (value != published)


def test_private_values_names_the_dotted_key() -> None:
    config = {"engines": [{"name": "big", "api_key": "x"}], "out": "/tmp/x"}  # noqa: S108
    assert private_values(config) == ["engines[0].api_key", "out"]


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=4))
def test_publishable_twice_is_publishable_once(config: dict[str, Any]) -> None:
    assert private_values(publishable(config)) == []
