"""A server that speaks the OpenAI protocol and answers after a fixed time, in a process of its own.

    python -m benchmarks.mock_llm --latency 0.02

Prints its port. `GET /count` tells how many generation requests came so far.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

MODEL = "mock-llm"
_ROOT = Path(__file__).parent.parent


def application(latency: float) -> web.Application:
    """Return the server; `latency` is in seconds."""
    came = 0

    async def complete(request: web.Request) -> web.Response:
        nonlocal came
        came += 1
        body = json.loads(await request.read())
        text = body["messages"][-1]["content"]
        await asyncio.sleep(latency)
        message = {"role": "assistant", "content": json.dumps({"query": f"about {text[-24:]}"})}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        usage = {"prompt_tokens": len(text) // 4, "completion_tokens": 12}
        return web.json_response({"choices": [choice], "usage": usage})

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": MODEL, "root": MODEL}]})

    async def count(_: web.Request) -> web.Response:
        return web.Response(text=str(came))

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    app.router.add_get("/v1/models", models)
    app.router.add_get("/count", count)
    return app


@contextmanager
def running_mock(latency: float = 0.02) -> Iterator[str]:
    """Yield the base URL ("http://127.0.0.1:PORT/v1") of a server in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.mock_llm", "--latency", str(latency)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline()) if process.stdout else 0
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


async def _serve(latency: float) -> None:
    runner = web.AppRunner(application(latency), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds")
    asyncio.run(_serve(parser.parse_args(argv).latency))


if __name__ == "__main__":
    main()
