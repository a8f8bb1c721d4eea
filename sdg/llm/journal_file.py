"""The SQLite file behind a journal: answers, failures, and which part of a run used which answer.

The only file that imports sqlite3. Every write is one transaction in the write-ahead log: a process
that is killed keeps it. The disk is flushed once a second and at the end of each batch, so a
machine that loses power loses the last second.

Why SQLite: several threads and processes of one machine may write, a torn write cannot be read as
an answer, and one look-up costs microseconds at ten million rows. Its write-ahead log needs shared
memory, so the file must lie on a local disk. Why not a flush per answer: on a busy disk it takes
4 ms, longer than a GPU server needs for a reply.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from sdg.errors import BackendError, DataError

FORMAT: Final = 1
_LOOK_UP_ROWS: Final = 500
_LOCK_SECONDS: Final = 60.0
_FLUSH_SECONDS: Final = 1.0
_COSTS: Final = ("prompt_tokens", "completion_tokens", "reasoning_tokens")
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, value BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS failures (key BLOB PRIMARY KEY, value BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS uses (scope TEXT, generator TEXT, key BLOB, "
    "PRIMARY KEY (scope, generator, key)) WITHOUT ROWID",
)


class Entry(NamedTuple):
    """One answer on its way to the disk.

    Attributes:
        key: Journal key.
        value: The answer, compressed.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written.
        reasoning_tokens: How many of these are reasoning.
        seconds: Its share of the time that the engine worked.
    """

    key: bytes
    value: bytes
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    seconds: float


class Spent(NamedTuple):
    """What the answers that a data set used cost when they were given.

    Attributes:
        generator: The engine's name in the configuration.
        requests: Distinct answers.
        prompt_tokens: Tokens read for them.
        completion_tokens: Tokens written for them.
        reasoning_tokens: How many of these are reasoning.
        seconds: Time that the engine worked for them.
    """

    generator: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    seconds: float


class JournalFile:
    """One open file; safe for several threads.

    Args:
        path: Made, with its folder, if it does not exist.
        clock: Seconds that only go forward.

    Raises:
        DataError: If the file is damaged or not a journal.
        BackendError: If the disk is full or the file cannot be opened.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._flushed_at = clock()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._translated():
            self._database = _open(path)

    def close(self) -> None:
        """Close the file; using it afterwards is an error."""
        with self._lock:
            self._database.close()

    def look_up(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the kept values of those of `keys` that have one."""
        found: dict[bytes, bytes] = {}
        wanted = list(keys)
        for start in range(0, len(wanted), _LOOK_UP_ROWS):
            part = wanted[start : start + _LOOK_UP_ROWS]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, value FROM answers WHERE key IN ({marks})"  # noqa: S608 - marks
            with self._translated(), self._lock:
                found.update(self._database.execute(query, part).fetchall())
        return found

    def keep(self, entries: Sequence[Entry]) -> bool:
        """Commit `entries` together; where a key has an answer, that answer stays.

        Returns:
            Whether every one of them was new.
        """
        if not entries:
            return True
        with self._written():
            before = self._database.total_changes
            self._database.executemany(
                "INSERT OR IGNORE INTO answers (key, value, prompt_tokens, completion_tokens, "
                "reasoning_tokens, seconds) VALUES (?, ?, ?, ?, ?, ?)",
                entries,
            )
            return self._database.total_changes - before == len(entries)

    def keep_failures(self, failures: Sequence[tuple[bytes, bytes]]) -> None:
        """Commit answers that another run may not get: to be looked at, never to be answered from.

        Args:
            failures: Key and compressed answer; the last one of a key stays.
        """
        if failures:
            with self._written():
                self._database.executemany(
                    "INSERT OR REPLACE INTO failures VALUES (?, ?)", failures
                )

    def failures(self) -> list[bytes]:
        """Return every kept failure, by key."""
        with self._translated(), self._lock:
            rows = self._database.execute("SELECT value FROM failures ORDER BY key").fetchall()
        return [value for (value,) in rows]

    def forget_uses(self, scope: str) -> None:
        """Forget what `scope` used: it is about to be done again."""
        with self._written():
            self._database.execute("DELETE FROM uses WHERE scope = ?", (scope,))

    def add_uses(self, scope: str, generator: str, keys: Iterable[bytes]) -> None:
        """Note that `scope` used the answers of `generator` with these keys."""
        with self._written():
            self._database.executemany(
                "INSERT OR IGNORE INTO uses VALUES (?, ?, ?)",
                ((scope, generator, key) for key in keys),
            )

    def spent(self, scopes: Iterable[str]) -> list[Spent]:
        """Return what the answers used by `scopes` cost, each counted once, by generator."""
        with self._written():
            self._database.execute("CREATE TEMP TABLE wanted (scope TEXT PRIMARY KEY)")
            self._database.executemany(
                "INSERT OR IGNORE INTO wanted VALUES (?)", ((scope,) for scope in scopes)
            )
            rows = self._database.execute(
                "SELECT generator, count(*), sum(prompt_tokens), sum(completion_tokens), "
                "sum(reasoning_tokens), sum(seconds) FROM answers JOIN (SELECT DISTINCT generator, "
                "key FROM uses JOIN wanted USING (scope)) USING (key) "
                "GROUP BY generator ORDER BY generator"
            ).fetchall()
            self._database.execute("DROP TABLE wanted")
        return [Spent(*row) for row in rows]

    def flush(self, *, now: bool = False) -> None:
        """Bring the log's answers to the file and both to the disk, once a second or `now`."""
        if now or self._clock() - self._flushed_at >= _FLUSH_SECONDS:
            with self._translated(), self._lock:
                self._database.execute("PRAGMA wal_checkpoint(PASSIVE)")
                self._flushed_at = self._clock()

    def damaged(self, error: Exception) -> DataError:
        """Return the error to raise where the file holds what no journal wrote."""
        return DataError(
            f"`{self.path}` must be a whole request journal, but reading it gave: {error}. Move it "
            "away to go on (its requests are then sent again), or rescue its answers with "
            f"`sqlite3 {self.path.name} .recover`."
        )

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Make the block one transaction."""
        with self._translated(), self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.rollback()
                raise
            self._database.commit()

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
            raise self.damaged(error) from error


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
    database.execute("BEGIN IMMEDIATE")
    for table in _TABLES:
        database.execute(table)
    # Journals from before the ledger have no costs; what they hold stays paid for.
    columns = {row[1] for row in database.execute("PRAGMA table_info(answers)")}
    for column in _COSTS:
        if column not in columns:
            database.execute(f"ALTER TABLE answers ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")
    if "seconds" not in columns:
        database.execute("ALTER TABLE answers ADD COLUMN seconds REAL NOT NULL DEFAULT 0")
    database.execute(f"PRAGMA user_version={FORMAT}")
    database.commit()
    return database
