"""What README shows is true: its configuration parses, its example gate works, its files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import yaml

from data_cards.audit.metric import METRICS
from data_cards.exports import EXPORTS
from flows.audit_config import AuditCommandConfig
from flows.config import load_config, parse_config
from flows.mining_presets import preset_names
from flows.relabel_config import ExistingRowsConfig
from flows.settings import parse_settings
from mining.pair_rules import PAIR_RULES
from sdg.gates import GATES, Evidence
from sdg.review import REVIEWERS
from sdg.schemas import DOCUMENTS
from sdg.tasks import TASKS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_configuration_of_a_real_run_parses() -> None:
    (block,) = [b for b in _blocks("yaml") if b.startswith("# my.yaml")]
    config = parse_config(yaml.safe_load(block), "README.md")
    assert [entry.generator for entry in config.plan.entries] == ["qwen3"]
    assert config.mining.num_negatives == 7


def test_the_configuration_of_judges_parses() -> None:
    (block,) = [b for b in _blocks("yaml") if b.startswith("# judge.yaml")]
    config = parse_settings(yaml.safe_load(block), "README.md", ExistingRowsConfig)
    assert config.judge.engines == ("cheap", "strong")


def test_the_configuration_of_an_audit_parses() -> None:
    (block,) = [b for b in _blocks("yaml") if b.startswith("# audit.yaml")]
    config = parse_settings(yaml.safe_load(block), "README.md", AuditCommandConfig)
    assert sorted(gate.limit for gate in config.limits) == [0.01, 0.1]


def test_readme_names_every_audit_metric_and_export() -> None:
    table = README[README.index("| question | metrics |") : README.index("What is sampled says so")]
    assert sorted(re.findall(r"`([a-z_0-9]+)`", table)) == sorted(METRICS)
    formats = README[README.index("| `--format` | for |") : README.index("`publish` takes")]
    named = [name for line in formats.splitlines()[2:] for name in _formats(line)]
    assert sorted(named) == sorted(EXPORTS)


def _formats(line: str) -> list[str]:
    return re.findall(r"`([a-z-]+)`", line.split("|")[1]) if line.startswith("|") else []


def test_readme_lists_every_mining_preset() -> None:
    (line,) = [line for line in README.splitlines() if line.startswith("- **Presets**")]
    assert re.findall(r"`([\w-]+)`", line) == preset_names()


def test_readme_names_every_task_pair_rule_and_reviewer_and_its_example_works() -> None:
    part = README[README.index("### Other ways to ask") : README.index("### Hard negatives")]
    named = set(re.findall(r"`([a-z_]+)`", part)) | set(re.findall(r": ([a-z_]+)[,}]", part))
    assert {*TASKS, *PAIR_RULES, *REVIEWERS} <= named
    (mine,) = [b for b in _blocks("yaml") if b.startswith("# my.yaml")]
    (ways,) = [b for b in _blocks("yaml") if b.startswith("# ways.yaml")]
    values = {**yaml.safe_load(mine), **yaml.safe_load(ways)}
    values["generators"]["gpt-oss"] = values["generators"]["qwen3"]
    assert parse_config(values, "README.md").writers == {"qwen3", "gpt-oss"}


def test_readme_lists_every_recipe() -> None:
    (line,) = [line for line in README.splitlines() if line.startswith("- **Recipes**")]
    presets = {path.stem for path in (ROOT / "flows" / "presets").glob("*.yaml")} - {"demo"}
    assert re.findall(r"`([\w-]+)`", line) == sorted(presets)


def test_every_preset_parses() -> None:
    presets = sorted((ROOT / "flows" / "presets").glob("*.yaml"))
    assert [load_config(path).name for path in presets] == [path.stem for path in presets]


def test_the_example_of_a_new_gate_works() -> None:
    (block,) = [b for b in _blocks("python") if "no_digits" in b]
    namespace: dict[str, object] = {}
    try:
        exec(compile(block, "README.md", "exec"), namespace)  # noqa: S102 - README's own code
        gate = GATES.build({"gate": "no_digits"})
        queries = pa.table({"query": ["until 1976", "never"]})
        verdict = gate.judge(queries, Evidence(DOCUMENTS.empty_table()))
        assert verdict.rejected.tolist() == [True, False]
        assert list(verdict.reasons) == ["has_digit"]
    finally:
        GATES._entries.pop("no_digits", None)


def test_the_files_that_readme_points_to_exist() -> None:
    named = re.findall(r"`((?:tests|flows|sdg|mining|data_cards|benchmarks)/[\w./-]+)`", README)
    paths = [name for name in named if "<" not in name]
    assert len(paths) >= 5
    assert [name for name in paths if not (ROOT / name).exists()] == []
