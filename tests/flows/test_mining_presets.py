"""Published recipes by name: they parse, a configuration is laid over them, and each is as told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.mine_config import load_mine_config
from flows.mining_presets import FOLDER, expand_preset, preset_names, read_preset
from mining.bitext import BitextConfig
from mining.mine import MiningConfig
from sdg.errors import ConfigError, UnknownNameError
from sdg.judge.config import JudgeConfig

ENGINES = {name: {"engine": "scripted"} for name in ("cheap", "strong", "judge")}
# What finds pairs instead of negatives.
NOT_MINING = {"laser-bitext"}


def _rules(name: str) -> dict[str, dict[str, Any]]:
    config = MiningConfig.model_validate(read_preset(name)["mining"])
    return {rule.name: rule.model_dump() for rule in config.rules}


@pytest.mark.parametrize("name", sorted(set(preset_names()) - NOT_MINING))
def test_a_preset_mines_and_keeps_the_promises(name: str, tmp_path: Path) -> None:
    extra = tmp_path / "engines.yaml"
    extra.write_text(yaml.safe_dump({"pairs": {"path": "p"}, "generators": ENGINES}))
    config = load_mine_config(extra, name, [])
    wanted = read_preset(name)["mining"]
    assert config.mining == MiningConfig.model_validate(wanted)
    assert [rule.name for rule in config.mining.rules] == [r["rule"] for r in wanted["rules"]]
    assert config.judge == JudgeConfig.model_validate(read_preset(name).get("judge", {}))


def test_every_line_of_a_preset_with_a_number_says_where_it_is_from() -> None:
    for path in FOLDER.glob("*.yaml"):
        for line in path.read_text(encoding="utf-8").splitlines():
            content, _, comment = line.partition("#")
            if any(c.isdigit() for c in content):
                assert comment or "sample_from" in content, f"{path.name}: {line}"


@pytest.mark.parametrize(
    ("name", "rule", "settings"),
    [
        ("nv-retriever-percpos", "percent", {"fraction": 0.95}),
        ("nv-retriever-marginpos", "margin", {"margin": 0.05}),
        ("sfr", "rank_window", {"first": 30, "last": 100}),
        ("kalm", "rank_window", {"first": 50, "last": 100}),
        ("bge", "rank_window", {"first": 10, "last": 210}),
        ("f2llm", "absolute", {"threshold": 0.8}),
        ("miracl-multilingual", "percent", {"fraction": 0.90}),
    ],
)
def test_the_number_of_a_recipe_is_the_published_one(
    name: str, rule: str, settings: dict[str, float]
) -> None:
    assert {k: v for k, v in _rules(name)[rule].items() if k in settings} == settings


def test_what_a_configuration_says_itself_wins_over_the_preset() -> None:
    values = {
        "seed": 1,
        "mining": {"preset": "kalm", "num_negatives": 3, "selection": {"sample_from": 9}},
    }
    expanded = expand_preset(values)
    assert expanded["seed"] == 1
    assert expanded["mining"]["num_negatives"] == 3
    assert expanded["mining"]["selection"] == {"strategy": "uniform", "sample_from": 9}
    assert expanded["mining"]["on_shortfall"] == "random_fill"
    assert "preset" not in expanded["mining"]
    only = [{"rule": "known_positive"}]
    assert expand_preset({"mining": {"preset": "kalm", "rules": only}})["mining"]["rules"] == only


def test_another_strategy_takes_over_the_settings_that_it_has() -> None:
    def selection(preset: str, **own: Any) -> dict[str, Any]:
        found: dict[str, Any] = expand_preset({"mining": {"preset": preset, "selection": own}})
        return dict(found["mining"]["selection"])

    assert selection("insent", strategy="top") == {"strategy": "top"}
    assert selection("insent", strata=3) == {"strategy": "stratified", "by": "miner", "strata": 3}
    assert selection("kalm", strategy="sampled") == {"strategy": "sampled", "sample_from": 50}
    config = load_mine_config(
        None, "insent", ["pairs.path=p"], ["mining.selection={strategy: top}"]
    )
    assert config.mining.selection.strategy.name == "top"


def test_the_command_line_wins_over_the_file_and_the_preset(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"pairs": {"path": "a"}, "mining": {"num_negatives": 9}}))
    config = load_mine_config(path, "kalm", ["pairs.path=b"], ["mining.max_above=7"])
    assert (config.pairs.path, config.mining.num_negatives, config.mining.max_above) == ("b", 9, 7)


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"arctic, bge.* 'bgee' instead"):
        expand_preset({"mining": {"preset": "bgee"}})


def test_a_recipe_for_something_else_is_refused_and_parses_where_it_belongs() -> None:
    with pytest.raises(ConfigError, match="is a recipe for bitext instead"):
        expand_preset({"mining": {"preset": "laser-bitext"}})
    config = BitextConfig.model_validate(read_preset("laser-bitext")["bitext"])
    assert (config.neighbours, config.lowest(), config.retrieval) == (4, 1.04, "max")


def test_rules_without_which_a_row_could_break_a_promise_are_refused() -> None:
    with pytest.raises(ConfigError, match="near_duplicate, same_entity are missing"):
        load_mine_config(
            None,
            None,
            ["pairs.path=p"],
            ['mining.rules=[{"rule": "known_positive"}, {"rule": "exact_duplicate"}]'],
        )
