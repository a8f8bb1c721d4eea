"""Requests as files, for clusters that nobody reaches over the network and for batch prices.

    <folder>/requests/0000.jsonl   written by us, in OpenAI's batch format
    <folder>/replies/*.jsonl       put there by whoever ran them, in OpenAI's output format

The first run writes what it would ask and stops (exit status 3: the backend has not answered yet,
all finished work is kept). Somebody runs the file, with `vllm run-batch` or by uploading it, and
the next run reads the replies. A stage whose requests depend on replies of an earlier stage needs
another round. Nothing that has an answer is asked twice; a line that failed for a reason that may
pass (an expired batch, a server's error) goes into a new file of requests.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from pydantic import Field, JsonValue, PrivateAttr

from sdg.errors import BackendError, DataError
from sdg.ids import canonical_json, content_id
from sdg.llm import ENGINES, PASSING_FAILURES, ChatRequest, Engine, Reply, Score, ScoreRequest
from sdg.llm import openai_wire as wire

_WRITING: Final = threading.Lock()
_DETAIL_LETTERS: Final = 2000
_PASSING: Final = frozenset({408, 409, 425, 429})


class _Replies:
    """Where the replies of each id lie; texts stay on the disk."""

    def __init__(self, folder: Path) -> None:
        self._files = sorted(folder.glob("*.jsonl"))
        self._places: dict[str, tuple[tuple[int, int], ...]] = {}
        for number, path in enumerate(self._files):
            with path.open("rb") as file:
                at = 0
                for line in file:
                    if line.strip():
                        custom_id = _line_id(line, path)
                        self._places[custom_id] = (*self._places.get(custom_id, ()), (number, at))
                    at += len(line)

    def read(self, custom_id: str) -> Iterator[dict[str, Any]]:
        """Yield the lines of an id, the latest first."""
        for number, at in reversed(self._places.get(custom_id, ())):
            with self._files[number].open("rb") as file:
                file.seek(at)
                line = file.readline()
            yield dict(json.loads(line))


@ENGINES.register("batch_file")
class BatchFile(Engine):
    """Requests written to files, replies read from files. It cannot score.

    vLLM's `run-batch` takes chat requests; OpenAI's service completions, too.

    Attributes:
        folder: Where both lie; on one machine with the run.
        model: The name that whoever runs the files knows it by.
        model_revision: What pins the weights, in the user's words.
        send_seed: Send each request's seed.
        ask_logprobs: Ask for the log-probabilities of replies.
        extra_body: Further fields of every request.
        requests_per_file: At most; 50,000 is the limit of OpenAI's service.
    """

    answers_at_once: ClassVar[bool] = False

    folder: str
    model: str = Field(min_length=1)
    model_revision: str
    send_seed: bool = False
    ask_logprobs: bool = True
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)
    requests_per_file: int = Field(default=50_000, ge=1)

    _replies: _Replies | None = PrivateAttr(default=None)
    _written: _Written | None = PrivateAttr(default=None)
    _asked: set[str] = PrivateAttr(default_factory=set)

    def identity(self) -> dict[str, Any]:
        """Return model, revision and what is asked of it; where the files lie is left out."""
        return {
            "name": self.name,
            "version": self.version,
            "model": self.model,
            "revision": self.model_revision,
            "send_seed": self.send_seed,
            "ask_logprobs": self.ask_logprobs,
            "extra_body": self.extra_body,
        }

    def revision(self) -> str:
        """Return the revision that the configuration names."""
        return self.model_revision

    def complete(self, requests: Sequence[ChatRequest]) -> Iterator[Reply]:
        """Yield the replies that are there; for the others, "pending", and write them down.

        Raises:
            DataError: If a file of replies holds a line that is none.
        """
        if not requests:
            return
        with _WRITING:
            if self._replies is None:
                self._replies = _Replies(Path(self.folder) / "replies")
            replies = self._replies
        missing: dict[str, dict[str, Any]] = {}
        failures: dict[str, int] = {}
        for request in requests:
            line = self._line(request)
            custom_id = line["custom_id"]
            final, failed = _final(request, replies.read(custom_id))
            if final is not None:
                yield final
                continue
            missing[custom_id] = line
            failures[custom_id] = len(failed)
            detail = f"It waits in {Path(self.folder).name}/requests as {custom_id}."
            last = f" The last answer was {failed[0]}" if failed else ""
            yield Reply(request.key, (), "pending", detail + last, 0, 0)
        self._write(missing, failures)

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield nothing.

        Raises:
            BackendError: If there is anything to score.
        """
        if requests:
            raise BackendError(
                "Scoring must have an engine that tokenises (vllm, vllm_server, or openai with "
                "vLLM behind it), but is asked of batch_file instead. Name another engine there."
            )
        yield from ()

    def pending(self) -> str:
        """Return "", or which files must be run before the next run."""
        with _WRITING:
            if not self._asked:
                return ""
            folder = Path(self.folder)
            return (
                f"{len(self._asked):,} requests must be answered by {self.model!r} first: run each "
                f"file of {folder / 'requests'} whose name is not in {folder / 'replies'} (`python "
                "-m vllm.entrypoints.openai.run_batch -i requests/N.jsonl -o replies/N.jsonl "
                f"--model {self.model}`, or a batch service), then run this command again. "
                "All finished work is kept."
            )

    def close(self) -> None:
        """Forget what was read, so that new replies are seen."""
        with _WRITING:
            self._replies = self._written = None
            self._asked.clear()

    def _line(self, request: ChatRequest) -> dict[str, Any]:
        path = "completions" if request.prompt else "chat/completions"
        body = {
            **self.extra_body,
            **wire.generation_body(
                request, send_seed=self.send_seed, ask_logprobs=self.ask_logprobs
            ),
            "model": self.model,
        }
        known = canonical_json([self.model_revision, request.seed, path, body])
        custom_id = content_id("pairmill-", known)
        return {"custom_id": custom_id, "method": "POST", "url": f"/v1/{path}", "body": body}

    def _write(self, missing: Mapping[str, dict[str, Any]], failures: Mapping[str, int]) -> None:
        """Append what waits in no file of requests; each run writes files of its own."""
        if not missing:
            return
        folder = Path(self.folder) / "requests"
        with _WRITING:
            if self._written is None:
                folder.mkdir(parents=True, exist_ok=True)
                self._written = _Written(folder, self.requests_per_file)
            self._asked.update(missing)
            self._written.add(missing, failures)


