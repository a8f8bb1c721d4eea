"""Everything that decides the rows of a run, and whether a directory already holds them."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path

from data_cards import manifest
from flows.config import RunConfig
from flows.decontamination import (
    identity_of_sets,
)
from flows.figures import content_figures
from flows.judging import judges_identity
from flows.miners import miners_identity
from flows.outcome import RunOutcome, outcomes_of
from flows.persona_stage import persona_configs
from flows.prompt_records import prompt_hashes
from flows.resources import held
from flows.result_directory import whole_manifest
from flows.stage_shards import CODE_VERSIONS, OPTIONAL_CODE_VERSIONS
from sdg.ids import fingerprint
from sdg.personas import read_personas
from sdg.shards import UNANSWERED

# How the work is cut, where it runs and when, and what is measured of the result: none of it
# changes a row.
HOW_NOT_WHAT = {"shards", "runner", "schedule", "audit"}


def run_fingerprint(config: RunConfig) -> str:
    """Return the fingerprint of everything that decides the published rows.

    How rows are cut into tasks, where those run and when is left out. May start a model or ask a
    server for its revision.
    """
    used = config.writers
    if config.relabel.enabled:
        used.add(config.relabel.engine)
    used.update(reviewer.engine for reviewer in config.review)
    used.update(config.judge.engines)
    settings = config.model_dump(mode="json", exclude=HOW_NOT_WHAT)
    settings.pop("generators")
    settings.pop("decontaminate")
    for source in settings["sources"]:
        # Where the files lie decides nothing; what is in them is below.
        source.pop("path", None)
    for entry in settings["plan"]["entries"]:
        for name in ("path", "column") if entry["personas"] else ():
            entry["personas"].pop(name)
    personas = {
        label: read_personas(own).identity() for label, own in persona_configs(config).items()
    }
    return fingerprint(
        {
            **({"personas": personas} if personas else {}),
            "settings": settings,
            "pairmill": importlib.metadata.version("pairmill"),
            "code": {**CODE_VERSIONS, **_optional_code(config)},
            "sources": [source.content_identity() for source in config.sources],
            "prompts": prompt_hashes(),
            "tasks": {name: task.identity() for name, task in config.tasks().items()},
            "engines": {
                name: [held(config.generators[name]).identity(), generator_revision(config, name)]
                for name in sorted(used)
            },
            "encoder": [config.encoder.identity(), held(config.encoder).revision()],
            "index": config.index.identity(),
            "gates": [held(gate).identity() for gate in config.gates],
            "miners": miners_identity(config),
            "reviewers": [reviewer.identity() for reviewer in config.review],
            "judges": judges_identity(config.judge, config.generators, []),
            "decontaminate": identity_of_sets(config.decontaminate),
        }
    )


def _optional_code(config: RunConfig) -> dict[str, int]:
    """Return the code versions of the optional stages that this run has."""
    asked = config.tasks().values()
    writes = any(task.writes_documents or task.num_companions for task in asked)
    stages = {
        "personas": any(entry.personas is not None for entry in config.plan.entries),
        "prepare": any(getattr(task, "num_preparations", 0) for task in asked),
        "pair_rules": bool(config.pair_rules),
        "review": bool(config.review),
        "vary": bool(config.variations),
        "write": writes,
        "written": writes,
        "link": writes,
        "add_written": writes,
    }
    return {stage: OPTIONAL_CODE_VERSIONS[stage] for stage, is_asked in stages.items() if is_asked}


def current_outcome(config: RunConfig, directory: Path) -> RunOutcome | None:
    """Return the outcome of a directory that already is what `config` asks for, or None."""
    return finished_outcome(directory, lambda: run_fingerprint(config))


def finished_outcome(directory: Path, wanted: Callable[[], str]) -> RunOutcome | None:
    """Return the outcome of a whole data set with the wanted fingerprint, or None.

    A damaged, missing or extra published file means None: publishing again mends it.

    Args:
        directory: Of the data set.
        wanted: Computes the fingerprint; called only if the files are whole.
    """
    found = whole_manifest(directory, manifest.load_manifest, wanted)
    if found is None or any(stage.extra.get(UNANSWERED) for stage in found.stages):
        return None
    figures = {**content_figures(found), "LLM requests sent": 0}
    return RunOutcome(directory, outcomes_of(found.stages), figures, was_current=True)


def generator_revision(config: RunConfig, generator: str) -> str:
    """Return the revision of a configured generator's model."""
    return held(config.generators[generator]).revision()
