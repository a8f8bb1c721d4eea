"""Presets that generate: every one runs, and every number in one says where it is from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from data_cards.manifest import load_manifest
from data_cards.verify import verify_data_set
from flows.build import run_build
from flows.config import load_config
from sdg.tasks import TASKS
from tests.flows.small import settings, write_config, write_corpus

FOLDER = Path(__file__).parents[2] / "flows" / "presets"
# The demo is ours from end to end; `test_build` and CI run it.
PRESETS = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "demo")
# What a comment may name: of which paper, code or notes it is, the head says.
LABELS = ("paper", "code", "card", "script", "notes", "recipe", "E5", "DRAMA", "own")
# Whose tasks and stages other presets have, too.
ALIKE = ("fin-persona", "gpl", "promptagator")
NUMBER = re.compile(r"[<>=]*\d+(?:\.\d+)?(?:-\d+)?")


def text_of(preset: str) -> str:
    return (FOLDER / f"{preset}.yaml").read_text(encoding="utf-8")


def tiny(preset: str, corpus: Path, count: int = 3) -> dict[str, Any]:
    """Return a preset over the invented corpus, a few requests for each quota, without models."""
    values: dict[str, Any] = yaml.safe_load(text_of(preset))
    small = settings(corpus)
    values.update({name: small[name] for name in ("sources", "encoder", "index", "licence")})
    # Invented towns are near duplicates of each other by design.
    values["corpus"] = {**values["corpus"], "deduplicate": False}
    values["generators"] = {name: {"engine": "scripted"} for name in values["generators"]}
    for entry in values["plan"]["entries"]:
        entry.pop("min_characters", None)
        entry["quotas"] = [{**quota, "count": count} for quota in entry["quotas"]]
    for variation in values.get("variations", ()):
        variation.pop("share", None)
    for miner in values["mining"].get("miners", ()):
        if "encoder" in miner:
            miner.update(encoder={"encoder": "hashing", "num_dimensions": 64}, label="second")
    values["shards"] = {"requests": 16}
    return values


def test_there_is_a_preset_for_every_recipe() -> None:
    assert PRESETS == [
        "abstract-descriptions",
        "e5-mistral",
        "fin-persona",
        "gecko",
        "gpl",
        "inpars",
        "kalm",
        "nemotron",
        "promptagator",
        "qwen3-embedding",
        "qzhou",
        "swim-ir",
        "sycl",
        "targen",
    ]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_loads_and_asks_a_generator(preset: str) -> None:
    config = load_config(Path(preset))
    assert config.name == preset
    assert config.writers == {"writer"}
    # A preset needs nothing but packages as it stands.
    assert [source.name for source in config.sources] == ["wikipedia_abstracts"]
    assert all(e.model_dump()["model"].startswith("packaged:") for e in config.generators.values())


@pytest.mark.parametrize("preset", PRESETS)
def test_the_head_of_a_preset_shows_how_to_set_ones_own_corpus_and_server(preset: str) -> None:
    head = text_of(preset).split("\nname:")[0]
    words = " ".join(line.removeprefix("#").rstrip("\\").strip() for line in head.splitlines())
    _, command, after = words.partition(f"pairmill build {preset} ")
    assert command
    shown = re.findall(r"--set ([\w.-]+)=('[^']*'|\S+)", after)
    assert "generators.writer" in {key for key, _ in shown}
    overrides = [f"{key}={value.strip(chr(39))}" for key, value in shown]
    config = load_config(Path(preset), overrides)
    assert config.generators["writer"].name == "openai"


@pytest.mark.parametrize("preset", PRESETS)
def test_every_number_in_a_preset_has_its_source_on_its_line(preset: str) -> None:
    text = text_of(preset)
    sources = labels_of(text)
    assert {"own"} < sources
    unsourced = [line for line in lines_with_numbers(text) if not is_sourced(line, sources)]
    assert unsourced == []


def test_a_number_without_a_source_is_found() -> None:
    text = "# paper: arXiv 2401.00368. own: ours.\na: 1  # paper: 1\nb: 2\nc: {d: 3}  # many\n"
    text += "e: [x, '<5']  # own\nf: abc-2  # a name, no number\n"
    found = lines_with_numbers(text)
    assert found == ["a: 1  # paper: 1", "b: 2", "c: {d: 3}  # many", "e: [x, '<5']  # own"]
    sources = labels_of(text)
    assert [is_sourced(line, sources) for line in found] == [True, False, False, True]


def labels_of(text: str) -> set[str]:
    """Return the sources that the head of a preset explains: `label: where it is from`."""
    head = " ".join(
        line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#")
    )
    parts = re.split(rf"(?<!Your )\b({'|'.join(LABELS)}): ", head)
    explained = dict(zip(parts[1::2], parts[2::2], strict=True))
    return {
        label
        for label, where in explained.items()
        if re.search("arXiv|repository|code" if label != "own" else "ours", where)
    }


def lines_with_numbers(text: str) -> list[str]:
    """Return the lines in which a value is a number, or a text that is one."""
    nodes = values_in(yaml.compose(text))
    places = {node.start_mark.line for node in nodes if NUMBER.fullmatch(node.value)}
    lines = text.splitlines()
    return [lines[place] for place in sorted(places)]


def values_in(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from values_in(item)
    elif isinstance(node, yaml.MappingNode):
        for _, item in node.value:
            yield from values_in(item)


def is_sourced(line: str, sources: set[str]) -> bool:
    """Return whether the comment of a line names one of the sources, or says `own`."""
    _, sign, comment = line.partition(" #")
    named = set(re.findall(r"\b([A-Za-z0-9]+):", comment)) | set(re.findall(r"\bown\b", comment))
    return bool(sign) and bool(named & sources)


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("presets") / "towns.jsonl")


@pytest.mark.parametrize(
    "preset",
    [pytest.param(p, marks=[pytest.mark.slow] if p in ALIKE else []) for p in PRESETS],
)
def test_every_preset_runs_from_end_to_end(preset: str, towns: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.yaml", tiny(preset, towns))
    run_build(config, tmp_path / "out")
    assert verify_data_set(tmp_path / "out") == []
    manifest = load_manifest(tmp_path / "out")
    asked: dict[str, int] = {}
    for cell in manifest.cells:
        asked[cell.task] = asked.get(cell.task, 0) + cell.requested
    tasks = load_config(config).tasks()
    attaching = {label for label, task in tasks.items() if task.varies == "documents"}
    assert set(asked) == set(tasks) - attaching
    assert min(asked.values()) > 0
    # Tasks that only add documents to rows have no candidates; their prompts say that they asked.
    assert attaching <= {prompt.path.split("/")[0] for prompt in manifest.prompts}
    assert sum(cell.kept for cell in manifest.cells) > 0


# What the packaged model can do in seconds: short lists, short replies, few candidates to score.
SHORT: dict[str, Any] = {
    "tasks_per_call": 4,
    "min_words": 50,
    "num_multi_hop": 1,
    "num_structural": 1,
    "num_contextual": 1,
    "artifacts_per_kind": 1,
}
MODELLED = ["e5-mistral", "gecko", "nemotron", "qwen3-embedding"]


def modelled(preset: str, corpus: Path) -> dict[str, Any]:
    """Return a preset over the invented corpus with the packaged model that it names itself.

    What differs from the preset, and why: replies are short and lists have few items, as a minute
    has to do; equal queries are kept once and negatives need not be far, as the invented towns are
    alike and so is what a model of 135 million parameters asks about them; cells may yield little,
    as most of its replies do not end or are no JSON of the right form.
    """
    own: dict[str, Any] = yaml.safe_load(text_of(preset))
    # A preset of one task must have a row by that task.
    values = tiny(preset, corpus, count=8 if len(own["plan"]["entries"]) == 1 else 3)
    values.update({name: own[name] for name in ("generators", "encoder")})
    for entry in values["plan"]["entries"]:
        task = entry["task"]
        known = type(TASKS.build(task)).model_fields
        task.update({name: value for name, value in SHORT.items() if name in known})
        if task["task"] == "short_long":
            task["num_words"] = [50]
        task["sampling"] = {**task["sampling"], "max_tokens": 200}
    values["duplicates"] = {"ambiguous": "keep_first"}
    values["cell_yield"] = {"enabled": False}
    if values["relabel"]["enabled"]:
        values["relabel"]["num_candidates"] = 4
    rules = [{"rule": "known_positive"}, {"rule": "same_entity"}]
    values["mining"] = {"num_negatives": 1, "rules": rules, "on_shortfall": "keep"}
    # All slices at once: vLLM works on the requests of all of them together.
    values["runner"] = {"workers": 8}
    return values


@pytest.mark.llm
@pytest.mark.parametrize("preset", MODELLED)
def test_a_preset_gives_rows_with_the_real_model(preset: str, towns: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.yaml", modelled(preset, towns))
    outcome = run_build(config, tmp_path / "out")

    assert verify_data_set(tmp_path / "out") == []
    manifest = load_manifest(tmp_path / "out")
    kept = sum(cell.kept for cell in manifest.cells)
    requested = sum(cell.requested for cell in manifest.cells)
    reasons = sum(sum(cell.rejected.values()) for cell in manifest.cells)
    assert kept >= 1
    assert requested == kept + reasons
    assert outcome.figures["LLM requests sent"] >= 8
    assert outcome.figures["tokens written"] > 100
    assert {model.engine for model in manifest.models} == {"vllm"}
    rows = pl.read_parquet(tmp_path / "out" / "data" / "*.parquet")
    assert len(rows) == kept
    assert rows["provenance"].struct.field("generator").unique().to_list() == ["writer"]
