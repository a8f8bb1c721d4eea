"""What one LLM call costs in client CPU, beside a bare aiohttp loop; and whether memory stays flat.

    python -m benchmarks.llm_client            2,000 and 20,000 calls
    python -m benchmarks.llm_client --full     and 200,000

The server is a mock in a process of its own that answers after 20 ms; 64 calls are in flight. The
bare loop sends the same bodies and parses the replies, no more. Ours also renders requests, looks
them up, retries if need be, and commits every reply to the journal before it is handed on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.measure import Work, measure
from benchmarks.mock_llm import MODEL, running_mock
from benchmarks.tables import Cell, render_table
from sdg.llm import ENGINES, ChatRequest, Message, Sampling
from sdg.llm import openai_wire as wire
from sdg.llm.journal import Journal

IN_FLIGHT = 64
_PASSAGE = " ".join(["The lighthouse of Arvik was built in 1874 on a granite reef."] * 12)
_SCHEMA = json.dumps({"properties": {"query": {"type": "string"}}, "type": "object"})


def requests(count: int) -> Iterator[ChatRequest]:
    """Yield requests of about 180 tokens that differ in their last word."""
    sampling = Sampling()
    system = Message("system", "You write search queries.")
    for number in range(count):
        user = Message("user", f"{_PASSAGE} Copy {number}.")
        yield ChatRequest(f"r{number}", "", (system, user), sampling, 1, _SCHEMA)


def bare(url: str, count: int) -> Work:
    """Return the work of sending `count` calls with aiohttp and nothing else."""

    async def send_all() -> int:
        waiting = requests(count)
        read = 0

        async def send_some(session: aiohttp.ClientSession) -> None:
            nonlocal read
            for request in waiting:
                body = wire.generation_body(request, send_seed=False, ask_logprobs=True)
                body["model"] = MODEL
                async with session.post(f"{url}/chat/completions", json=body) as response:
                    read += (await response.json())["usage"]["prompt_tokens"]

        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            await asyncio.gather(*(send_some(session) for _ in range(IN_FLIGHT)))
        return read

    return lambda: {"tokens": asyncio.run(send_all())}


def pairmill(url: str, count: int, *, adaptive: bool) -> Work:
    """Return the work of the same calls through the engine `openai` and a journal."""
    engine = ENGINES.build(
        {
            "engine": "openai",
            "base_urls": [url],
            "model": MODEL,
            "max_in_flight": IN_FLIGHT,
            "adaptive": adaptive,
        }
    )

    def work() -> dict[str, Any]:
        read = 0
        with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "j.sqlite") as journal:
            for reply in journal.complete_in_blocks(engine, requests(count)):
                read += reply.prompt_tokens
        engine.close()
        return {"tokens": read}

    return work


def run(counts: Sequence[int]) -> list[dict[str, Cell]]:
    """Return one row per client and number of calls."""
    contenders: dict[str, tuple[str, dict[str, Any]]] = {
        "bare aiohttp": ("bare", {}),
        "pairmill, adaptive": ("pairmill", {"adaptive": True}),
        "pairmill, always 64": ("pairmill", {"adaptive": False}),
    }
    rows: list[dict[str, Cell]] = []
    with running_mock() as url:
        for label, (name, arguments) in contenders.items():
            for count in counts:
                given = {"url": url, "count": count, **arguments}
                found = measure(f"benchmarks.llm_client:{name}", given)
                rows.append(
                    {
                        "client, calls": f"{label}, {count:,}",
                        "CPU ms per call": 1000 * found.cpu_seconds / count,
                        "calls/s": count / found.wall_seconds,
                        "peak MiB": found.base_mib + found.peak_mib,
                        "tokens": found.value["tokens"],
                    }
                )
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="200,000 calls too: minutes")
    parser.add_argument("--tiny", action="store_true", help="shows that it runs")
    arguments = parser.parse_args(argv)
    counts = [100, 200] if arguments.tiny else [2_000, 20_000]
    print(render_table(run([*counts, 200_000] if arguments.full else counts)))


if __name__ == "__main__":
    main()
