"""Side by side in one run: sentence-transformers' miner and ours, embeddings given.

    python -m benchmarks.mining --size 10k --size 26k

Queries are the descriptions of the packaged abstracts (titles where there is none), documents the
abstracts; beyond 26k the queries come again with noise. The vectors are computed once and kept in
`--cache`. Every contender reads the same files and writes Parquet, in a process of its own on
`--threads` threads; imports, compilation and a warm-up on a few rows are its start-up, which is
printed beside. Memory is above what the process held when the work began.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.abstracts import embed_texts, load_abstracts
from benchmarks.ceiling import ceilings
from benchmarks.measure import Measurement, measure
from benchmarks.synthetic import Clustered, write_clustered, write_queries
from benchmarks.tables import Cell, render_table
from sdg.store import write_parquet

_NOISE = 0.2


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to mine.

    Attributes:
        function: Of `mining_contenders`.
        arguments: Besides folders and counts.
        environment: Variables of its process.
    """

    function: str
    arguments: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)


CONTENDERS: Mapping[str, Contender] = {
    "st faiss, as shipped": Contender("theirs", {"use_faiss": True}),
    "st faiss, right kernels": Contender(
        "theirs", {"use_faiss": True}, {"OPENBLAS_CORETYPE": "SkylakeX"}
    ),
    "st torch": Contender("theirs", {"use_faiss": False}),
    "ours faiss_flat": Contender("ours", {"index": {"index": "faiss_flat"}}),
    "ours torch": Contender("ours", {"index": {"index": "torch"}}),
    "ours exact": Contender("ours", {"index": {"index": "exact"}}),
}
_BY_DEFAULT = [name for name in CONTENDERS if name != "ours exact"]


def write_abstract_pairs(num_queries: int, folder: Path, cache: Path) -> None:
    """Write the abstracts and `num_queries` different queries, each with one positive."""
    abstracts = load_abstracts(cache)
    titles = abstracts.documents["title"].to_pylist()
    texts = [d or title for d, title in zip(abstracts.descriptions, titles, strict=True)]
    vectors = embed_texts(texts, cache / "vectors")
    random = np.random.default_rng(0)
    order = random.permutation(len(texts))
    rows = np.resize(order, num_queries)
    chosen = np.array(vectors[rows])
    again = np.arange(num_queries) >= len(order)
    noise = random.standard_normal(chosen[again].shape, np.float32)
    chosen[again] += _NOISE / np.sqrt(chosen.shape[1]) * noise
    chosen[again] /= np.linalg.norm(chosen[again], axis=1, keepdims=True)
    np.save(folder / "queries.npy", chosen)
    np.save(folder / "documents.npy", abstracts.vectors)
    write_parquet(folder / "documents.parquet", abstracts.documents)
    # Theirs takes equal texts for one query with several positives: a number keeps them apart.
    names = [f"{texts[row]} [{place}]" for place, row in enumerate(rows.tolist())]
    write_queries(names, rows, folder)


def run(
    names: Sequence[str],
    folder: Path,
    *,
    num_negatives: int,
    window: int | None,
    threads: int = 1,
) -> list[dict[str, Cell]]:
    """Return one row per contender."""
    rows: list[dict[str, Cell]] = []
    measured: dict[str, Measurement] = {}
    num_queries = pq.read_metadata(folder / "queries.parquet").num_rows
    for name in names:
        contender = CONTENDERS[name]
        arguments = {
            "folder": str(folder),
            "out": str(folder / f"{name}.parquet"),
            "num_negatives": num_negatives,
            **contender.arguments,
        }
        if contender.function == "theirs":
            arguments["window"] = window
        elif contender.arguments["index"]["index"] == "torch":
            arguments["index"] = {**contender.arguments["index"], "threads": threads}
        one = measured[name] = measure(
            f"benchmarks.mining_contenders:{contender.function}",
            arguments,
            threads=threads,
            environment=contender.environment,
        )
        rows.append(
            {
                "contender": name,
                "CPU s": one.cpu_seconds,
                "wall s": one.wall_seconds,
                "start-up CPU s": one.startup_cpu_seconds,
                "base MiB": one.base_mib,
                "peak MiB above": one.peak_mib,
                "queries filled": f"{one.value['filled'] / num_queries:.1%}",
                "rows equal": _share_equal(folder, names[0], name),
            }
        )
    return _with_ratios(rows, measured)


