"""An OpenAI-compatible server in a thread: answers from the prompt, misbehaves when told to."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "mock-model"
KEY = "s3cret-key"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its path, its JSON, and how often the same came before."""

    path: str
    body: dict[str, Any]
    times: int


class MockServer(ThreadingHTTPServer):
    """Answers every request unless `misbehave` says otherwise.

    Attributes:
        misbehave: Called with each request; returns "", a fault of the server ("500", "429",
            "400", "401", "too_long", "stall", "cut", "garbage", "half", "short") or of the model
            ("not_json", "cut_json", "empty", "length", "twice", "says:" and a query).
        metrics: Text of /metrics; "" for none.
        bodies: Every POST body that came, in order.
        keys: Every Authorization header that came.
        busiest: Most requests under way at the same time.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.misbehave: Callable[[Asked], str] = lambda _: ""
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.root = "weights-1"
        self.delay_seconds = 0.0
        self.metrics = ""
        self.busiest = 0
        self.closing = threading.Event()
        self._busy = 0
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def enter(self, path: str, body: dict[str, Any]) -> str:
        text = path + json.dumps(body, sort_keys=True)
        with self._lock:
            times = self._seen[text]
            self._seen[text] += 1
            self.bodies.append(body)
            self._busy += 1
            self.busiest = max(self.busiest, self._busy)
        return self.misbehave(Asked(path, body, times))

    def leave(self) -> None:
        with self._lock:
            self._busy -= 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that the client closed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: MockServer
    is_inside = False

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._send(200 if self.server.metrics else 404, self.server.metrics.encode())
            return
        self._send(200, {"data": [{"id": MODEL, "root": self.server.root}]})

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = json.loads(self.rfile.read(length))
        self.server.keys.append(self.headers.get("authorization"))
        fault = self.server.enter(self.path, body)
        self.is_inside = True
        try:
            time.sleep(self.server.delay_seconds)
            self._answer(fault, body)
        finally:
            self._leave()

    def _leave(self) -> None:
        if self.is_inside:
            self.is_inside = False
            self.server.leave()

    def _answer(self, fault: str, body: dict[str, Any]) -> None:
        if fault == "500":
            self._send(500, {"error": "engine is dead"})
        elif fault == "429":
            self._send(429, {"error": "too many"}, {"Retry-After": "0.3"})
        elif fault == "400":
            self._send(400, {"error": {"message": "bad sampling"}})
        elif fault == "401":
            self._send(401, {"error": {"message": "no such key"}})
        elif fault == "too_long":
            message = "This model's maximum context length is 2048 tokens, but you asked for 9999."
            self._send(400, {"error": {"message": message}})
        elif fault == "stall":
            self.server.closing.wait(60)
            self._send(200, {})
        elif fault == "cut":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif fault == "garbage":
            self._send(200, b"<html>not json")
        elif fault == "half":
            whole = json.dumps(_good_answer(self.path, body, short=False)).encode()
            self._send(200, whole[: len(whole) // 2])
        else:
            answer = _good_answer(self.path, body, short=fault == "short")
            self._send(200, _said_badly(answer, fault))

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        # Whoever has its answer may send the next request before this thread runs again.
        self._leave()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def tokens_of(text: str) -> list[int]:
    return [sum(word.encode()) % 1000 for word in text.split()]


def _said_badly(answer: dict[str, Any], fault: str) -> dict[str, Any]:
    """Return the answer of a model that errs; of a server, nothing is wrong with it."""
    said = {"not_json": "Sure! Here is a query", "cut_json": '{"query": "who bu', "empty": ""}
    for choice in answer.get("choices", []):
        if fault in said:
            choice["message"]["content"] = said[fault]
        elif fault == "length":
            choice |= {"finish_reason": "length"}
        elif fault.startswith("says:"):
            query = fault.removeprefix("says:")
            choice["message"]["content"] = json.dumps({"query": query})
        elif fault == "twice":
            choice["message"]["content"] = '{"query": "the same"}'
    return answer


def _obedient(body: dict[str, Any], last: str) -> str:
    """Return JSON with the schema's keys: the first allowed value, or about the last line asked."""
    schema = body["response_format"]["json_schema"]["schema"]
    parts = schema.get("properties", {"query": {}})
    # A query that only repeats the prompt is rejected.
    line = f"re {last.splitlines()[-1]}"
    return json.dumps({name: part.get("enum", [line])[0] for name, part in parts.items()})


def _good_answer(path: str, body: dict[str, Any], *, short: bool) -> dict[str, Any]:
    if path == "/tokenize":
        return {"tokens": tokens_of(body["prompt"])}
    if "prompt_logprobs" in body:
        known: set[int] = set()
        tables: list[Any] = []
        for token in body["prompt"]:
            tables.append({str(token): {"logprob": -0.5 if token in known else -4.0}})
            known.add(token)
        return {"choices": [{"text": "x", "prompt_logprobs": [None, *tables[1:]]}]}
    choices: list[dict[str, Any]] = []
    for index in range(body["n"] - short):
        if "messages" in body:
            last = body["messages"][-1]["content"]
            text = _obedient(body, last) if "response_format" in body else f"re {last}"
            choice = {"message": {"content": text}, "logprobs": {"content": [{"logprob": -0.5}]}}
        else:
            text = f"re {body['prompt']} #{index}"
            choice = {"text": text, "logprobs": {"token_logprobs": [-0.25, -0.75]}}
        cut = len(text) > body["max_tokens"] * 10
        choices.append({"index": index, "finish_reason": "length" if cut else "stop", **choice})
    choices.reverse()  # A server may answer in any order; `index` tells.
    usage = {"prompt_tokens": 7, "completion_tokens": 3 * body["n"]}
    return {"choices": choices, "usage": usage}


@contextmanager
def running_server() -> Iterator[MockServer]:
    server = MockServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> int:
    """Return a port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
