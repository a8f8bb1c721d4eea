"""Ours on a corpus that is read from disk block by block.

    python -m benchmarks.out_of_core --queries 50000 --documents 1000000 --dimension 384

Two pieces of work, each in a process of its own: the search for the nearest `--depth` documents of
every query, held against brute force on a sample; and mining with the 95 % rule to Parquet. The
vectors are synthetic and clustered (see `synthetic`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.brute_force import nearest, recall
from benchmarks.ceiling import ceilings
from benchmarks.measure import Measurement, Work, measure
from benchmarks.mining_contenders import open_corpus, open_queries
from benchmarks.synthetic import Clustered, write_clustered
from benchmarks.tables import Cell, render_table
from mining.indexes import INDEXES
from mining.mine import MiningConfig, mine
from mining.search import Wanted
from sdg.store import write_parquet

# What other miners look at: the nearest hundred.
_WINDOW = 100
_RULES = [{"rule": "known_positive"}, {"rule": "percent", "fraction": 0.95}]


def search_contender(folder: str, out: str, index: dict[str, Any], depth: int) -> Work:
    """Return the work of finding the nearest `depth` documents of every query.

    Args:
        folder: As `mining_contenders` reads it.
        out: .npy file for (Q, depth) rows.
        index: Settings of the back-end.
        depth: At least 1.
    """
    built = INDEXES.build(index)

    def found(limit: int | None) -> Any:  # noqa: ANN401 - rows of documents
        corpus = open_corpus(Path(folder))
        queries, _ = open_queries(Path(folder), corpus, limit)
        return built.search(queries.vectors, corpus, Wanted.nearest(depth, len(queries.vectors)))

    found(1)

    def work() -> dict[str, Any]:
        result = found(None)
        np.save(out, result.rows)
        return {"queries": len(result.rows)}

    return work


def mine_contender(folder: str, out: str, index: dict[str, Any], num_negatives: int) -> Work:
    """Return the work of mining `num_negatives` per query at percent 0.95, to Parquet."""
    config = MiningConfig.model_validate({"num_negatives": num_negatives, "rules": _RULES})

    def mined(limit: int | None) -> Any:  # noqa: ANN401 - NEGATIVES
        corpus = open_corpus(Path(folder))
        queries, positives = open_queries(Path(folder), corpus, limit)
        return mine(queries, positives, corpus, INDEXES.build(index), config, seed=0).kept

    mined(1)

    def work() -> dict[str, Any]:
        kept = mined(None)
        write_parquet(Path(out), kept)
        return {"queries": kept.num_rows}

    return work


def run(
    what: Clustered,
    folder: Path,
    indexes: Sequence[Mapping[str, Any]],
    *,
    depth: int,
    num_negatives: int,
    sample: int,
    threads: int,
) -> list[dict[str, Cell]]:
    """Return two rows per back-end: search, and mining."""
    random = np.random.default_rng([what.seed, 3])
    places = np.sort(random.choice(what.queries, min(sample, what.queries), replace=False))
    queries = np.load(folder / "queries.npy", mmap_mode="r")[places]
    true = nearest(np.array(queries), folder / "documents.npy", depth)
    rows: list[dict[str, Cell]] = []
    for index in indexes:
        out = folder / "found.npy"
        arguments = {"folder": str(folder), "out": str(out), "index": dict(index), "depth": depth}
        one = measure("benchmarks.out_of_core:search_contender", arguments, threads=threads)
        found = np.load(out, mmap_mode="r")[places]
        name = str(index["index"])
        rows.append(
            {
                **_costs(f"{name}: nearest {depth}", one, what.queries),
                f"recall@{depth}": f"{recall(found, true):.6f}",
                "queries filled": None,
                f"filled by the nearest {_WINDOW}": None,
            }
        )
        out = folder / "mined.parquet"
        arguments = {"folder": str(folder), "out": str(out), "index": dict(index),
                     "num_negatives": num_negatives}  # fmt: skip
        one = measure("benchmarks.out_of_core:mine_contender", arguments, threads=threads)
        by_window = _window_share(out, what, num_negatives)
        rows.append(
            {
                **_costs(f"{name}: {num_negatives} below 95 %", one, what.queries),
                f"recall@{depth}": None,
                "queries filled": f"{one.value['queries'] / what.queries:.2%}",
                f"filled by the nearest {_WINDOW}": f"{by_window:.2%}",
            }
        )
    return rows


def _costs(name: str, one: Measurement, num_queries: int) -> dict[str, Cell]:
    return {
        "work": name,
        "CPU s": one.cpu_seconds,
        "wall s": one.wall_seconds,
        "queries per core-s": num_queries / one.cpu_seconds,
        "base MiB": one.base_mib,
        "peak MiB above": one.peak_mib,
    }


def _window_share(mined: Path, what: Clustered, num_negatives: int) -> float:
    """Return the share of all queries whose negatives are all among the nearest `_WINDOW`."""
    ranks = pq.read_table(mined, columns=["negative_ranks"])["negative_ranks"]
    # Ranks ascend in a list: the last one says how far a window has to reach.
    last = pc.list_element(ranks, num_negatives - 1)
    return pc.sum(pc.less(last, _WINDOW)).as_py() / what.queries


def main(argv: Sequence[str] | None = None) -> None:
    """Print one table, and the machine's ceiling."""
    parser = argparse.ArgumentParser(description="Ours from disk: speed, recall, memory, filled.")
    parser.add_argument("--queries", type=int, default=50_000)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--negatives", type=int, default=4)
    parser.add_argument("--sample", type=int, default=256, help="queries held against brute force")
    parser.add_argument("--index", action="append", type=json.loads, help='{"index": "torch"}')
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="for the vectors; default: temporary")
    parser.add_argument("--tiny", action="store_true", help="100 queries x 3,000 x 32")
    settings = parser.parse_args(argv)
    what = Clustered(settings.queries, settings.documents, settings.dimension, settings.seed)
    if settings.tiny:
        what = Clustered(100, 3000, 32, settings.seed)
    with tempfile.TemporaryDirectory(dir=settings.folder) as temporary:
        folder = Path(temporary)
        write_clustered(what, folder)
        rows = run(
            what,
            folder,
            settings.index or [{"index": "torch", "threads": settings.threads}],
            depth=settings.depth,
            num_negatives=settings.negatives,
            sample=settings.sample,
            threads=settings.threads,
        )
    print(f"{what.queries:,} queries x {what.documents:,} documents x {what.dimension}:\n")
    print(render_table(rows), flush=True)
    pairs = what.queries * what.documents
    seconds = 0.05 if settings.tiny else 2.0
    for name, rate in ceilings(what.dimension, seconds=seconds, threads=settings.threads).items():
        limit = rate / (2.0 * what.dimension * pairs) * what.queries
        print(f"ceiling of the product alone, {name}: {limit:,.0f} queries per core-second")


if __name__ == "__main__":
    main()