class _Written:
    """The files of requests: those of earlier runs, which are left alone, and those of this one."""

    def __init__(self, folder: Path, per_file: int) -> None:
        self._folder = folder
        self._per_file = per_file
        self._times: Counter[str] = Counter()
        self._number = self._count = 0
        for path in sorted(folder.glob("*.jsonl")):
            self._number = max(self._number, int(path.stem) + 1 if path.stem.isdigit() else 0)
            with path.open("rb") as file:
                # A line that a crash cut short was never asked: it is written again.
                self._times.update(_line_id(line, path) for line in file if line.endswith(b"\n"))

    def add(self, lines: Mapping[str, dict[str, Any]], failures: Mapping[str, int]) -> None:
        """Append those of `lines` (by id) that were not written more often than they failed."""
        new = [line for key, line in lines.items() if self._times[key] <= failures[key]]
        while new:
            room = self._per_file - self._count
            part, new = new[:room], new[room:]
            path = self._folder / f"{self._number:04d}.jsonl"
            with path.open("a", encoding="utf-8") as file:
                file.writelines(canonical_json(line) + "\n" for line in part)
            for line in part:
                # One more than its failures: not again in this run, whatever files were removed.
                self._times[line["custom_id"]] = failures[line["custom_id"]] + 1
            self._count += len(part)
            if self._count == self._per_file:
                self._number, self._count = self._number + 1, 0


def _line_id(line: bytes, path: Path) -> str:
    try:
        return str(json.loads(line)["custom_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"Each line of `{path}` must be JSON with a `custom_id`, but one is "
            f"{line[:80].decode('utf-8', 'replace')!r} instead. Fetch the file again."
        ) from error


def _final(
    request: ChatRequest, lines: Iterator[Mapping[str, Any]]
) -> tuple[Reply | None, list[str]]:
    """Return the latest reply that stays, and what the failures that may pass say without one."""
    passing = []
    for line in lines:
        reply = _read(request, line)
        if reply.failure not in PASSING_FAILURES:
            return reply, []
        passing.append(reply.detail)
    return None, passing


def _read(request: ChatRequest, line: Mapping[str, Any]) -> Reply:
    """Return what a line of replies says: an answer, a refusal, or a failure that may pass."""
    response = line.get("response") or {}
    body = response.get("body") or {}
    status = int(response.get("status_code") or 0)
    detail = canonical_json(line.get("error") or body)[:_DETAIL_LETTERS]
    if status == 200 and _is_good(body, request.sampling.num_candidates):
        return wire.read_reply(request.key, body)
    if 400 <= status < 500 and status not in _PASSING:
        return Reply(request.key, (), wire.failure(detail), detail, 0, 0)
    return Reply(request.key, (), "server_error", f"HTTP {status}: {detail}", 0, 0)


def _is_good(body: Any, wanted: int) -> bool:  # noqa: ANN401 - any JSON
    try:
        return wire.has_choices(body, wanted)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError):
        return False
