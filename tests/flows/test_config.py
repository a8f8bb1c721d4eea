"""What cannot work is refused before anything runs, with the key, the value and the cure."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from flows.config import load_config
from flows.settings import read_settings
from sdg.errors import ConfigError
from tests.flows.small import settings, write_config


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    return write_config(tmp_path / "c.yaml", settings(tmp_path / "corpus.jsonl"))


def test_an_unknown_key_is_named_with_the_nearest_known_one(config_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`retrieve_dept` is an unknown key.*`retrieve_depth`"):
        load_config(config_path, ["retrieve_dept=10"])


def test_an_unknown_plugin_is_named_with_the_known_ones(config_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`reader` must be one of .*jsonl.*'jsonn'"):
        load_config(config_path, ["sources.0.reader=jsonn"])


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("plan.entries.0.per_documnt=2", "Did you mean `per_document`"),
        ("plan.entries.0.task.samplng={}", "Did you mean `sampling`"),
        ("plan.entries.0.task.sampling.temprature=1", "Did you mean `temperature`"),
        ("gates.0.min_wrds=3", "Did you mean `min_words`"),
        ("generators.script.log_fil=x", "Did you mean `log_file`"),
    ],
)
def test_an_unknown_key_of_any_section_is_named_with_the_nearest(
    config_path: Path, override: str, said: str
) -> None:
    with pytest.raises(ConfigError, match="is an unknown key.*" + said):
        load_config(config_path, [override])


def test_a_plugins_misspelt_name_is_told_with_the_nearest(config_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'llm_qery' instead\. Did you mean 'llm_query'"):
        load_config(config_path, ["plan.entries.0.task.task=llm_qery"])


def test_what_only_follows_from_a_wrong_entry_is_not_told(config_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(config_path, ["plan.entries.0.quotas.0.queries=sv"])
    # The file says the quotas once, for both entries.
    said = "is 'sv': it must be an ISO 639-3 code and a script, like eng-Latn or zho-Hans."
    assert str(caught.value).splitlines()[1:] == [
        f"  `plan.entries.{entry}.quotas.0.queries` {said}" for entry in (0, 1)
    ]


def test_a_key_that_stands_twice_is_refused_with_both_lines(config_path: Path) -> None:
    lines = config_path.read_text(encoding="utf-8")
    config_path.write_text(lines + "seed: 3\nseed: 4\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"the key `seed` stands twice in one section, in lines"):
        load_config(config_path)


def test_merged_sections_may_repeat_a_key_and_a_list_is_no_key(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("a: &a {b: 1, c: 1}\nd:\n  <<: *a\n  b: 2\n", encoding="utf-8")
    assert read_settings(file, [])["d"] == {"b": 2, "c": 1}
    chain = "a: &a {b: 1}\nc: {d: &d {<<: *a, b: 2}}\ne: {<<: *d}\n"
    file.write_text(chain, encoding="utf-8")
    assert read_settings(file, [])["e"] == {"b": 2}
    file.write_text("? [1, 2]\n: 3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="unhashable key"):
        read_settings(file, [])


def test_without_a_section_nothing_is_relabelled(tmp_path: Path) -> None:
    values = settings(tmp_path / "corpus.jsonl")
    del values["relabel"]
    assert not load_config(write_config(tmp_path / "c.yaml", values)).relabel.enabled


def test_an_unlisted_generator_is_refused(config_path: Path) -> None:
    with pytest.raises(ConfigError, match="'gpt' is not"):
        load_config(config_path, ["plan.entries.0.generator=gpt"])


def test_a_wrong_value_is_shown_with_its_key(config_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`retrieve_depth` is 0"):
        load_config(config_path, ["retrieve_depth=0"])


def test_a_top_k_for_a_task_that_is_not_planned_is_refused(config_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"natural_titel.*planned: llm_query"):
        load_config(config_path, ['round_trip.task_top_k={"natural_titel": 3}'])


def test_a_variation_of_a_task_that_is_not_planned_is_refused(config_path: Path) -> None:
    variation = '{"task": {"task": "paraphrase_query"}, "generator": "script", "tasks": ["lm_*"]}'
    said = r"`variations.0.tasks` must name tasks of the plan, but 'lm_\*' is none \(planned: llm_"
    with pytest.raises(ConfigError, match=said):
        load_config(config_path, [f"variations=[{variation}]"])


def test_overrides_reach_list_items_and_new_keys(config_path: Path) -> None:
    config = load_config(config_path, ["sources.0.licence=mit", "runner.workers=3", "seed=9"])
    assert (config.sources[0].licence, config.runner.workers, config.seed) == ("mit", 3, 9)


@pytest.mark.parametrize("override", ["seed", "=3", "sources.7.path=x", "seed.a=1"])
def test_an_override_that_names_no_setting_is_refused(config_path: Path, override: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        load_config(config_path, [override])


def test_a_missing_file_names_the_presets(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"YAML file or a preset \(.*demo"):
        load_config(tmp_path / "none.yaml")


def test_a_file_that_is_not_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("a: [1, 2", encoding="utf-8")
    with pytest.raises(ConfigError, match="readable YAML"):
        load_config(path)


def test_a_configuration_travels_to_other_processes(config_path: Path) -> None:
    config = load_config(config_path, ['encoder={"encoder": "use_multilingual"}'])
    again = pickle.loads(pickle.dumps(config))  # noqa: S301 - our own bytes
    assert again.model_dump() == config.model_dump()
    assert again.encoder.identity() == config.encoder.identity()


def test_an_override_that_is_not_yaml_is_refused(config_path: Path) -> None:
    with pytest.raises(ConfigError, match="--set title"):
        load_config(config_path, ["title=[1"])


def test_an_error_never_prints_a_secret_or_the_whole_file(config_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(config_path, ["generators.script.api_key=sk-12345"])
    assert "sk-12345" not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        load_config(config_path, ["plan.entries.0.generator=gpt"])
    assert len(str(caught.value)) < 400
