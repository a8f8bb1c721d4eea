"""Remembers every answer of an engine on disk, so that nothing that is finished is asked twice.

One SQLite file per run. Each answer is committed before the next one is taken from the engine: a
process that is killed loses the requests in flight and nothing else. The disk is flushed once a
second and after each batch, so a machine that loses power loses the last second.

The key of an answer is the sha256 of everything that decides it: the engine's identity and
revision, the sampling, the seed, the prompt, the messages and the schema. Failures that may pass
("server_error") are handed on but not kept.

Why SQLite: several threads and processes of one machine may write, a torn write cannot be read as
an answer, and one look-up costs microseconds at ten million rows. Its write-ahead log needs shared
memory, so the file must lie on a local disk. Why not a flush per answer: on a busy disk it takes
4 ms, longer than a GPU server needs for a reply.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from sdg.errors import BackendError, ContractError, DataError
from sdg.ids import canonical_json
from sdg.llm import ChatRequest, Engine, Reply, Score, ScoreRequest
from sdg.llm.journal_kinds import REPLIES, SCORES, Answer, Kind, Request
from sdg.llm.usage import Usage

FORMAT: Final = 1
_PASSING_FAILURES: Final = frozenset({"server_error"})
_LOOK_UP_ROWS: Final = 500
_LOCK_SECONDS: Final = 60.0
_FLUSH_SECONDS: Final = 1.0

Progress = Callable[[int, int, int], None]


class Journal:
    """The answers of one run; safe for several threads, and several processes of one machine.

    Args:
        path: The SQLite file; made, with its folder, if it does not exist.
        clock: Seconds that only go forward.
        on_progress: Called with (answered, all, tokens written and read so far) of the running
            batch, once for what the disk knew and then after each answer.

    Raises:
        DataError: If the file is damaged or not a journal.
        BackendError: If the disk is full or the file cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_progress: Progress | None = None,
    ) -> None:
        self.path = path
        self._clock = clock
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._usage = Usage()
        self._flushed_at = clock()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._translated():
            self._database = _open(path)

    @property
    def usage(self) -> Usage:
        """What this object was asked so far, a snapshot."""
        with self._lock:
            return self._usage

    def complete(self, engine: Engine, requests: Sequence[ChatRequest]) -> list[Reply]:
        """Return one reply per request, in the order of `requests`.

        Requests that differ in nothing but `key` are sent once.

        Raises:
            BackendError: If the engine is broken for good; every reply before that is kept.
            ContractError: If two requests share a `key`, or the engine leaves one unanswered.
            DataError: If the journal's file is damaged.
        """
        return self._answer(REPLIES, engine, requests)

    def score(self, engine: Engine, requests: Sequence[ScoreRequest]) -> list[Score]:
        """Return one score per request, in the order of `requests`; raises like `complete`."""
        return self._answer(SCORES, engine, requests)

    def close(self) -> None:
        """Close the file; using the journal afterwards is an error."""
        with self._lock:
            self._database.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(
        self, kind: Kind[Request, Answer], engine: Engine, requests: Sequence[Request]
    ) -> list[Answer]:
        if not requests:
            return []
        keys = _journal_keys(kind, engine, requests)
        known = self._look_up(kind, dict.fromkeys(keys))
        by_key = dict(zip(keys, requests, strict=True))
        missing = {request.key: key for key, request in by_key.items() if key not in known}
        to_send = [request for request in requests if request.key in missing]
        progress = _BatchProgress(self._on_progress, kind.completion_tokens, len(by_key))
        self._count(_cost(kind, known.values()) + Usage(requests=len(requests)))
        progress.add(known.values())
        with closing(self._stream(kind, engine, to_send, missing)) as stream:
            for key, answer in stream:
                known[key] = answer
                progress.add([answer])
        answers = [
            replace(known[key], key=request.key)
            for key, request in zip(keys, requests, strict=True)
        ]
        self._count(Usage(failed=sum(answer.failure != "" for answer in answers)))
        return answers

    def _stream(
        self,
        kind: Kind[Request, Answer],
        engine: Engine,
        to_send: Sequence[Request],
        missing: dict[str, bytes],
    ) -> Generator[tuple[bytes, Answer], None, None]:
        """Yield (journal key, answer) for `to_send`, each one durable before the next is taken."""
        if not to_send:
            return
        waiting = dict(missing)
        answers = kind.ask(engine, to_send)
        try:
            while (answer := self._next(answers)) is not None:
                if answer.key not in waiting:
                    raise ContractError(
                        f"Engine {engine.name!r} must answer each request once, but answered "
                        f"{answer.key!r}, which it was not asked or had answered. Correct it."
                    )
                key = waiting.pop(answer.key)
                self._count(_cost(kind, [answer], sent=1))
                yield key, self._keep(kind, key, answer)
        finally:
            # An engine with requests under way ends them now, not when memory is tidied.
            if isinstance(answers, Generator):
                answers.close()
            with self._translated(), self._lock:
                self._flush()
        if waiting:
            raise ContractError(
                f"Engine {engine.name!r} must answer every request, but left {len(waiting)} of "
                f"{len(to_send)} unanswered, {next(iter(waiting))!r} among them. Correct it."
            )

    def _next(self, answers: Iterator[Answer]) -> Answer | None:
        started = self._clock()
        try:
            return next(answers, None)
        finally:
            self._count(Usage(engine_seconds=self._clock() - started))

    def _look_up(self, kind: Kind[Request, Answer], keys: dict[bytes, None]) -> dict[bytes, Answer]:
        found: dict[bytes, Answer] = {}
        wanted = list(keys)
        for start in range(0, len(wanted), _LOOK_UP_ROWS):
            part = wanted[start : start + _LOOK_UP_ROWS]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, value FROM answers WHERE key IN ({marks})"  # noqa: S608 - marks
            with self._translated(), self._lock:
                rows = self._database.execute(query, part).fetchall()
            found.update((bytes(key), self._unpack(kind, value)) for key, value in rows)
        return found

    def _keep(self, kind: Kind[Request, Answer], key: bytes, answer: Answer) -> Answer:
        """Commit `answer` and return it, or what another process committed for `key` before."""
        if answer.failure in _PASSING_FAILURES:
            return answer
        value = zlib.compress(canonical_json(asdict(replace(answer, key=""))).encode())
        with self._translated(), self._lock:
            cursor = self._database.execute(
                "INSERT OR IGNORE INTO answers (key, value) VALUES (?, ?)", (key, value)
            )
            if self._clock() - self._flushed_at >= _FLUSH_SECONDS:
                self._flush()
        return answer if cursor.rowcount == 1 else self._look_up(kind, {key: None})[key]

    def _unpack(self, kind: Kind[Request, Answer], value: bytes) -> Answer:
        try:
            return kind.read(json.loads(zlib.decompress(value)))
        except (zlib.error, ValueError, KeyError, TypeError) as error:
            raise self._damaged(error) from error

    def _count(self, more: Usage) -> None:
        with self._lock:
            self._usage += more

    def _flush(self) -> None:
        """Write the log's answers to the file and both to the disk; the lock must be held."""
        self._database.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self._flushed_at = self._clock()

    def _damaged(self, error: Exception) -> DataError:
        return DataError(
            f"`{self.path}` must be a whole request journal, but reading it gave: {error}. Move it "
            "away to go on (its requests are then sent again), or rescue its answers with "
            f"`sqlite3 {self.path.name} .recover`."
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise BackendError(
                f"The request journal `{self.path}` must be writable on a local disk with free "
                f"space, but SQLite says: {error}. Free space, mend the rights, or end the process "
                "that holds it; every answer before this one is kept.",
                retryable=True,
            ) from error
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error


class _BatchProgress:
    """Adds up what the callback of a journal is told about one batch."""

    def __init__(
        self, callback: Progress | None, completion_tokens: Callable[[Any], int], total: int
    ) -> None:
        self._callback = callback
        self._completion_tokens = completion_tokens
        self._total = total
        self._done = 0
        self._tokens = 0

    def add(self, answers: Collection[Reply] | Collection[Score]) -> None:
        """Count `answers` and tell the callback."""
        self._done += len(answers)
        self._tokens += sum(a.prompt_tokens + self._completion_tokens(a) for a in answers)
        if self._callback is not None:
            self._callback(self._done, self._total, self._tokens)


def _journal_keys(
    kind: Kind[Request, Answer], engine: Engine, requests: Sequence[Request]
) -> list[bytes]:
    if len({request.key for request in requests}) != len(requests):
        raise ContractError(
            f"Request keys must be unique in a batch, but {len(requests)} requests have only "
            f"{len({request.key for request in requests})} keys. Correct the calling stage."
        )
    asked = {"format": FORMAT, "engine": engine.identity(), "revision": engine.revision()}
    # The common part is hashed once; JSON texts do not run into each other, so the sum is unique.
    common = hashlib.sha256(canonical_json(asked).encode())
    keys = []
    for request in requests:
        digest = common.copy()
        digest.update(canonical_json(kind.key_parts(request)).encode())
        keys.append(digest.digest())
    return keys


def _cost(kind: Kind[Any, Answer], answers: Collection[Answer], *, sent: int = 0) -> Usage:
    """Return the tokens of `answers`, of which `sent` (all or none) were sent just now."""
    read = sum(answer.prompt_tokens for answer in answers)
    written = sum(kind.completion_tokens(answer) for answer in answers)
    return Usage(
        sent=sent,
        prompt_tokens_sent=read if sent else 0,
        completion_tokens_sent=written if sent else 0,
        prompt_tokens=read,
        completion_tokens=written,
    )


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(
        path, timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False
    )
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    found = database.execute("PRAGMA user_version").fetchone()[0]
    if found not in (0, FORMAT):
        raise DataError(
            f"`{path}` must be a request journal of format {FORMAT}, but has format {found} "
            "instead. Move it away, or use the version of pairmill that wrote it."
        )
    database.execute(
        "CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, value BLOB NOT NULL)"
    )
    database.execute(f"PRAGMA user_version={FORMAT}")
    return database
