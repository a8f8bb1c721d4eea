"""Tokens per second of vLLM in this process: given the prompts straight, and through Pairmill.

    python -m benchmarks.vllm_throughput             256 requests x 4 candidates, 4 rounds
    python -m benchmarks.vllm_throughput --log-probabilities

One process, one loaded engine (the packaged SmolLM2-135M on CPU), turn about: straight, Pairmill,
Pairmill, straight, ... Both get the same prompts in a round, other ones in the next, and begin with
a prefix cache that holds the worked examples and no document. Straight is `vllm.LLM.generate` with
one list of texts and the same sampling. Pairmill is the stage `generate` over REQUESTS with a
journal on a fresh file: prompts rendered, answers looked up and committed, replies read, tables
made. It asks for log-probabilities too; straight does without, unless the option adds a contender.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.abstracts import read_abstracts
from benchmarks.measure import Work, measure
from benchmarks.tables import Cell, render_table
from sdg.generate import generate
from sdg.llm import ENGINES, Reply
from sdg.llm.journal import Journal
from sdg.llm.vllm_engine import VllmEngine
from sdg.plan import PlanConfig, index_documents, plan_requests
from sdg.tasks import LlmTask

STRAIGHT = "straight"
ASKING = "straight, log-probabilities"
PAIRMILL = "pairmill"
_WARM_UP_REQUESTS = 16
_SEED = 20261121
# The demo's, with half of its candidates.
_SAMPLING = {"temperature": 0.7, "top_p": 0.9, "max_tokens": 32, "num_candidates": 4}


@dataclass(frozen=True, slots=True)
class Given:
    """What all contenders share.

    Attributes:
        engine: Started once.
        task: Renders the prompts.
        documents: DOCUMENTS of all requests.
        requests: REQUESTS of the warm-up and all rounds.
    """

    engine: VllmEngine
    task: LlmTask
    documents: pa.Table
    requests: pa.Table

    def straight(self, requests: pa.Table, *, log_probabilities: bool = False) -> Callable[[], int]:
        """Return the work of giving vLLM the prompts as a list; it returns the tokens written."""
        from vllm import SamplingParams

        by_id = {row["doc_id"]: row for row in self.documents.to_pylist()}
        rendered = [
            self.task.render(row, by_id[row["source_doc_id"]]) for row in requests.to_pylist()
        ]
        sampling = rendered[0].sampling
        parameters = SamplingParams(
            n=sampling.num_candidates,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            stop=list(sampling.stop),
            logprobs=0 if log_probabilities else None,
        )
        prompts = [request.prompt for request in rendered]
        llm = self.engine._start().llm

        def work() -> int:
            outputs = llm.generate(prompts, parameters, use_tqdm=False)
            return sum(len(part.token_ids) for output in outputs for part in output.outputs)

        return work

    def forget_documents(self) -> None:
        """Leave nothing but the worked examples in vLLM's prefix cache."""
        self.engine._start().llm.reset_prefix_cache()
        self.straight(self.requests.slice(0, 1))()

    def pairmill(self, requests: pa.Table, journal: Path) -> Callable[[], int]:
        """Return the work of the stage `generate`; it returns the tokens written."""

        def work() -> int:
            replies: list[Reply] = []
            with Journal(journal) as opened:

                def ask(asked: Sequence[Any]) -> list[Reply]:
                    replies.extend(opened.complete(self.engine, asked))
                    return replies

                generate(requests, self.documents, {self.task.label: self.task}, ask)
            return sum(reply.completion_tokens for reply in replies)

        return work


def alternating(requests: int, rounds: int, *, log_probabilities: bool) -> Work:
    """Return the work of all rounds; its value holds one entry per round and contender."""
    given = _given(_WARM_UP_REQUESTS + requests * rounds)
    contenders = [STRAIGHT, PAIRMILL, *([ASKING] if log_probabilities else [])]
    parts = [
        given.requests.slice(_WARM_UP_REQUESTS + number * requests, requests)
        for number in range(rounds)
    ]
    for contender in contenders:
        _turn(given, contender, given.requests.slice(0, _WARM_UP_REQUESTS))

    def work() -> dict[str, Any]:
        turns = []
        for number, part in enumerate(parts):
            # Forth and back, so that a drift of the machine's speed meets all alike.
            for contender in contenders[:: -1 if number % 2 else 1]:
                found = _turn(given, contender, part)
                turns.append({"round": number, "contender": contender, **found})
        given.engine.close()
        return {"turns": turns}

    return work


