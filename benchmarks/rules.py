"""How many rows of 100 candidates the numeric rules judge per core-second.

    python -m benchmarks.rules --rows 200000

Rows are judged in blocks, as the miner does it; scores, rows and codes are synthetic. Rules that
read texts are left out: their speed is that of the texts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.measure import Work, measure
from benchmarks.tables import Cell, render_table
from mining.filters import FILTERS, CandidateBlock, Filter

CHAINS: Mapping[str, list[dict[str, Any]]] = {
    "known_positive": [{"rule": "known_positive"}],
    "percent": [{"rule": "percent"}],
    "same_entity": [{"rule": "same_entity"}],
    "default chain without texts": [
        {"rule": "known_positive"}, {"rule": "same_entity"}, {"rule": "percent"}
    ],
    "all numeric rules": [
        {"rule": "known_positive"}, {"rule": "percent"}, {"rule": "margin"}, {"rule": "absolute"},
        {"rule": "floor"}, {"rule": "rank_window", "last": 90}, {"rule": "same_entity"},
        {"rule": "same_group"}, {"rule": "same_parent"},
    ],
}  # fmt: skip
_CANDIDATES = 100
_DOCUMENTS = 100_000
_BLOCK_ROWS = 40_000


class _Codes:
    """All that numeric rules ask of a corpus."""

    def __init__(self, random: np.random.Generator) -> None:
        self.entity = random.integers(-1, 20_000, _DOCUMENTS).astype(np.int32)
        self.group = random.integers(0, 80_000, _DOCUMENTS).astype(np.int32)
        self.parent = random.integers(0, 50_000, _DOCUMENTS).astype(np.int32)

    def __len__(self) -> int:
        return _DOCUMENTS


def contender(num_rows: int) -> Work:
    """Return the work of judging `num_rows` rows of 100 candidates with one chain after another."""
    block_rows = min(num_rows, _BLOCK_ROWS)
    block = candidate_block(block_rows, seed=0)
    small = candidate_block(8, seed=1)
    chains = {name: [FILTERS.build(rule) for rule in rules] for name, rules in CHAINS.items()}
    for rules in chains.values():
        _judge(small, rules)

    def work() -> dict[str, Any]:
        repeats = -(-num_rows // block_rows)
        found: dict[str, Any] = {"rows": repeats * block_rows, "cpu_seconds": {}, "kept": {}}
        for name, rules in chains.items():
            began = time.process_time()
            found["kept"][name] = sum(_judge(block, rules) for _ in range(repeats))
            found["cpu_seconds"][name] = time.process_time() - began
        return found

    return work


def _judge(block: CandidateBlock, rules: Sequence[Filter]) -> int:
    """Return how many candidates a chain keeps; the drops are counted, as in the miner."""
    fresh = replace(block, alive=block.alive.copy())
    dropped = np.zeros(len(block.rows), np.int64)
    for rule in rules:
        rule.apply(fresh, dropped)
    return int(fresh.alive.sum())


def candidate_block(num_rows: int, seed: int) -> CandidateBlock:
    """Return rows of 100 candidates of a corpus of 100,000, by score descending."""
    random = np.random.default_rng(seed)
    scores = -np.sort(-random.uniform(0.2, 0.95, (num_rows, _CANDIDATES)).astype(np.float32))
    rows = random.integers(0, _DOCUMENTS, (num_rows, _CANDIDATES))
    corpus: Any = _Codes(random)
    positives = rows[np.arange(num_rows), random.integers(0, 5, num_rows)]
    return CandidateBlock(
        rows=rows,
        scores=scores,
        ranks=np.broadcast_to(np.arange(_CANDIDATES), rows.shape),
        alive=np.ones(rows.shape, bool),
        anchors=np.full(num_rows, 0.8, np.float32),
        positive_rows=list(positives[:, None]),
        query_texts=[""] * num_rows,
        query_languages=["eng-Latn"] * num_rows,
        corpus=corpus,
    )


def run(num_rows: int, threads: int) -> list[dict[str, Cell]]:
    """Return one row per chain."""
    arguments = {"num_rows": num_rows}
    found = measure("benchmarks.rules:contender", arguments, threads=threads).value
    return [
        {
            "rules": chain,
            "rows of 100": found["rows"],
            "CPU s": found["cpu_seconds"][chain],
            "rows per core-s": found["rows"] / found["cpu_seconds"][chain],
            "kept": f"{found['kept'][chain] / (found['rows'] * _CANDIDATES):.1%}",
        }
        for chain in CHAINS
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description="Rows of 100 candidates per core-second.")
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tiny", action="store_true", help="2,000 rows")
    settings = parser.parse_args(argv)
    print(render_table(run(2000 if settings.tiny else settings.rows, settings.threads)))


if __name__ == "__main__":
    main()