def _with_ratios(
    rows: list[dict[str, Cell]], measured: Mapping[str, Measurement]
) -> list[dict[str, Cell]]:
    """Add how many times the CPU time of our fastest each one needs."""
    own = [one.cpu_seconds for name, one in measured.items() if name.startswith("ours")]
    if own:
        for row, one in zip(rows, measured.values(), strict=True):
            row["CPU x ours"] = one.cpu_seconds / max(min(own), 1e-9)
    return rows


def _share_equal(folder: Path, first: str, name: str) -> str:
    """Return the share of rows of the first contender's file that are the same in another's."""
    one, other = (_negatives(folder / f"{n}.parquet") for n in (first, name))
    if not one:
        return "-"
    return f"{sum(other.get(q) == texts for q, texts in one.items()) / len(one):.3%}"


def _negatives(path: Path) -> dict[str, list[str]]:
    table = pq.read_table(path)
    queries = table["query"].to_pylist()
    if "negatives" in table.column_names:
        return dict(zip(queries, table["negatives"].to_pylist(), strict=True))
    columns = [n for n in table.column_names if n.startswith("negative_")]
    lists = zip(*(table[n].to_pylist() for n in columns), strict=True)
    return dict(zip(queries, map(list, lists), strict=True))


def _print_ceilings(rates: Mapping[str, float], shape: tuple[int, int, int], threads: int) -> None:
    operations = 2.0 * shape[0] * shape[1] * shape[2]
    rows: list[dict[str, Cell]] = [
        {"product": name, "Gop/s": rate / 1e9, "all pairs, s": operations / rate}
        for name, rate in rates.items()
    ]
    print(f"\nCeiling of the machine's products on {threads} thread(s):\n\n{render_table(rows)}")


def _count(text: str) -> int:
    return int(text[:-1]) * 1000 if text.endswith("k") else int(text)


def main(argv: Sequence[str] | None = None) -> None:
    """Print one table per size, and the machine's ceiling."""
    parser = argparse.ArgumentParser(description="Our miner beside that of sentence-transformers.")
    parser.add_argument("--size", action="append", type=_count, help="queries: 10k, 26k, 200k ...")
    parser.add_argument("--negatives", type=int, default=4)
    parser.add_argument("--window", type=_count, default=100, help="their range_max; 0: default")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--contender", action="append", choices=sorted(CONTENDERS))
    parser.add_argument("--cache", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--tiny", action="store_true", help="120 synthetic queries, 300 documents")
    settings = parser.parse_args(argv)
    names = settings.contender or _BY_DEFAULT
    for size in [120] if settings.tiny else settings.size or [10_000, 26_000]:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            if settings.tiny:
                write_clustered(Clustered(size, 300, 32, cluster_size=30), folder)
            else:
                write_abstract_pairs(size, folder, settings.cache)
            documents, dimension = np.load(folder / "documents.npy", mmap_mode="r").shape
            rows = run(
                names,
                folder,
                num_negatives=settings.negatives,
                window=settings.window or None,
                threads=settings.threads,
            )
            print(f"\n{size:,} queries x {documents:,} documents x {dimension}:\n")
            print(render_table(rows), flush=True)
    seconds = 0.05 if settings.tiny else 2.0
    rates = ceilings(dimension, seconds=seconds, threads=settings.threads)
    _print_ceilings(rates, (size, documents, dimension), settings.threads)


if __name__ == "__main__":
    main()
