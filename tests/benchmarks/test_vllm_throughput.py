"""The throughput benchmark runs on a real vLLM, and its ratios are those of its turns."""

from __future__ import annotations

import pytest

from benchmarks import vllm_throughput
from benchmarks.vllm_throughput import PAIRMILL, STRAIGHT


def turn(number: int, contender: str, tokens: int, wall: float, cpu: float) -> dict[str, object]:
    return {"round": number, "contender": contender, "tokens": tokens, "wall": wall, "cpu": cpu}


def test_a_ratio_is_of_tokens_per_second_within_a_round() -> None:
    turns = [
        turn(0, STRAIGHT, 100, 2.0, 4.0),
        turn(0, PAIRMILL, 90, 2.0, 4.5),
        turn(1, PAIRMILL, 300, 10.0, 20.0),
        turn(1, STRAIGHT, 200, 8.0, 16.0),
    ]
    wall, cpu = vllm_throughput.ratios(turns)
    assert (wall["pairmill over"], cpu["pairmill over"]) == ("straight, wall", "straight, cpu")
    assert [wall["lowest"], wall["highest"]] == pytest.approx([0.9, 1.2])
    assert wall["standard error"] == pytest.approx(0.15)
    assert [cpu["lowest"], cpu["mean ratio"]] == pytest.approx([0.8, 1.0])


def test_a_speed_is_of_all_rounds_together() -> None:
    turns = [turn(0, STRAIGHT, 100, 2.0, 4.0), turn(1, STRAIGHT, 200, 8.0, 20.0)]
    (row,) = vllm_throughput.speeds(turns)
    assert (row["tokens written"], row["tokens/s"], row["tokens per CPU s"]) == (300, 30.0, 12.5)


@pytest.mark.llm
def test_both_ways_write_tokens_and_a_ratio_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    vllm_throughput.main(["--tiny"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    cells = {row[0]: row for row in ([c.strip() for c in ln.strip("|").split("|")] for ln in lines)}
    assert int(cells[STRAIGHT][1].replace(",", "")) > 0
    assert int(cells[PAIRMILL][1].replace(",", "")) > 0
    # Sixteen requests say nothing about speed; only what no working client could be is refused.
    assert float(cells[f"{STRAIGHT}, cpu"][1]) > 0.3
