"""The manifest of translation pairs adds up, and its card shows untrusted text as text."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from data_cards.bitext_card import render_bitext_card
from data_cards.bitext_manifest import checked_bitext_manifest
from sdg.errors import ContractError


def _stage(name: str, unit: str, rows_in: int, kept: int, **rejected: int) -> dict[str, Any]:
    return {"name": name, "unit": unit, "rows_in": rows_in, "kept": kept, "rejected": rejected}


def _fields(**changes: Any) -> dict[str, Any]:
    source = {"reader": "given", "content": "0" * 64, "documents": 4, "licence": "cc0-1.0"}
    return {
        "name": "Pairs | <b>bold</b>",
        "pairmill_version": "0.1.0",
        "licence": "cc0-1.0",
        "config": {},
        "fingerprint": "0" * 64,
        "versions": {},
        "sources": [
            {**source, "name": "source", "attribution": "[us](http://x.org)"},
            {**source, "name": "target", "attribution": "unknown"},
        ],
        "encoder": {"name": "given", "revision": "r1", "dimensions": 2},
        "index": "exact",
        "stages": [
            _stage("source", "source sentences", 4, 3, empty_text=1),
            _stage("pairs", "pairs", 3, 2, below_threshold=1),
            _stage("source_pairs", "source sentences", 3, 2, below_threshold=1),
        ],
        "languages": [{"source": "eng-Latn", "target": "und-Zyyy", "pairs": 2}],
        "facts": [],
        "files": {"data/train-00000-of-00001.parquet": {"sha256": "0" * 64, "rows": 2, "bytes": 9}},
        **changes,
    }


def test_the_card_shows_what_came_from_outside_as_text() -> None:
    card = render_bitext_card(checked_bitext_manifest(_fields()))
    _, front, body = card.split("---\n", 2)
    assert yaml.safe_load(front)["language"] == ["eng"]
    assert [c["config_name"] for c in yaml.safe_load(front)["configs"]] == ["data"]
    assert "# Pairs \\| &lt;b&gt;bold&lt;/b&gt;\n" in body
    assert "(http://x.org)" not in body
    assert "| pairs | pairs | 3 | 2 | below_threshold 1 |" in body


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stages": [_stage("pairs", "pairs", 3, 2, below_threshold=2)]}, "stage pairs"),
        (
            {
                "stages": [
                    _stage("source", "source sentences", 4, 3, empty_text=1),
                    _stage("pairs", "pairs", 2, 2),
                    _stage("source_pairs", "source sentences", 2, 2),
                ]
            },
            "must be given the 3 source sentences",
        ),
        ({"languages": []}, "of all languages"),
        ({"files": {}}, r"the pairs of the files \(0\)"),
    ],
)
def test_counts_that_do_not_add_up_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ContractError, match=words):
        checked_bitext_manifest(_fields(**changes))
