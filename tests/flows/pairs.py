"""Pairs and a corpus of invented towns, and settings that mine them in seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from flows.mine_config import MineConfig
from flows.settings import parse_settings
from mining.encoders import ENCODERS
from mining.vector_file import Floats
from tests.flows.small import documents

ENCODER = {"encoder": "hashing"}


def corpus_rows(per_language: int = 30) -> list[dict[str, str]]:
    """Return the towns as documents with ids; one town in several languages is one entity."""
    return [
        {
            "id": f"t{number:03d}",
            "text": row["text"],
            "language": row["language"],
            "entity": row["entity"],
            "topic": row["topic"],
        }
        for number, row in enumerate(documents(per_language))
    ]


def pair_rows(per_language: int = 30) -> list[dict[str, Any]]:
    """Return each town's description with its document."""
    return [
        {
            "query": row["description"],
            "positive_ids": [f"t{number:03d}"],
            "query_language": row["language"],
        }
        for number, row in enumerate(documents(per_language))
    ]


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as JSON Lines and return the path."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def embed(texts: list[str]) -> Floats:
    """Return the vectors that the encoder of these tests gives."""
    vectors: Floats = ENCODERS.build(ENCODER).encode(texts, "document")
    return vectors


def save(path: Path, vectors: Floats) -> Path:
    """Save vectors as .npy and return the path."""
    np.save(path, vectors)
    return path


def config(folder: Path, **changes: Any) -> MineConfig:
    """Return settings that mine `folder/pairs.jsonl` from `folder/corpus.jsonl`."""
    return parse_settings(values(folder, **changes), "test", MineConfig)


def values(folder: Path, **changes: Any) -> dict[str, Any]:
    """Return the same settings before they are parsed."""
    return {
        "title": "Invented towns",
        "licence": "cc0-1.0",
        "seed": 3,
        "pairs": {"path": str(folder / "pairs.jsonl")},
        "corpus": {"path": str(folder / "corpus.jsonl"), "licence": "cc0-1.0"},
        "encoder": ENCODER,
        "index": {"index": "exact"},
        "shards": {"queries": 16},
        **changes,
    }
