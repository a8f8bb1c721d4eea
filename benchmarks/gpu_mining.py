"""The exact search on an NVIDIA GPU: the same result as on the CPU, and how fast.

    python -m benchmarks.gpu_mining --queries 100000 --documents 10000000 --dimension 768

Prints queries per second and the share of the measured fp16 matrix-product ceiling of the card, and
holds a sample of the result against brute force on the CPU. Written against the documented API;
NOT YET RUN on a GPU. `--device cpu --tiny` runs the same steps on a processor.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.brute_force import nearest, recall
from benchmarks.mining_contenders import open_corpus, open_queries
from benchmarks.synthetic import Clustered, write_clustered
from benchmarks.tables import Cell, render_table
from mining.indexes import INDEXES
from mining.search import Wanted

_SIDE = 8192


def half_precision_ceiling(device: str, dimension: int, side: int = _SIDE) -> float:
    """Return operations per second of a (side, D) x (D, side) product in 16 bits.

    On a processor bfloat16 stands for fp16, which it does not multiply.
    """
    import torch

    kind = torch.bfloat16 if device == "cpu" else torch.float16
    left = torch.ones((side, dimension), dtype=kind, device=device)
    right = torch.ones((dimension, side), dtype=kind, device=device)
    best = 0.0
    for _ in range(10):
        _wait(device)
        began = time.perf_counter()
        torch.mm(left, right)
        _wait(device)
        best = max(best, 2.0 * side * side * dimension / (time.perf_counter() - began))
    return best


def run(
    what: Clustered, folder: Path, index: dict[str, Any], *, device: str, depth: int, sample: int
) -> dict[str, Cell]:
    """Return one row: speed, share of the ceiling, parity with the CPU.

    The first search loads the back-end and is not timed.
    """
    corpus = open_corpus(folder)
    queries, _ = open_queries(folder, corpus)
    built = INDEXES.build(index)
    built.search(queries.vectors[:1], corpus, Wanted.nearest(depth, 1))
    began = time.perf_counter()
    found = built.search(queries.vectors, corpus, Wanted.nearest(depth, what.queries))
    seconds = time.perf_counter() - began
    random = np.random.default_rng([what.seed, 3])
    places = np.sort(random.choice(what.queries, min(sample, what.queries), replace=False))
    true = nearest(queries.vectors[places], folder / "documents.npy", depth)
    operations = 2.0 * what.queries * what.documents * what.dimension / seconds
    ceiling = half_precision_ceiling(device, what.dimension, _SIDE if device != "cpu" else 512)
    return {
        "back-end": ", ".join(str(value) for value in index.values()),
        "seconds": seconds,
        "queries/s": what.queries / seconds,
        "Top/s": operations / 1e12,
        "fp16 ceiling, Top/s": ceiling / 1e12,
        "share of ceiling": f"{operations / ceiling:.1%}",
        f"recall@{depth}": f"{recall(found.rows[places], true):.6f}",
        "rows equal to CPU's": f"{(found.rows[places] == true).all(axis=1).mean():.3%}",
    }


def _wait(device: str) -> None:
    if device != "cpu":
        import torch

        torch.cuda.synchronize(device)


def main(argv: Sequence[str] | None = None) -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description="Exact search on an NVIDIA GPU.")
    parser.add_argument("--queries", type=int, default=100_000)
    parser.add_argument("--documents", type=int, default=10_000_000)
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--sample", type=int, default=256)
    parser.add_argument("--device", default="cuda:0", help="where the ceiling is measured")
    parser.add_argument("--index", action="append", type=json.loads)
    parser.add_argument("--folder", type=Path, help="for the vectors (30 GB at full size)")
    parser.add_argument("--tiny", action="store_true", help="100 queries x 3,000 x 32")
    settings = parser.parse_args(argv)
    what = Clustered(settings.queries, settings.documents, settings.dimension)
    if settings.tiny:
        what = Clustered(100, 3000, 32)
    indexes = settings.index or [{"index": "faiss_flat", "device": "gpu"}]
    with tempfile.TemporaryDirectory(dir=settings.folder) as temporary:
        folder = Path(temporary)
        write_clustered(what, folder)
        rows = [
            run(what, folder, index, device=settings.device, depth=settings.depth,
                sample=settings.sample)
            for index in indexes
        ]  # fmt: skip
    print(f"{what.queries:,} queries x {what.documents:,} documents x {what.dimension}:\n")
    print(render_table(rows))


if __name__ == "__main__":
    main()
