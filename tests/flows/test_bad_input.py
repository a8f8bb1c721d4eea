"""Bad input gives one clear message with the cure, and exit status 2 or 3; never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows import cli
from sdg.errors import PairmillError
from tests.flows.small import pairmill, published, settings, write_config, write_corpus


def _build(config: Path, out: Path) -> PairmillError:
    """Return the error that `pairmill build` ends with."""
    from flows.build import run_build

    with pytest.raises(PairmillError) as caught:
        run_build(config, out)
    return caught.value


def _source(corpus: Path, **changes: Any) -> dict[str, Any]:
    values = settings(corpus)
    values["sources"][0].update(changes)
    return values


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus.jsonl", 6)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    error = _build(write_config(tmp_path / "c.yaml", settings(tmp_path / "none.jsonl")), tmp_path)
    assert "none.jsonl" in str(error)
    assert error.exit_status == 2


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    error = _build(write_config(tmp_path / "c.yaml", settings(tmp_path / "empty.jsonl")), tmp_path)
    assert "at least one document" in str(error)
    assert error.exit_status == 2


def test_a_corpus_whose_documents_are_all_rejected_says_why(corpus: Path, tmp_path: Path) -> None:
    values = settings(corpus)
    values["corpus"]["min_characters"] = 2000
    error = _build(write_config(tmp_path / "c.yaml", values), tmp_path / "out")
    assert "'under_min_characters': 20" in str(error)
    assert error.exit_status == 2


def test_a_corrupt_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and then nothing")
    values = settings(tmp_path / "bad.parquet")
    values["sources"] = [{"reader": "parquet", "path": str(tmp_path / "bad.parquet")}]
    error = _build(write_config(tmp_path / "c.yaml", values), tmp_path / "out")
    assert "bad.parquet" in str(error)
    assert error.exit_status == 2


def test_a_wrong_column_lists_those_that_are_there(corpus: Path, tmp_path: Path) -> None:
    error = _build(
        write_config(tmp_path / "c.yaml", _source(corpus, text_column="body")), tmp_path / "out"
    )
    assert "body" in str(error)
    assert "description" in str(error)
    assert error.exit_status == 2


def test_text_that_is_not_utf8_names_the_cure(tmp_path: Path) -> None:
    (tmp_path / "latin.jsonl").write_bytes('{"text": "caf\u00e9"}\n'.encode("latin-1"))
    error = _build(write_config(tmp_path / "c.yaml", settings(tmp_path / "latin.jsonl")), tmp_path)
    assert "latin.jsonl" in str(error)
    assert "encoding" in str(error)
    assert error.exit_status == 2


def test_a_document_of_one_megabyte_names_the_limit_and_the_cure(tmp_path: Path) -> None:
    (tmp_path / "big.jsonl").write_text(json.dumps({"text": "word " * 200_000}) + "\n")
    error = _build(write_config(tmp_path / "c.yaml", settings(tmp_path / "big.jsonl")), tmp_path)
    assert "max_document_characters" in str(error)
    assert "on_bad_text" in str(error)
    assert error.exit_status == 2


def test_a_server_that_is_down_ends_with_status_3_and_keeps_finished_work(
    corpus: Path, tmp_path: Path
) -> None:
    values = settings(corpus)
    values["generators"]["script"] = {
        "engine": "openai",
        "base_urls": ["http://127.0.0.1:9/v1"],
        "model": "none",
        "max_attempts": 1,
    }
    error = _build(write_config(tmp_path / "c.yaml", values), tmp_path / "out")
    assert "127.0.0.1:9" in str(error)
    assert error.exit_status == 3
    assert (tmp_path / "out" / ".work" / "stages" / "plan" / "all" / "manifest.json").exists()


def test_a_plan_without_a_document_says_which_quota_found_none(
    corpus: Path, tmp_path: Path
) -> None:
    values = settings(corpus)
    for entry in values["plan"]["entries"]:
        entry["min_characters"] = 100_000
    error = _build(write_config(tmp_path / "c.yaml", values), tmp_path / "out")
    assert "too_few_documents" in str(error)
    assert error.exit_status == 2


def test_an_output_that_cannot_be_written_is_refused(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    error = _build(write_config(tmp_path / "c.yaml", settings(corpus)), tmp_path / "file" / "out")
    assert "--out" in str(error)
    assert error.exit_status == 2


def test_going_back_to_the_first_input_after_a_failed_second_one_mixes_nothing(
    tmp_path: Path,
) -> None:
    """A run that read half of another input once left its batches under the first one's index."""
    from flows.build import run_build

    corpus = write_corpus(tmp_path / "corpus.jsonl", 6)
    config = write_config(tmp_path / "c.yaml", settings(corpus))
    good = corpus.read_bytes()
    run_build(config, tmp_path / "out")
    before = published(tmp_path / "out")
    other = write_corpus(tmp_path / "other.jsonl", 7).read_bytes()
    corpus.write_bytes(other)
    run_build(config, tmp_path / "out")
    assert published(tmp_path / "out") != before
    corpus.write_bytes(good)
    run_build(config, tmp_path / "out")
    assert published(tmp_path / "out") == before


def test_another_run_in_the_same_directory_is_refused(corpus: Path, tmp_path: Path) -> None:
    from flows.lock import locked

    config = write_config(tmp_path / "c.yaml", settings(corpus))
    with locked(tmp_path / "out"):
        error = _build(config, tmp_path / "out")
    assert "another run" in str(error)


def test_the_command_line_prints_one_message_and_no_traceback(tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.yaml", {**settings(tmp_path / "x"), "sead": 1})
    result = pairmill("build", config, "--out", tmp_path / "out", home=tmp_path / "home")
    assert result.returncode == 2
    assert result.stderr.startswith("pairmill: ")
    assert "`sead` is an unknown key (value 1). Did you mean `seed`?" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_failure_inside_the_flow_prints_one_message_too(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("{not json}\n")
    config = write_config(tmp_path / "c.yaml", settings(tmp_path / "bad.jsonl"))
    result = pairmill("build", config, "--out", tmp_path / "out", home=tmp_path / "home")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "bad.jsonl" in result.stderr


def test_usage_errors_exit_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.app(["build"])
    assert caught.value.code == 2
    assert "CONFIG" in capsys.readouterr().err
