"""What is counted before a model of sentence-transformers reads a text."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from mining.encoders.sentence_transformers import SentenceTransformers
from sdg.judge.cross_encoder import CrossEncoderJudge
from sdg.sentence_transformers_models import are_longer


class Words:
    """A tokenizer of words; remembers how many inputs it was given at a time."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def __call__(
        self, inputs: Sequence[str | list[str]], **options: bool
    ) -> dict[str, list[list[int]]]:
        assert options.pop("return_attention_mask") is False
        assert options.pop("return_token_type_ids") is False
        assert options == {"truncation": False, "verbose": False}
        self.given.append(len(inputs))
        texts = [own if isinstance(own, str) else " ".join(own) for own in inputs]
        return {"input_ids": [[1] * len(text.split()) for text in texts]}


def test_a_shard_is_tokenised_in_pieces_and_every_text_is_told_in_its_place() -> None:
    tokenizer = Words()
    texts = ["word " * (place % 5) for place in range(600)]
    assert are_longer(tokenizer, texts, 3) == [place % 5 > 3 for place in range(600)]
    assert tokenizer.given == [256, 256, 88]
    assert are_longer(tokenizer, [], 3) == []


def test_a_cross_encoder_and_an_encoder_say_what_they_cut_without_holding_a_shard_of_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokenizer = Words()
    model = SimpleNamespace(tokenizer=tokenizer, max_seq_length=3, prompts={"query": "ask: "})
    for kind in (CrossEncoderJudge, SentenceTransformers):
        monkeypatch.setattr(kind, "_load", lambda _: model)
    judge = CrossEncoderJudge(model="m", margin=0.0)
    assert judge.are_cut([("a b", "c"), ("a b", "c d")] * 200) == [False, True] * 200
    encoder = SentenceTransformers(model="m")
    texts = ["a b", "a b c"] * 200
    assert encoder.is_truncated(texts, "query").tolist() == [False, True] * 200
    assert encoder.is_truncated(texts, "document").tolist() == [False] * 400
    assert tokenizer.given == [256, 144] * 3
