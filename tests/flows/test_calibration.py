"""`pairmill calibrate`: thresholds that drop what is asked for, and nothing is done twice."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from flows import cli
from flows.calibration import Calibrated, Wish, calibrate_pairs
from flows.mine import mine_pairs
from sdg.errors import ConfigError
from tests.flows import pairs

DEPTH = 40
# Invented towns are much alike; here only equal ones are duplicates.
RULES: list[dict[str, Any]] = [
    {"rule": "known_positive"},
    {"rule": "same_entity"},
    {"rule": "exact_duplicate"},
    {"rule": "near_duplicate", "jaccard": 0.95},
]
MINING = {"num_negatives": 4, "rules": [*RULES, {"rule": "percent"}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given")
    pairs.write_jsonl(folder / "pairs.jsonl", pairs.pair_rows())
    pairs.write_jsonl(folder / "corpus.jsonl", pairs.corpus_rows())
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("calibrated")


def calibrated(folder: Path, out: Path, **wish: Any) -> Calibrated:
    asked = {"rule": "percent", "drop": (), "like": "", "num_queries": 1000, "depth": DEPTH, **wish}
    return calibrate_pairs(pairs.config(folder, mining=MINING), out, Wish(**asked))


def oracle() -> tuple[list[str], list[float], list[list[float]]]:
    """Return languages, cosines of positives, and those of the nearest towns that may be wrong."""
    documents, queries = pairs.corpus_rows(), pairs.pair_rows()
    asked = pairs.embed([query["query"] for query in queries]).astype(np.float64)
    cosines = asked @ pairs.embed([row["text"] for row in documents]).astype(np.float64).T
    nearest = []
    for own, row in enumerate(cosines):
        # One town in another language is the same entity.
        others = [n for n, d in enumerate(documents) if d["entity"] != documents[own]["entity"]]
        nearest.append(sorted(row[others], reverse=True)[:DEPTH])
    return [q["query_language"] for q in queries], list(cosines.diagonal()), nearest


def dropped(language: str, fraction: float) -> float:
    """Return the share of the nearest that lies above a percentage of the positive."""
    told = [
        cosine > fraction * positive
        for tag, positive, own in zip(*oracle(), strict=True)
        if language in ("", tag)
        for cosine in own
    ]
    return sum(told) / len(told)


def test_each_threshold_is_the_loosest_that_drops_the_share_asked_for(
    folder: Path, out: Path
) -> None:
    found = calibrated(folder, out, drop=("0.2", "fra-Latn=0.4"))
    assert found.queries == {"eng-Latn": 30, "fra-Latn": 30, "spa-Latn": 30}
    own = found.calibration
    asked = {"": 0.2, "eng-Latn": 0.2, "fra-Latn": 0.4, "spa-Latn": 0.2}
    for language, share in asked.items():
        fraction = own.per_language[language] if language else own.overall
        assert dropped(language, fraction) == pytest.approx(own.dropped[language], abs=0.002)
        assert own.dropped[language] >= share
        # A step looser drops too little.
        assert dropped(language, fraction + 0.001) < share + 0.002
    assert own.per_language["fra-Latn"] < own.per_language["spa-Latn"]


def test_as_much_is_dropped_as_a_threshold_drops_in_one_language(folder: Path, out: Path) -> None:
    found = calibrated(folder, out, like="eng-Latn=0.9")
    share = dropped("eng-Latn", 0.9)
    assert 0 < share < 1
    assert found.target[""] == pytest.approx(share, abs=0.002)
    assert found.calibration.per_language["eng-Latn"] >= 0.9
    assert min(found.calibration.dropped.values()) >= found.target[""]


def test_mining_into_the_same_directory_embeds_nothing_again(folder: Path, out: Path) -> None:
    calibrated(folder, out, drop=("0.2",))
    outcome = mine_pairs(pairs.config(folder, mining=MINING), out)
    computed = {stage.name: stage.computed for stage in outcome.stages}
    assert (computed["embed"], computed["embed_queries"]) == (0, 0)
    assert computed["mine"] > 0


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({}, "none is"),
        ({"drop": ("0.2",), "like": "eng-Latn=0.9"}, "both are"),
        ({"drop": ("fra-Latn=0.2",)}, r"share for all other languages, but has \['fra-Latn'\]"),
        ({"drop": ("much",)}, "but is 'much' instead"),
        ({"drop": ("1.2",)}, r"share in \[0, 1\]"),
        ({"drop": ("0.2", "deu-Latn=0.3")}, "'deu-Latn' is not"),
        ({"drop": ("0.2", "0.3")}, "once for each language, but '0.3' is not"),
        ({"drop": ("0.2",), "rule": "language"}, "must be one of absolute, margin, percent"),
        ({"like": "deu-Latn=0.9"}, "'deu-Latn' is not"),
        ({"like": "eng-Latn=9"}, "`fraction` of the rule percent cannot be 9"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(
    wish: dict[str, Any], said: str, folder: Path, out: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        calibrated(folder, out, **wish)


def test_the_command_prints_a_rule_that_mining_takes(
    folder: Path, out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = folder / "mine.yaml"
    values.write_text(yaml.safe_dump(pairs.values(folder)), encoding="utf-8")
    given = ("calibrate", "--config", str(values), "--out", str(out), "--drop", "0.2")
    monkeypatch.setattr(cli, "end_at_once_on_interrupt", lambda: None)

    def told(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["pairmill", *given, *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
        return capsys.readouterr().out

    (rule,) = yaml.safe_load(told().splitlines()[-1])
    assert json.loads(told("--json"))["rule"] == rule
    pairs.config(folder, mining={"num_negatives": 4, "rules": [*RULES, rule]})
