"""How long an audit takes, and how much memory, per metric.

    python -m benchmarks.audit_rows --rows 1000000

Rows have one positive and `--negatives` negatives out of a corpus of half as many documents as
rows; words are invented, by their frequency. Queries have about 120 characters, documents 300. The
wanted: 1,000,000 rows within 10 minutes and 6 GiB on two cores.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.tables import Cell, render_table
from data_cards.audit.config import AuditConfig
from data_cards.audit.layouts.pairmill import Pairmill
from data_cards.audit.metric import AuditContext
from data_cards.audit.open_source import open_source
from data_cards.audit.run import checksums, run_audit, write_result
from sdg.schemas import EXAMPLES

_VOCABULARY = 50_000
_QUERY_WORDS, _DOCUMENT_WORDS = 17, 43
_BLOCK_ROWS = 32_768
_LANGUAGES = ("eng-Latn", "fra-Latn", "spa-Latn")
_MIB = 1 << 20


def write_rows(folder: Path, num_rows: int, num_negatives: int, seed: int) -> None:
    """Write `num_rows` rows with the columns of a Pairmill data set."""
    random = np.random.default_rng(seed)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    words = ["".join(random.choice(letters, random.integers(2, 11))) for _ in range(_VOCABULARY)]
    corpus = np.array(_texts(random, words, max(num_rows // 2, 16), _DOCUMENT_WORDS), object)
    options: dict[str, Any] = {"compression": "zstd", "version": "2.6"}
    with pq.ParquetWriter(folder / "train-00000-of-00001.parquet", EXAMPLES, **options) as writer:
        for start in range(0, num_rows, _BLOCK_ROWS):
            count = min(_BLOCK_ROWS, num_rows - start)
            queries = _texts(random, words, count, _QUERY_WORDS)
            chosen = random.integers(0, len(corpus), (count, 1 + num_negatives))
            table = _rows(start, queries, chosen, corpus, random)
            writer.write_table(table, row_group_size=8192)


def main() -> None:
    """Write, audit, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--negatives", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rows").mkdir()
        write_rows(folder / "rows", given.rows, given.negatives, given.seed)
        print(_audit(folder))


def _audit(folder: Path) -> str:
    cells: list[dict[str, Cell]] = []
    start = time.perf_counter()
    source = Pairmill().source(folder / "rows")
    with _measured("sha256", cells):
        files = checksums(source)
    with _measured("open", cells):
        data = open_source(source, folder)

    @contextmanager
    def watch(metric: str) -> Iterator[Any]:
        with _measured(metric, cells):
            yield lambda _done, _total: None

    scratch = folder / "scratch"
    scratch.mkdir()
    context = AuditContext(scratch=scratch)
    result = run_audit(data, files, AuditConfig().chosen, (), context, watch)
    with _measured("write", cells):
        write_result(result, data, folder / "audit")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / _MIB
    cells.append(_line("all", time.perf_counter() - start, peak))
    skipped = [name for name, found in result.measurements.items() if found.skipped]
    table = render_table(cells)
    size = f"{data.rows.height:,} rows, {data.links.height:,} links, {len(data.texts):,} texts"
    return f"{size}\n{table}\nskipped: {', '.join(skipped) or 'none'}"


@contextmanager
def _measured(name: str, cells: list[dict[str, Cell]]) -> Iterator[None]:
    """Time the block and watch the process's resident memory, mapped pages included."""
    peak, ended = [0.0], threading.Event()

    def look() -> None:
        while not ended.wait(0.05):
            peak[0] = max(peak[0], _resident())

    watcher = threading.Thread(target=look, daemon=True)
    start = time.perf_counter()
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        peak[0] = max(peak[0], _resident())
        cells.append(_line(name, time.perf_counter() - start, peak[0]))


def _line(name: str, seconds: float, peak: float) -> dict[str, Cell]:
    return {"step": name, "seconds": f"{seconds:.1f}", "peak MiB": f"{peak:,.0f}"}


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / _MIB


def _texts(random: np.random.Generator, words: list[str], count: int, length: int) -> list[str]:
    places = np.minimum(random.zipf(1.3, (count, length)) - 1, _VOCABULARY - 1)
    return [" ".join([words[place] for place in row]) for row in places.tolist()]


def _rows(
    start: int,
    queries: list[str],
    chosen: np.ndarray[Any, np.dtype[np.int64]],
    corpus: np.ndarray[Any, np.dtype[np.object_]],
    random: np.random.Generator,
) -> pa.Table:
    count, width = chosen.shape
    scores = np.sort(random.random((count, width), np.float32), axis=1)[:, ::-1]
    ids = [[f"d{document:032x}" for document in row] for row in chosen.tolist()]
    texts = corpus[chosen].tolist()
    language = [_LANGUAGES[row % 3] for row in range(start, start + count)]
    columns = {
        "query_id": [f"q{row:032x}" for row in range(start, start + count)],
        "query": queries,
        "query_language": language,
        "instruction": ["Given a query, retrieve the passage that answers it"] * count,
        "task": ["llm_query"] * count,
        "positive_ids": [row[:1] for row in ids],
        "positives": [row[:1] for row in texts],
        "positive_scores": scores[:, :1].tolist(),
        "positive_languages": [[tag] for tag in language],
        "negative_ids": [row[1:] for row in ids],
        "negatives": [row[1:] for row in texts],
        "negative_scores": scores[:, 1:].tolist(),
        "negative_ranks": [list(range(width - 1))] * count,
        "negative_sources": [["dense:invented"] * (width - 1)] * count,
        "negative_languages": [[tag] * (width - 1) for tag in language],
        "relevance": [None] * count,
        "group_id": [f"g{row:032x}" for row in range(start, start + count)],
        "split": ["train"] * count,
        "provenance": [None] * count,
    }
    return pa.table(columns, schema=EXAMPLES)


if __name__ == "__main__":
    main()
