"""`pairmill plan` counts what a build asks, and says what it costs and how sure it is of that."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import prompts
from flows import cli
from flows.build import run_build
from flows.plan_report import duration, print_plan
from flows.plan_rows import RELABEL
from flows.preview import plan_run, preview_rows
from flows.rates import GivenRates, Rate, Speed
from sdg.errors import ConfigError, DataError
from tests.flows.small import settings, write_config
from tests.flows.test_judging import judge_settings

_MEASURED = Speed(10.0, "measured")
_READ = Speed(100.0, "given")


@pytest.mark.parametrize(
    ("rate", "tokens", "seconds"),
    [
        (Rate(Speed(10.0, "given"), _READ), (200, 50), 2.0 + 5.0),
        (Rate(Speed(10.0, "given"), Speed()), (200, 50), 5.0),
        (Rate(_MEASURED, _READ, reading_is_counted=True), (200, 50), 5.0),
        (Rate(_MEASURED, _READ, reading_is_counted=True), (200, 0), 2.0),
        (Rate(_MEASURED, Speed()), (200, 0), None),
        (Rate(Speed(), _READ), (200, 50), None),
        (Rate(Speed(), Speed()), (0, 0), 0.0),
    ],
)
def test_reading_is_counted_once_and_never_guessed(
    rate: Rate, tokens: tuple[int, int], seconds: float | None
) -> None:
    assert rate.seconds(*tokens) == seconds


def test_a_rate_for_one_generator_goes_before_the_rate_for_all() -> None:
    given = GivenRates.parse(["5", "a=7"], ["b=9"], ["a", "b"])
    assert given == GivenRates({"": 5.0, "a": 7.0}, {"b": 9.0})


@pytest.mark.parametrize("text", ["0", "-1", "fast", "a=", "nan", "inf", "c=3"])
def test_a_rate_that_cannot_be_one_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--tokens-per-second"):
        GivenRates.parse([text], [], ["a"])


def test_the_matrix_holds_every_request_of_the_plan_once(
    small_config: Path, tmp_path: Path
) -> None:
    estimate = plan_run(small_config, tmp_path / "p", []).estimate
    cells = [(r.document_language, r.query_language, r.task, r.generator) for r in estimate.rows]
    assert len(cells) == len(set(cells)) == 9
    written = [row for row in estimate.rows if row.task != RELABEL]
    assert sum(row.requests for row in written) == estimate.requests == 72
    assert sum(row.candidates for row in written) == 36 * 3 + 36
    assert {row.generator for row in written if row.prompt_tokens} == {"script"}
    # Four documents, by one and by two likelihoods each, for the one query that a request keeps.
    assert estimate.scores == 72 * 4 * 3
    assert estimate.by_generator["script"].prompt_tokens == estimate.total.prompt_tokens
    assert estimate.rates["script"].written.source == "built_in"


def test_likelihoods_are_counted_for_the_tasks_that_are_relabelled(
    small_config: Path, tmp_path: Path
) -> None:
    changes = ['relabel.apply_to_tasks=["llm_*"]', "round_trip.best_of=false"]
    estimate = plan_run(small_config, tmp_path / "p", changes).estimate
    assert estimate.scores == 36 * 3 * 4 * 3


def test_a_judge_is_counted_for_as_many_negatives_as_a_row_has_at_least(
    small_corpus: Path, tmp_path: Path
) -> None:
    counted = []
    for pool in (1, 4, 8):
        config = write_config(
            tmp_path / "c.yaml", judge_settings(small_corpus, tmp_path, pool=pool)
        )
        counted.append(plan_run(config, tmp_path / "p", []).estimate.judge_requests)
    # A finished row has four: a smaller pool is never mined.
    assert counted[0] == counted[1] == counted[2] // 2 > 0


def test_variations_are_rows_as_if_every_candidate_were_accepted(
    small_config: Path, tmp_path: Path
) -> None:
    drawn = {"num_candidates": 2, "max_tokens": 5}
    variations = [
        {
            "task": {"task": "paraphrase_query", "sampling": drawn},
            "generators": {"script": 1, "other": 3},
            "share": 0.5,
        },
        {
            "task": {"task": "back_translation", "sampling": {"max_tokens": 9}},
            "generator": "script",
            "prepared_by": "other",
            "tasks": ["llm_*"],
            "count": 54,
        },
        {"task": {"task": "written_negative"}, "generator": "script", "tasks": ["llm_*"]},
    ]
    changes = [f"variations={variations}", "generators.other={engine: scripted}"]
    before = plan_run(small_config, tmp_path / "p", []).estimate
    estimate = plan_run(small_config, tmp_path / "p", changes).estimate
    found: dict[tuple[str, str], list[int]] = {}
    for row in estimate.rows:
        own = found.setdefault((row.task, row.generator), [0, 0, 0])
        for place, value in enumerate((row.requests, row.candidates, row.completion_tokens)):
            own[place] += value
    # 36 requests for three candidates each, and 36 natural descriptions.
    assert found["paraphrase_query", "script"] == [18, 36, 18 * 2 * 5]
    assert found["paraphrase_query", "other"] == [54, 108, 54 * 2 * 5]
    assert found["(prepare back_translation)", "other"][::2] == [54, 54 * 9]
    assert found["back_translation", "script"][:2] == [54, 54]
    assert found["written_negative", "script"][:2] == [108, 0]
    assert estimate.requests == before.requests
    # Two of the three write queries, which are relabelled, too: the best of each request.
    asked = sum(found[RELABEL, "script"][:1])
    assert asked == (36 + 36 + 72 + 54) * 4 * 3


def test_a_longer_prompt_is_expected_to_cost_more(small_corpus: Path, tmp_path: Path) -> None:
    def read(**task: Any) -> int:
        values = settings(small_corpus)
        values["plan"]["entries"][0]["task"] = {"task": "keyword_query", **task}
        config = write_config(tmp_path / "c.yaml", values)
        rows = plan_run(config, tmp_path / "p", []).estimate.rows
        return sum(row.prompt_tokens for row in rows if row.task == "keyword_query")

    folder = tmp_path / "prompts"
    shutil.copytree(prompts.PACKAGED / "keyword_query", folder / "keyword_query")
    for path in folder.rglob("*.md"):
        path.write_text(path.read_text(encoding="utf-8") + "Be brief. " * 5000, encoding="utf-8")
    more = read(prompts=str(folder)) - read()
    # 50,000 characters in each of 36 requests, at 4.7 characters a token or 3.
    assert 36 * 10_000 < more < 36 * 17_000


def test_personas_that_are_not_there_are_told_before_the_run(
    small_corpus: Path, tmp_path: Path
) -> None:
    values = settings(small_corpus)
    entry = values["plan"]["entries"][0]
    entry["task"] = {"task": "specified_query"}
    entry["personas"] = {"path": str(tmp_path / "none.txt")}
    config = write_config(tmp_path / "c.yaml", values)
    with pytest.raises(DataError, match=r"none\.txt"):
        plan_run(config, tmp_path / "p", [])


def test_time_and_cost_follow_from_rate_gpus_and_prices(small_config: Path, tmp_path: Path) -> None:
    changes = [
        "relabel.enabled=false",
        "generators.script.gpus=2",
        "generators.script.price_per_gpu_hour=3.5",
        'generators.script.price_per_million_tokens={"prompt": 1, "completion": 10}',
    ]
    plan = plan_run(small_config, tmp_path / "p", changes, ["2"], ["50"])
    total = plan.estimate.total
    read, written = total.prompt_tokens, total.completion_tokens
    assert total.seconds == pytest.approx(written / 2 + read / 50)
    assert total.gpu_hours == pytest.approx(2 * total.seconds / 3600)
    cost = 3.5 * total.gpu_hours + (read + 10 * written) / 1e6
    assert total.cost == pytest.approx(cost)


def test_rows_without_a_rate_have_no_time_and_no_price_by_the_hour(
    small_config: Path, tmp_path: Path
) -> None:
    changes = ["generators.script.gpus=1", "generators.script.price_per_gpu_hour=3.5"]
    estimate = plan_run(small_config, tmp_path / "p", changes, ["2"]).estimate
    likelihoods = [row for row in estimate.rows if row.task == RELABEL]
    assert [(r.seconds, r.gpu_hours, r.cost) for r in likelihoods] == [(None, None, None)] * 3
    assert estimate.total.unknown == 3


def test_a_rate_is_measured_from_an_earlier_preview_of_the_same_model(
    small_corpus: Path, tmp_path: Path
) -> None:
    config = write_config(tmp_path / "c.yaml", settings(small_corpus, delay_seconds=0.02))
    preview_rows(config, tmp_path / "out", [], 3)
    rate = plan_run(config, tmp_path / "out", []).estimate.rates["script"]
    assert (rate.written.source, rate.read.source) == ("measured", "measured")
    assert "3 answers" in rate.written.note
    # Three replies of 4 to 7 words in each answer, and at least 0.02 s for it.
    assert 20 < (rate.written.tokens_per_second or 0) < 21 / 0.02

    other = ['generators.script={"engine": "openai", "base_urls": ["http://x/v1"], "model": "m"}']
    unlike = plan_run(config, tmp_path / "out", other).estimate.rates["script"]
    assert unlike.written.source == "built_in"
    given = plan_run(config, tmp_path / "out", [], ["script=8"]).estimate.rates["script"]
    assert (given.written.tokens_per_second, given.written.source) == (8.0, "given")


@pytest.mark.slow
def test_the_plan_of_a_finished_build_expects_about_its_time(
    small_corpus: Path, tmp_path: Path
) -> None:
    config = write_config(tmp_path / "c.yaml", settings(small_corpus, delay_seconds=0.02))
    figures = run_build(config, tmp_path / "out").figures
    estimate = plan_run(config, tmp_path / "out", []).estimate
    asked = [r for r in estimate.rows if r.generator and r.task != RELABEL]
    assert sum(row.requests for row in asked) == 36
    assert figures["LLM ledger"]["requests"] <= 36 + estimate.scores


def test_the_plan_as_json_and_as_text_holds_matrix_totals_and_sources(
    small_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p"
    arguments = ["plan", str(small_config), "--out", str(out), "--tokens-per-second", "90"]
    cli.app([*arguments, "--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert set(told["rows"][0]) >= {"document_language", "task", "seconds", "gpu_hours", "cost"}
    assert told["rates"]["script"]["written"] == {
        "tokens_per_second": 90.0,
        "source": "given",
        "note": "",
    }
    assert told["by_generator"]["script"]["completion_tokens"] == told["total"]["completion_tokens"]

    console = Console(width=160)
    with console.capture() as captured:
        print_plan(plan_run(small_config, out, []), console)
    text = captured.get()
    assert "NOT measured here" in text
    assert "all" in text
    assert "likelihoods to score when relabelling" in text


def test_durations_are_told_in_a_unit_that_suits() -> None:
    times = (None, 0.0, 119.0, 121.0, 7300.0, 200_000.0)
    assert list(map(duration, times)) == ["?", "0 s", "119 s", "2.0 min", "2.0 h", "2.3 d"]
