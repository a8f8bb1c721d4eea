"""`pairmill check` says of each thing whether it is right, and of each wrong one how to cure it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from flows import check as checking
from flows import cli
from flows.check import Checked, check_run, exit_status
from flows.check_report import print_checks
from flows.checks import Question, Setup, Told, prompt_files
from flows.config import load_config
from sdg.errors import BackendError, ConfigError
from tests.flows.small import settings, write_config
from tests.sdg.llm.mock_server import MODEL, Asked, MockServer, closed_port, running_server

PRESETS = Path(checking.__file__).parent / "presets"


@pytest.fixture
def server() -> Iterator[MockServer]:
    with running_server() as running:
        yield running


def _values(corpus: Path, **changes: Any) -> dict[str, Any]:
    return {**settings(corpus), **changes}


def _served(corpus: Path, *urls: str, **changes: Any) -> dict[str, Any]:
    engine = {"engine": "openai", "base_urls": list(urls), "model": MODEL, "max_attempts": 1}
    values = _values(corpus, generators={"script": {**engine, **changes}})
    values["plan"]["entries"][0]["task"]["shape"] = "chat"
    return values


def _check(values: dict[str, Any], tmp_path: Path, **options: Any) -> dict[str, Checked]:
    config = write_config(tmp_path / "c.yaml", values)
    checked = check_run(config, options.pop("out", tmp_path / "out"), [], **options)
    return {f"{one.kind} {one.name}": one for one in checked}


def _status(checked: dict[str, Checked], status: str) -> set[str]:
    return {title for title, one in checked.items() if one.status == status}


def test_everything_is_asked_and_nothing_is_left_behind(small_corpus: Path, tmp_path: Path) -> None:
    log = tmp_path / "asked.log"
    values = _values(small_corpus, schedule={"cron": "0 3 * * *"})
    values["generators"]["script"]["log_file"] = str(log)
    checked = _check(values, tmp_path)
    assert list(checked) == [
        "configuration small",
        "output directory",
        "output journal",
        "output disk",
        "schedule 0 3 * * *",
        "prompts task llm_query",
        "prompts task natural_description",
        "prompts scorer query_likelihood",
        "prompts scorer relevance_classification",
        "source 0 jsonl",
        "index index",
        "encoder encoder",
        "generator script",
        "likelihood script",
    ]
    assert _status(checked, "ok") == set(checked)
    assert exit_status(checked.values()) == 0
    assert len(log.read_text().splitlines()) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["asked.log", "c.yaml"]
    assert checked["source 0 jsonl"].figures["documents"] == 92
    assert checked["encoder encoder"].figures["dimension"] == 256


def test_a_finished_data_set_and_its_journal_stay_as_they_are(
    small_config: Path, small_data_set: Path
) -> None:
    def state() -> dict[str, bytes | list[str]]:
        files = [p for p in small_data_set.rglob("*") if p.is_file()]
        content: dict[str, bytes | list[str]] = {str(p): p.read_bytes() for p in files}
        # SQLite counts in the file's head how often it was opened.
        journal = small_data_set / ".work" / "journal.sqlite"
        with closing(sqlite3.connect(journal)) as database:
            content[str(journal)] = list(database.iterdump())
        return content

    before = state()
    checked = check_run(small_config, small_data_set, [])
    assert exit_status(checked) == 0
    assert state() == before


def test_a_wrong_setting_is_the_one_failure_there_is(small_corpus: Path, tmp_path: Path) -> None:
    checked = _check(_values(small_corpus, sead=1), tmp_path)
    (failed,) = checked.values()
    assert (failed.kind, failed.status, failed.exit_status) == ("configuration", "failed", 2)
    assert "Did you mean `seed`?" in failed.text


def test_each_server_is_asked_and_one_that_is_down_does_not_stop_the_others(
    small_corpus: Path, server: MockServer, tmp_path: Path
) -> None:
    down = f"http://127.0.0.1:{closed_port()}/v1"
    checked = _check(_served(small_corpus, server.url, down), tmp_path)
    assert checked[f"server {server.url} {MODEL}"].figures["models"] == [MODEL]
    failed = checked[f"server {down} {MODEL}"]
    assert (failed.status, failed.exit_status) == ("failed", 3)
    assert "Start it, or correct `base_urls`" in failed.text
    assert _status(checked, "failed") == {f"server {down} {MODEL}"}
    assert checked["generator script"].figures["revision"] == f"served:{MODEL}:weights-1"
    assert "structured reply script" in _status(checked, "ok")
    assert "likelihood script" in _status(checked, "ok")


def test_what_needs_a_server_that_is_down_is_skipped(small_corpus: Path, tmp_path: Path) -> None:
    down = f"http://127.0.0.1:{closed_port()}/v1"
    checked = _check(_served(small_corpus, down), tmp_path)
    assert _status(checked, "skipped") == {
        "generator script",
        "structured reply script",
        "likelihood script",
    }
    assert exit_status(checked.values()) == 3


def test_a_wrong_model_name_lists_what_is_served(
    small_corpus: Path, server: MockServer, tmp_path: Path
) -> None:
    checked = _check(_served(small_corpus, server.url, model="mock-modle"), tmp_path)
    failed = checked[f"server {server.url} mock-modle"]
    assert (failed.status, failed.exit_status) == ("failed", 2)
    assert f"serves ({MODEL})" in failed.text
    assert server.bodies == []


@pytest.mark.parametrize(
    ("fault", "title", "words"),
    [
        ("400", "generator script", "bad sampling"),
        ("empty", "generator script", "said nothing"),
        ("not_json", "structured reply script", "must obey a JSON schema"),
    ],
)
def test_a_model_that_answers_wrongly_is_a_failed_backend(
    small_corpus: Path, server: MockServer, tmp_path: Path, fault: str, title: str, words: str
) -> None:
    def misbehave(asked: Asked) -> str:
        is_chat = asked.path.endswith("chat/completions")
        is_meant = fault != "not_json" or "response_format" in asked.body
        return fault if is_chat and is_meant else ""

    server.misbehave = misbehave
    checked = _check(_served(small_corpus, server.url), tmp_path)
    assert title in _status(checked, "failed")
    assert words in checked[title].text
    assert exit_status(checked.values()) == 3


def test_a_server_that_stalls_is_given_up_after_the_time_limit(
    small_corpus: Path, server: MockServer, tmp_path: Path
) -> None:
    server.misbehave = lambda asked: "stall" if "completions" in asked.path else ""
    started = time.monotonic()
    checked = _check(_served(small_corpus, server.url), tmp_path, timeout_seconds=2.0)
    assert time.monotonic() - started < 15
    assert "within 2 s" in checked["generator script"].text
    assert checked["structured reply script"].status == "skipped"
    server.closing.set()


def test_an_encoder_folder_that_is_missing_is_named(small_corpus: Path, tmp_path: Path) -> None:
    encoder = {"encoder": "sentence_transformers", "model": str(tmp_path / "none")}
    checked = _check(_values(small_corpus, encoder=encoder), tmp_path)
    assert _status(checked, "failed") == {"encoder encoder"}
    assert str(tmp_path / "none") in checked["encoder encoder"].text
    assert checked["encoder encoder"].exit_status == 2


def test_an_index_on_a_gpu_that_is_not_there_is_refused(small_corpus: Path, tmp_path: Path) -> None:
    index = {"index": "faiss_flat", "device": "gpu"}
    checked = _check(_values(small_corpus, index=index), tmp_path)
    if checked["index index"].status == "ok":
        pytest.skip("this machine has a GPU")
    assert "Install the extra `gpu`" in checked["index index"].text
    assert exit_status(checked.values()) == 3


def test_a_prompt_that_is_missing_is_named_with_its_languages(
    small_corpus: Path, tmp_path: Path
) -> None:
    values = _values(small_corpus)
    values["plan"]["entries"][0]["quotas"] = [
        {"documents": "eng-Latn", "queries": "eng-Latn", "count": 2},
        {"documents": "eng-Latn", "queries": "qaa-Latn", "count": 2},
    ]
    checked = _check(values, tmp_path)
    assert "for eng-Latn to qaa-Latn it has none" in checked["prompts task llm_query"].text
    assert "prompts scorer query_likelihood" in _status(checked, "failed")
    assert exit_status(checked.values()) == 2


def test_a_source_that_cannot_be_read_is_named(small_corpus: Path, tmp_path: Path) -> None:
    values = _values(small_corpus)
    values["sources"][0]["path"] = str(tmp_path / "none.jsonl")
    checked = _check(values, tmp_path)
    assert _status(checked, "failed") == {"source 0 jsonl"}
    assert "none.jsonl" in checked["source 0 jsonl"].text


def test_the_first_document_cannot_colour_the_terminal(tmp_path: Path) -> None:
    corpus = tmp_path / "towns.jsonl"
    corpus.write_text(json.dumps({"title": "x", "text": "\x1b[31mred" + " word" * 40}) + "\n")
    values = _values(corpus)
    for name in ("language", "topic", "entity"):
        values["sources"][0][f"{name}_column"] = ""
    told = _check(values, tmp_path)["source 0 jsonl"]
    assert r"\u{1b}[31mred" in told.text
    assert "\x1b" not in told.text
    assert told.text.endswith('…"')


def test_a_folder_that_cannot_be_written_is_refused(small_corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    checked = _check(_values(small_corpus), tmp_path, out=tmp_path / "file" / "out")
    assert checked["output directory"].status == "failed"
    assert checked["output journal"].status == "skipped"
    assert exit_status(checked.values()) == 2


def test_a_disk_without_room_is_refused(small_corpus: Path, tmp_path: Path) -> None:
    values = _values(small_corpus, assemble={"max_shard_bytes": 2**60})
    assert "Free space" in _check(values, tmp_path)["output disk"].text


@pytest.mark.parametrize(
    "schedule", [{"cron": "61 * * * *"}, {"cron": "0 3 * * *", "timezone": "Mars/Base"}]
)
def test_a_schedule_that_never_comes_is_refused(
    small_corpus: Path, tmp_path: Path, schedule: dict[str, str]
) -> None:
    checked = _check(_values(small_corpus, schedule=schedule), tmp_path)
    assert _status(checked, "failed") == {f"schedule {schedule['cron']}"}


def test_a_judge_is_asked_and_its_verdicts_are_shown(
    small_corpus: Path, server: MockServer, tmp_path: Path
) -> None:
    values = _served(small_corpus, server.url)
    values["judge"] = {"enabled": True, "judges": [{"judge": "graded", "engine": "script"}]}
    checked = _check(values, tmp_path)
    assert checked["judge graded"].figures["verdicts"] == {
        "the right document": False,
        "the wrong document": False,
    }
    server.misbehave = lambda asked: "not_json" if "grade" in json.dumps(asked.body) else ""
    assert "'invalid_json'" in _check(values, tmp_path)["judge graded"].text


def test_generators_with_equal_settings_are_asked_once(small_corpus: Path, tmp_path: Path) -> None:
    script = {"engine": "scripted"}
    other = {"engine": "scripted", "max_prompt_words": 99}
    values = _values(small_corpus, generators={"script": script, "same": script, "other": other})
    checked = _check(values, tmp_path)
    assert [t for t in checked if t.startswith("generator")] == [
        "generator other",
        "generator same, script",
    ]


def test_a_fault_in_a_library_hides_no_other_question(
    small_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def questions(_: Setup) -> Iterator[Question]:
        yield Question("fault", "one", "nothing", lambda: Told(str(1 // 0)))
        yield Question("fault", "two", "nothing", lambda: Told("fine"))

    monkeypatch.setattr(checking, "KINDS", (questions,))
    checked = check_run(small_config, tmp_path, [])
    assert [one.status for one in checked] == ["ok", "failed", "ok"]
    assert "ZeroDivisionError" in checked[1].text


def test_settings_are_mended_before_backends() -> None:
    def failed(error: BackendError | ConfigError) -> Checked:
        return Checked("x", "y", "failed", str(error), 0.0, error.exit_status)

    backend, config = failed(BackendError("down")), failed(ConfigError("wrong"))
    assert exit_status([backend]) == 3
    assert exit_status([backend, config]) == 2


def test_the_table_takes_untrusted_names_as_text() -> None:
    console = Console(width=80, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        print_checks([Checked("source", "[red]x", "ok", "[link]", 0.0)], console)
    assert "[red]x" in captured.get()
    assert "[link]" in captured.get()


@pytest.mark.parametrize(
    ("change", "status"),
    [("seed=5", 0), ("sources.0.path=/none.jsonl", 2), ("index.index=auto", 0)],
)
def test_the_command_line_exits_as_the_check_says(
    small_config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: str,
    status: int,
) -> None:
    arguments = ["check", str(small_config), "--out", str(tmp_path / "o"), "--set", change]
    with pytest.raises(SystemExit) as caught:
        cli.app([*arguments, "--json"])
    assert caught.value.code == status
    told = json.loads(capsys.readouterr().out)
    assert (told["exit_status"], told["ok"]) == (status, status == 0)
    assert {"kind", "name", "status", "text", "seconds", "figures"} == set(told["checks"][0])


def test_the_command_line_prints_a_line_for_each_question(
    small_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    down = f"http://127.0.0.1:{closed_port()}/v1"
    config = write_config(tmp_path / "c.yaml", _served(small_corpus, down))
    with pytest.raises(SystemExit) as caught:
        cli.app(["check", str(config), "--out", str(tmp_path / "o")])
    assert caught.value.code == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ok       configuration small: every setting is valid"
    assert lines[-1] == "11 ok, 1 failed, 3 skipped"
    assert [line.split()[0] for line in lines[:-1]].count("failed") == 1


@pytest.mark.llm
def test_the_demo_is_checked_with_its_real_model(tmp_path: Path) -> None:
    checked = {f"{c.kind} {c.name}": c for c in check_run(Path("demo"), tmp_path / "out", [])}
    assert _status(checked, "ok") == set(checked)
    told = checked["generator smollm2"].figures
    assert told["revision"].startswith("gguf-sha256:")
    assert told["tokens_per_second"] > 1
    assert checked["likelihood smollm2"].figures["mean_logprob"] < 0
    assert checked["encoder encoder"].figures["dimension"] == 512
    assert list(tmp_path.iterdir()) == []


def test_prompts_of_variations_are_looked_for_in_the_languages_of_the_plan(
    small_corpus: Path, tmp_path: Path
) -> None:
    varied = {"task": {"task": "paraphrase_query"}, "generator": "script"}
    told = _check(_values(small_corpus, variations=[varied]), tmp_path)
    languages = ("eng-Latn", "fra-Latn", "spa-Latn")
    found = [f"paraphrase_query/{language}" for language in languages]
    assert told["prompts task paraphrase_query"].figures["files"] == found
    # Requests of a variation are chats, those of the small plan completions.
    assert "structured reply script" in told


@pytest.mark.parametrize("preset", sorted(p.stem for p in PRESETS.glob("*.yaml")))
def test_every_prompt_of_a_preset_is_there(preset: str, tmp_path: Path) -> None:
    config = load_config(PRESETS / f"{preset}.yaml")
    told = [asked.ask() for asked in prompt_files.questions(Setup(config, tmp_path, None))]
    assert told


def test_personas_are_read_and_a_missing_file_is_named(small_corpus: Path, tmp_path: Path) -> None:
    values = _values(small_corpus)
    entry = values["plan"]["entries"][0]
    entry["task"] = {"task": "specified_query"}
    path = tmp_path / "personas.txt"
    entry["personas"] = {"path": str(path)}
    told = _check(values, tmp_path)
    assert told[f"personas {path}"].status == "failed"
    assert "personas.txt" in told[f"personas {path}"].text
    path.write_text("a ferryman\na nurse\n", encoding="utf-8")
    assert _check(values, tmp_path)[f"personas {path}"].figures == {"personas": 2}
