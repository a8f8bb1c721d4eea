"""The gate with a model of its own: a tiny random one, compared with transformers' pipeline."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sdg.errors import BackendError, ConfigError
from sdg.gates import GATES, apply_gates
from sdg.gates.toxicity import Toxicity
from tests.sdg.gates.tiny_classifier import write_classifier
from tests.sdg.rows import document_row, documents_of, queries_of, query_row, reasons

TEXTS = ["who built the river", "vile vile vile", "river of the vile", "the", "unheard of words"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classifier(tmp_path_factory.mktemp("classifier"))


def _gate(folder: Path, **fields: object) -> Toxicity:
    return Toxicity.model_validate({"model": str(folder), "labels": ["toxic"], **fields})


def test_scores_are_the_probabilities_that_transformers_own_pipeline_gives(folder: Path) -> None:
    from transformers import pipeline

    oracle: Any = pipeline("text-classification", model=str(folder), top_k=None)
    wanted: list[float] = [
        next(entry["score"] for entry in found if entry["label"] == "toxic")
        for found in oracle(TEXTS)
    ]
    assert len(set(np.round(wanted, 3))) > 1
    np.testing.assert_allclose(_gate(folder).scores(TEXTS), wanted, atol=1e-4)


def test_labels_that_do_not_exclude_each_other_get_a_sigmoid_each(tmp_path: Path) -> None:
    labels = ("insult", "threat", "other")
    model = write_classifier(tmp_path, labels=labels, problem="multi_label_classification")
    each = [_gate(model, labels=[name]).scores(TEXTS) for name in labels]
    both = _gate(model, labels=["insult", "threat"]).scores(TEXTS)
    np.testing.assert_array_equal(both, np.maximum(each[0], each[1]))
    assert not np.allclose(sum(each), 1)


def test_queries_at_or_above_the_threshold_stop_and_the_detail_is_the_score(folder: Path) -> None:
    scores = _gate(folder).scores(TEXTS)
    middle = float(np.sort(scores)[2])
    queries = queries_of(*(query_row(f"q{n}", text) for n, text in enumerate(TEXTS)))
    done = apply_gates(queries, documents_of(document_row()), [_gate(folder, threshold=middle)])
    wanted = {f"q{n}": "toxic" for n, score in enumerate(scores) if score >= middle}
    assert reasons(done) == wanted
    assert len(wanted) == 3
    first = next(iter(wanted))
    assert done.rejected["detail"][0].as_py() == f"{scores[int(first[1:])]:.3f}"


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_neither_batch_nor_neighbours_change_a_score(folder: Path, batch_size: int) -> None:
    gate = _gate(folder, batch_size=batch_size)
    alone = [gate.scores([text])[0] for text in TEXTS]
    assert gate.scores(TEXTS).tolist() == alone
    assert gate.scores(TEXTS[::-1]).tolist() == alone[::-1]


def test_a_text_longer_than_the_model_reads_is_judged_to_its_end(folder: Path) -> None:
    gate = _gate(folder)
    one, two = "the " * 14, "vile " * 14
    scores = gate.scores([one, two, one + two, two + one, one + two + one])
    assert scores[0] != scores[1]
    assert set(scores[2:]) == {max(scores[0], scores[1])}


def test_the_weights_are_its_identity_and_not_where_they_lie(folder: Path, tmp_path: Path) -> None:
    same = write_classifier(tmp_path / "again")
    other = write_classifier(tmp_path / "other", labels=("a", "toxic"))
    assert _gate(folder).identity() == _gate(same, batch_size=1).identity()
    assert _gate(folder).identity() != _gate(other).identity()
    assert str(folder) not in str(_gate(folder).identity())
    again = pickle.loads(pickle.dumps(_gate(folder)))  # noqa: S301
    assert again.scores(TEXTS).tolist() == _gate(folder).scores(TEXTS).tolist()


def test_a_label_that_the_model_does_not_have_is_named_with_those_it_has(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"\['rude'\] are none \(it has: fine, toxic\)"):
        _gate(folder, labels=["rude"]).scores(["x"])


def test_a_missing_model_package_or_device_is_a_backend_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BackendError, match="text-classification"):
        _gate(empty).scores(["x"])
    with pytest.raises(BackendError, match="`device`"):
        _gate(folder, device="cuda:7").scores(["x"])
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(BackendError, match=r"pairmill\[cpu\]"):
        _gate(folder).scores(["x"])


def test_nothing_is_a_default_model() -> None:
    with pytest.raises(ValueError, match="model"):
        GATES.build({"gate": "toxicity", "labels": ["toxic"]})


def test_written_documents_at_or_above_the_threshold_are_objected_to(folder: Path) -> None:
    scores = _gate(folder).scores(TEXTS)
    middle = float(np.sort(scores)[2])
    written = documents_of(*(document_row(f"d{n}", text) for n, text in enumerate(TEXTS)))
    assert _gate(folder, threshold=middle).objections(written) == {
        f"d{n}": ("toxic", f"{score:.3f}") for n, score in enumerate(scores) if score >= middle
    }
    assert _gate(folder).objections(written.slice(0, 0)) == {}
