"""Remembers every answer of an engine on disk, so that nothing that is finished is asked twice.

One file per run. The answers that are at hand are committed together, before any of them is handed
on and before the next ones are taken from the engine: a process that is killed loses the requests
in flight and nothing else. What "committed" means is told in `journal_file`.

The key of an answer is the sha256 of everything that decides it: the engine's identity (model,
adapter, what is asked of it) and revision, the sampling, the seed, the prompt, all messages and
the schema. Failures that may pass are handed on and kept to be looked at, never to answer from.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import zlib
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from sdg.errors import ContractError
from sdg.ids import canonical_json
from sdg.llm import PASSING_FAILURES, ChatRequest, Engine, Reply, Score, ScoreRequest
from sdg.llm.batch_progress import BatchProgress, Progress
from sdg.llm.busy_clock import BusyClock
from sdg.llm.journal_file import FORMAT, Entry, JournalFile, Spent
from sdg.llm.journal_kinds import REPLIES, SCORES, Answer, Kind, Request
from sdg.llm.usage import Usage

BLOCK_REQUESTS: Final = 8192


class Use(NamedTuple):
    """Who uses an answer, for the ledger.

    Attributes:
        scope: A part of the run that is done as a whole, such as a shard.
        generator: The engine's name in the configuration.
    """

    scope: str
    generator: str


class Journal:
    """The answers of one run; safe for several threads, and several processes of one machine.

    Args:
        path: The file; made, with its folder, if it does not exist.
        clock: Seconds that only go forward.
        on_progress: Called with (answered, all, tokens written and read so far) of the running
            batch, once for what the disk knew and then after each group of answers.

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
        self._freed = threading.Condition()
        self._in_flight: set[bytes] = set()
        self._usage = Usage()
        self._busy: dict[int, BusyClock] = {}
        self._file = JournalFile(path, clock)

    @property
    def usage(self) -> Usage:
        """What this object was asked so far, a snapshot."""
        with self._lock:
            return self._usage

    def complete(
        self, engine: Engine, requests: Sequence[ChatRequest], use: Use | None = None
    ) -> list[Reply]:
        """Return one reply per request, in the order of `requests`.

        Requests that differ in nothing but `key` are sent once.

        Args:
            engine: Who is asked.
            requests: What is asked.
            use: Who uses the replies, for the ledger; None keeps no account.

        Raises:
            BackendError: If the engine is broken for good; every reply before that is kept.
            ContractError: If two requests share a `key`, or the engine leaves one unanswered.
            DataError: If the journal's file is damaged.
        """
        return self._answer(REPLIES, engine, requests, use)

    def complete_in_blocks(
        self, engine: Engine, requests: Iterable[ChatRequest], use: Use | None = None
    ) -> Iterator[Reply]:
        """Yield one reply per request, in their order; holds one block of requests at a time.

        Memory does not grow with the number of requests. Equal ones of two blocks are sent once,
        too, but keys must differ within a block only.
        """
        waiting = iter(requests)
        while block := list(islice(waiting, BLOCK_REQUESTS)):
            yield from self.complete(engine, block, use)

    def score(
        self, engine: Engine, requests: Sequence[ScoreRequest], use: Use | None = None
    ) -> list[Score]:
        """Return one score per request, in the order of `requests`; raises like `complete`."""
        return self._answer(SCORES, engine, requests, use)

    def forget_uses(self, scope: str) -> None:
        """Forget what `scope` used: it is about to be done again."""
        self._file.forget_uses(scope)

    def spent(self, scopes: Iterable[str]) -> list[Spent]:
        """Return what the answers used by `scopes` cost when they were given, by generator."""
        return self._file.spent(scopes)

    def failures(self) -> list[Reply]:
        """Return the last failure that may pass of each chat request that had one, raw."""
        found = []
        for value in self._file.failures():
            told = json.loads(zlib.decompress(value))
            if "candidates" in told:
                found.append(REPLIES.read(told))
        return found

    def close(self) -> None:
        """Close the file; using the journal afterwards is an error."""
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(
        self,
        kind: Kind[Request, Answer],
        engine: Engine,
        requests: Sequence[Request],
        use: Use | None,
    ) -> list[Answer]:
        if not requests:
            return []
        keys = _journal_keys(kind, engine, requests)
        by_key = dict(zip(keys, requests, strict=True))
        known: dict[bytes, Answer] = {}
        progress = BatchProgress(self._on_progress, kind.completion_tokens, len(by_key))
        self._count(Usage(requests=len(requests)))
        while len(known) < len(by_key):
            # Another thread may be asking some of them: those are waited for, not sent twice.
            mine = self._take_up(key for key in by_key if key not in known)
            held = set(mine)
            try:
                found = self._look_up(kind, mine)
                known.update(found)
                self._count(_cost(kind, found.values()))
                progress.add(found.values())
                missing = {by_key[key].key: key for key in mine if key not in found}
                to_send = [by_key[key] for key in missing.values()]
                with closing(self._stream(kind, engine, to_send, missing)) as stream:
                    for group in stream:
                        known.update(group)
                        self._let_go(group)
                        held.difference_update(group)
                        progress.add(group.values())
            finally:
                self._let_go(held)
        if use is not None:
            self._file.add_uses(use.scope, use.generator, by_key)
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
    ) -> Generator[dict[bytes, Answer], None, None]:
        """Yield journal key -> answer for `to_send`, each group committed before the next."""
        if not to_send:
            return
        waiting = dict(missing)
        busy = self._busy_clock(engine)
        groups = kind.ask(engine, to_send)
        try:
            while (answers := self._next(groups)) is not None:
                by_key = {_claim(engine, waiting, answer): answer for answer in answers}
                self._count(_cost(kind, answers, sent=len(answers)))
                yield self._keep(kind, by_key, self._lap(busy) / max(1, len(answers)))
                self._file.flush()
        finally:
            # An engine with requests under way ends them now, not when memory is tidied.
            if isinstance(groups, Generator):
                groups.close()
            with self._lock:
                busy.end()
            self._file.flush(now=True)
        if waiting:
            raise ContractError(
                f"Engine {engine.name!r} must answer every request, but left {len(waiting)} of "
                f"{len(to_send)} unanswered, {next(iter(waiting))!r} among them. Correct it."
            )

    def _take_up(self, keys: Iterable[bytes]) -> list[bytes]:
        """Return the keys that no other thread is asking for; waits until there is one."""
        wanted = list(keys)
        with self._freed:
            while not (mine := [key for key in wanted if key not in self._in_flight]):
                self._freed.wait()
            self._in_flight.update(mine)
        return mine

    def _let_go(self, keys: Iterable[bytes]) -> None:
        with self._freed:
            self._in_flight.difference_update(keys)
            self._freed.notify_all()

    def _busy_clock(self, engine: Engine) -> BusyClock:
        with self._lock:
            busy = self._busy.setdefault(id(engine), BusyClock(self._clock))
            busy.start()
            return busy

    def _lap(self, busy: BusyClock) -> float:
        with self._lock:
            return busy.lap()

    def _next(self, groups: Iterator[list[Answer]]) -> list[Answer] | None:
        started = self._clock()
        try:
            return next(groups, None)
        finally:
            self._count(Usage(engine_seconds=self._clock() - started))

    def _look_up(self, kind: Kind[Request, Answer], keys: Iterable[bytes]) -> dict[bytes, Answer]:
        return {key: self._unpack(kind, value) for key, value in self._file.look_up(keys).items()}

    def _keep(
        self, kind: Kind[Request, Answer], answers: dict[bytes, Answer], seconds: float
    ) -> dict[bytes, Answer]:
        """Commit `answers` and return them, or what another process committed before."""
        passing = [key for key, answer in answers.items() if answer.failure in PASSING_FAILURES]
        self._file.keep_failures([(key, _pack(kind, answers[key])) for key in passing])
        entries = [
            Entry(
                key,
                _pack(kind, answer),
                answer.prompt_tokens,
                kind.completion_tokens(answer),
                kind.reasoning_tokens(answer),
                seconds,
            )
            for key, answer in answers.items()
            if answer.failure not in PASSING_FAILURES
        ]
        if self._file.keep(entries):
            return answers
        return {**answers, **self._look_up(kind, [entry.key for entry in entries])}

    def _unpack(self, kind: Kind[Request, Answer], value: bytes) -> Answer:
        try:
            return kind.read(json.loads(zlib.decompress(value)))
        except (zlib.error, ValueError, KeyError, TypeError) as error:
            raise self._file.damaged(error) from error

    def _count(self, more: Usage) -> None:
        with self._lock:
            self._usage += more


def _claim(engine: Engine, waiting: dict[str, bytes], answer: Reply | Score) -> bytes:
    """Return the journal key of an answer that is waited for, and stop waiting for it."""
    if answer.key not in waiting:
        raise ContractError(
            f"Engine {engine.name!r} must answer each request once, but answered "
            f"{answer.key!r}, which it was not asked or had answered. Correct it."
        )
    return waiting.pop(answer.key)


def _pack(kind: Kind[Request, Answer], answer: Answer) -> bytes:
    return zlib.compress(canonical_json(kind.write(answer)).encode())


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
        reasoning_tokens=sum(kind.reasoning_tokens(answer) for answer in answers),
    )
