"""A small trilingual corpus of invented places, and settings that build from it in seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from sdg.store import sha256_of

RIVERS = [
    "Orla",
    "Tevin",
    "Maresk",
    "Dunnow",
    "Silva",
    "Pernik",
    "Aldra",
    "Yarrow",
    "Kestin",
    "Brume",
]
NAMES = [
    "Calder",
    "Wexby",
    "Torvald",
    "Lindow",
    "Harrock",
    "Nessing",
    "Olmery",
    "Petrow",
    "Quillan",
]
CRAFTS = {
    "eng-Latn": ["glass", "salted herring", "woollen cloth", "church bells", "pear cider", "paper"],
    "fra-Latn": ["verre", "hareng salé", "drap de laine", "cloches", "cidre de poire", "papier"],
    "spa-Latn": ["vidrio", "arenque salado", "paño de lana", "campanas", "sidra de pera", "papel"],
}
TEXTS = {
    "eng-Latn": (
        "{name} is a market town on the river {river}. For three hundred years its people lived "
        "from making {craft}, which boats carried down to the sea. A museum beside the old bridge "
        "tells how the {craft} of {name} was sold as far as the southern islands until {year}."
    ),
    "fra-Latn": (
        "{name} est un bourg au bord de la rivière {river}. Pendant trois siècles ses habitants "
        "ont vécu de la fabrication de {craft}, que des bateaux emportaient vers la mer. Un musée "
        "près du vieux pont raconte comment {name} vendait son {craft} jusque dans les îles en "
        "{year}."
    ),
    "spa-Latn": (
        "{name} es una villa a orillas del río {river}. Durante tres siglos sus vecinos vivieron "
        "de la fabricación de {craft}, que las barcas llevaban hasta el mar. Un museo junto al "
        "puente viejo cuenta cómo {name} vendía su {craft} en las islas del sur hasta {year}."
    ),
}
BESIDE = {
    "eng-Latn": "town on the river {river} known for {craft} until {year}",
    "fra-Latn": "bourg de la rivière {river} connu pour {craft} en {year}",
    "spa-Latn": "villa del río {river} conocida por {craft} hasta {year}",
}


def documents(per_language: int = 30) -> list[dict[str, str]]:
    """Return invented documents; the same place exists in every language under one title."""
    rows = []
    for language, text in TEXTS.items():
        for number in range(per_language):
            name = f"{NAMES[number % 9]}{'' if number < 9 else ' ' + RIVERS[number // 9]}"
            values = {
                "name": name,
                "river": RIVERS[number % 10],
                "craft": CRAFTS[language][number % 6],
                "year": str(1500 + 7 * number),
            }
            rows.append(
                {
                    "title": name,
                    "text": text.format(**values),
                    "description": BESIDE[language].format(**values),
                    "language": language,
                    "topic": "coast" if number % 2 else "hills",
                    "entity": name,
                }
            )
    return rows


def write_corpus(path: Path, per_language: int = 30) -> Path:
    """Write the corpus as JSONL and return its path."""
    rows = documents(per_language)
    # Rows that the corpus stage must stop: too short, and a repetition.
    rows += [{**rows[0], "text": "Too short."}, {**rows[1], "title": "Again"}]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def settings(corpus: Path, **engine: Any) -> dict[str, Any]:
    """Return settings of a run over `corpus` with the scripted engine and the hashing encoder."""
    pairs = [{"documents": t, "queries": t, "count": 12} for t in TEXTS]
    return {
        "name": "small",
        "title": "Invented towns",
        "licence": "cc0-1.0",
        "seed": 3,
        "sources": [
            {
                "reader": "jsonl",
                "path": str(corpus),
                "title_column": "title",
                "language_column": "language",
                "topic_column": "topic",
                "entity_column": "entity",
                "natural_columns": {"description": "description"},
                "licence": "cc0-1.0",
            }
        ],
        "corpus": {"chunk": False, "deduplicate": False},
        "generators": {"script": {"engine": "scripted", **engine}},
        "plan": {
            "entries": [
                {
                    "task": {
                        "task": "llm_query",
                        "shape": "completion",
                        "sampling": {"num_candidates": 3},
                    },
                    "generator": "script",
                    "quotas": pairs,
                },
                {"task": {"task": "natural_text", "kind": "description"}, "quotas": pairs},
            ]
        },
        "gates": [{"gate": "length"}, {"gate": "duplicate"}],
        "encoder": {"encoder": "hashing"},
        "index": {"index": "exact"},
        "round_trip": {"top_k": 5},
        "relabel": {"enabled": True, "engine": "script", "num_candidates": 4},
        "mining": {"num_negatives": 4},
        "shards": {"requests": 16},
    }


def write_config(path: Path, values: dict[str, Any]) -> Path:
    """Write settings as YAML and return the path."""
    path.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    return path


def published(directory: Path) -> dict[str, str]:
    """Return path -> sha256 of every published file."""
    return {
        str(path.relative_to(directory)): sha256_of(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file() and ".work" not in path.parts
    }


def pairmill(*arguments: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, as a user would."""
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "PREFECT_HOME": str(home), "COLUMNS": "200"},
    )
