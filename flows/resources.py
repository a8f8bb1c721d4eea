"""What a process holds while it works: engines, journals, encoders, a corpus, each made once.

Models take seconds to load and gigabytes to hold, and tasks of one process share them. This is the
only module state in Pairmill; it lives here because flows decide the life time of everything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.dataset as ds

from flows.progress import BatchProgress
from mining.corpus import CorpusView
from sdg.errors import BackendError
from sdg.ids import fingerprint
from sdg.llm import Engine
from sdg.llm.journal import Journal
from sdg.llm.journal_file import Spent
from sdg.llm.usage import Usage
from sdg.part import Plugin

P = TypeVar("P", bound=Plugin)

_LOCK = threading.RLock()
_HELD: dict[str, Plugin] = {}
_JOURNALS: dict[Path, Journal] = {}
_CORPORA: dict[str, CorpusView] = {}


def held(plugin: P) -> P:
    """Return this process's instance of a plug-in with these settings, with what it has loaded."""
    key = fingerprint([type(plugin).__module__, plugin.model_dump(mode="json"), plugin.name])
    with _LOCK:
        # A copy, so that the configuration stays small enough to be sent to other processes.
        return _HELD.setdefault(key, plugin.model_copy())  # type: ignore[return-value]


def make_room_for(*engines: Engine | None) -> None:
    """Unload the models of all other engines of this process, before `engines` load theirs.

    Nothing is unloaded if none of `engines` holds a model here. Call it between stages: what is
    unloaded must have nothing under way.
    """
    wanted = [engine for engine in engines if engine is not None and engine.holds_model]
    if not wanted:
        return
    with _LOCK:
        others = [
            plugin
            for plugin in _HELD.values()
            if isinstance(plugin, Engine) and plugin.holds_model and plugin not in wanted
        ]
    for other in others:
        other.close()


def journal(path: Path) -> Journal:
    """Return this process's journal in `path`, opened once."""
    with _LOCK:
        if path not in _JOURNALS:
            _JOURNALS[path] = Journal(path, on_progress=BatchProgress())
        return _JOURNALS[path]


def opened_corpus(key: str, open_: Callable[[], CorpusView]) -> CorpusView:
    """Return this process's view of a corpus, opened once for all shards of queries.

    Args:
        key: Of everything that decides what is seen; one view is held at a time.
        open_: Opens it.
    """
    with _LOCK:
        if key not in _CORPORA:
            _CORPORA.clear()
            _CORPORA[key] = open_()
        return _CORPORA[key]


@contextmanager
def released_at_end() -> Iterator[None]:
    """Close every plug-in and journal of this process when the block ends, however it ends."""
    try:
        yield
    finally:
        release()


def release() -> None:
    """Close every plug-in and journal of this process."""
    with _LOCK:
        plugins = list(_HELD.values())
        journals = list(_JOURNALS.values())
        _HELD.clear()
        _JOURNALS.clear()
        _CORPORA.clear()
    for plugin in plugins:
        plugin.close()
    for opened in journals:
        opened.close()


def usage(path: Path) -> Usage:
    """Return what the journal in `path` was asked in this process."""
    with _LOCK:
        opened = _JOURNALS.get(path)
    return Usage() if opened is None else opened.usage


def spent(path: Path, scopes: Iterable[str]) -> list[Spent]:
    """Return what the answers that `scopes` used cost; nothing if no journal was needed."""
    return journal(path).spent(scopes) if path.exists() else []


def stop_if_pending() -> None:
    """Do nothing if every engine of this process has answered what it was asked.

    Raises:
        BackendError: If one waits for somebody; the message says for what.
    """
    with _LOCK:
        engines = [plugin for plugin in _HELD.values() if isinstance(plugin, Engine)]
    told = [message for engine in engines if (message := engine.pending())]
    if told:
        raise BackendError(" ".join(told), retryable=True)


class Documents:
    """The corpus on disk, looked up by id without loading it.

    Args:
        files: DOCUMENTS Parquet files.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._data = ds.dataset([str(f) for f in files], format="parquet")

    def rows(
        self, doc_ids: pa.Array | pa.ChunkedArray, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Return the documents with these ids, each once, by `doc_id`.

        Args:
            doc_ids: Ids, repeated ones and unknown ones are fine.
            columns: Only these columns; `doc_id` must be among them.
        """
        distinct = doc_ids.unique()
        wanted = ds.field("doc_id").isin(distinct)
        table = self._data.to_table(columns=list(columns) if columns else None, filter=wanted)
        return table.sort_by("doc_id").combine_chunks()

    def texts(self, doc_ids: Sequence[str]) -> dict[str, str]:
        """Return id -> text of the documents with these ids."""
        table = self.rows(pa.array(doc_ids, pa.string()), ["doc_id", "text"])
        return dict(zip(table["doc_id"].to_pylist(), table["text"].to_pylist(), strict=True))

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the corpus in its order, a block at a time."""
        scanner = self._data.scanner(
            columns=list(columns) if columns else None, batch_readahead=1, fragment_readahead=1
        )
        for batch in scanner.to_batches():
            if batch.num_rows:
                yield pa.Table.from_batches([batch])
