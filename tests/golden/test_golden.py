"""A small data set, card and rows, compared with what was committed.

`pytest tests/golden --update-golden` writes them anew; read the difference before you commit.
"""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from tests.flows.small import settings, write_config, write_corpus

FOLDER = Path(__file__).parent


@pytest.fixture(scope="module")
def tiny(prefect_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data set of invented towns, eight documents a language."""
    from flows.build import run_build

    folder = tmp_path_factory.mktemp("golden")
    values = settings(write_corpus(folder / "towns.jsonl", 8))
    values["mining"] = {"num_negatives": 2}
    for entry in values["plan"]["entries"]:
        for quota in entry["quotas"]:
            quota["count"] = 4
    run_build(write_config(folder / "golden.yaml", values), folder / "out")
    return folder / "out"


def _compare(name: str, text: str, request: pytest.FixtureRequest) -> None:
    path = FOLDER / name
    if request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_rows_are_as_committed(tiny: Path, request: pytest.FixtureRequest) -> None:
    rows = pl.read_parquet(tiny / "data" / "*.parquet").sort("query_id").to_dicts()
    for row in rows:
        for name in ("positive_scores", "negative_scores"):
            row[name] = [round(score, 4) for score in row[name]]
    lines = [json.dumps(row, ensure_ascii=False, sort_keys=True) for row in rows]
    _compare("rows.jsonl", "\n".join(lines) + "\n", request)


def test_the_counts_are_as_committed(tiny: Path, request: pytest.FixtureRequest) -> None:
    manifest = json.loads((tiny / "manifest.json").read_text(encoding="utf-8"))
    parts = {name: manifest[name] for name in ("stages", "cells", "mining", "relabel", "splits")}
    _compare("counts.json", json.dumps(parts, indent=1, sort_keys=True) + "\n", request)


def test_the_card_is_as_committed(tiny: Path, request: pytest.FixtureRequest) -> None:
    card = (tiny / "README.md").read_text(encoding="utf-8")
    # Checksums, fingerprints and versions change with every release of a dependency.
    lines = [line for line in card.splitlines() if "sha256" not in line and "`==" not in line]
    text = "\n".join(line for line in lines if not _is_volatile(line)) + "\n"
    _compare("card.md", text, request)


def _is_volatile(line: str) -> bool:
    words = line.replace("|", " ").replace("`", " ").replace(",", " ").split()
    return any(len(w) == 64 and set(w) <= set("0123456789abcdef") for w in words) or any(
        w[0].isdigit() and w.count(".") == 2 for w in words
    )