def _given(num_requests: int) -> Given:
    """Return a started engine, and so many requests about English abstracts like the demo's."""
    documents, _ = read_abstracts()
    plan = PlanConfig.model_validate(
        {
            "entries": [
                {
                    "task": {"task": "llm_query", "shape": "completion", "sampling": _SAMPLING},
                    "generator": "smollm2",
                    "min_characters": 200,
                    "max_characters": 700,
                    "quotas": [
                        {"documents": "eng-Latn", "queries": "eng-Latn", "count": num_requests}
                    ],
                }
            ]
        }
    )
    planned = plan_requests(index_documents([documents]), plan, _SEED).kept
    if planned.num_rows != num_requests:
        raise SystemExit(
            f"`--requests` times `--rounds` must be at most {planned.num_rows}, but is "
            f"{num_requests} with the warm-up. Ask for fewer."
        )
    (task,) = plan.tasks().values()
    wanted = pc.is_in(documents["doc_id"], planned["source_doc_id"].combine_chunks())
    engine = ENGINES.build({"engine": "vllm", "model": "packaged:smollm2-135m-instruct"})
    if not isinstance(engine, VllmEngine) or not isinstance(task, LlmTask):
        raise TypeError(f"`vllm` and `llm_query` must be themselves, but are {engine}, {task}.")
    return Given(engine, task, documents.filter(wanted), planned)


def _turn(given: Given, contender: str, requests: pa.Table) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        if contender == PAIRMILL:
            work = given.pairmill(requests, Path(folder) / "journal.sqlite")
        else:
            work = given.straight(requests, log_probabilities=contender == ASKING)
        given.forget_documents()
        cpu, began = _cpu_seconds(), time.perf_counter()
        tokens = work()
        wall = time.perf_counter() - began
        return {"tokens": tokens, "wall": wall, "cpu": _cpu_seconds() - cpu}


def _cpu_seconds() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime


def speeds(turns: Sequence[Mapping[str, Any]]) -> list[dict[str, Cell]]:
    """Return one row per contender, all rounds together."""
    rows: list[dict[str, Cell]] = []
    for contender in dict.fromkeys(turn["contender"] for turn in turns):
        own = [turn for turn in turns if turn["contender"] == contender]
        tokens, wall, cpu = (sum(turn[name] for turn in own) for name in ("tokens", "wall", "cpu"))
        rows.append(
            {
                "contender": contender,
                "tokens written": tokens,
                "wall s": wall,
                "CPU s": cpu,
                "tokens/s": tokens / wall,
                "tokens per CPU s": tokens / cpu,
            }
        )
    return rows


def ratios(turns: Sequence[Mapping[str, Any]]) -> list[dict[str, Cell]]:
    """Return Pairmill's speed over each other contender's: of all rounds, and of single ones."""
    by_place = {(turn["round"], turn["contender"]): turn for turn in turns}
    rounds = sorted({turn["round"] for turn in turns})
    others = [name for name in dict.fromkeys(t["contender"] for t in turns) if name != PAIRMILL]
    rows: list[dict[str, Cell]] = []
    for other in others:
        for clock in ("wall", "cpu"):
            pairs = [(by_place[r, PAIRMILL], by_place[r, other]) for r in rounds]
            found = [
                ours["tokens"] / ours[clock] / (theirs["tokens"] / theirs[clock])
                for ours, theirs in pairs
            ]
            error = statistics.stdev(found) / len(found) ** 0.5 if len(found) > 1 else None
            rows.append(
                {
                    "pairmill over": f"{other}, {clock}",
                    "mean ratio": statistics.fmean(found),
                    "standard error": error,
                    "lowest": min(found),
                    "median": statistics.median(found),
                    "highest": max(found),
                }
            )
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=256, help="of a round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--log-probabilities", action="store_true", help="a third contender")
    parser.add_argument("--tiny", action="store_true", help="shows that it runs")
    arguments = parser.parse_args(argv)
    size = (8, 2) if arguments.tiny else (arguments.requests, arguments.rounds)
    given = dict(zip(("requests", "rounds"), size, strict=True))
    found = measure(
        "benchmarks.vllm_throughput:alternating",
        {**given, "log_probabilities": arguments.log_probabilities},
        threads=len(os.sched_getaffinity(0)),
    )
    turns = found.value["turns"]
    print(f"{size[0]} requests x {_SAMPLING['num_candidates']} candidates, {size[1]} rounds\n")
    print(render_table(speeds(turns)))
    print()
    print(render_table(ratios(turns)))


if __name__ == "__main__":
    main()
