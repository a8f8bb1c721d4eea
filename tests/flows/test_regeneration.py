"""What a change asks anew: everything it shapes, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import prompts
from flows.build import run_build
from sdg.store import sha256_of
from tests.flows.small import settings, write_config, write_corpus

QUOTAS = [{"documents": "eng-Latn", "queries": "eng-Latn", "count": 6}]


class Calls:
    """A run whose engine writes down every request that it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "asked.log"
        self.values = settings(write_corpus(folder / "corpus.jsonl"), log_file=str(self.log))
        entries = [
            {"task": {"task": "llm_query"}, "generator": "script", "quotas": QUOTAS},
            {"task": {"task": "keyword_query"}, "generator": "script", "quotas": QUOTAS},
            {"task": {"task": "summarised_query"}, "generator": "script", "quotas": QUOTAS},
        ]
        self.values["plan"] = {"entries": entries}
        self.values["gates"] = []
        self.values["relabel"] = {"enabled": False}
        self.values["round_trip"] = {"top_k": 1000}

    def run(self, **changes: Any) -> Counter[str]:
        """Run with some settings replaced, and return what was asked in this run."""
        before = Counter(self.log.read_text().split()) if self.log.exists() else Counter[str]()
        config = write_config(self.folder / "c.yaml", {**self.values, **changes})
        run_build(config, self.folder / "out")
        return Counter(self.log.read_text().split()) - before

    def with_task(self, place: int, **task: Any) -> dict[str, Any]:
        """Return the plan with one task's settings changed."""
        entries = [dict(entry) for entry in self.values["plan"]["entries"]]
        entries[place] = {**entries[place], "task": {**entries[place]["task"], **task}}
        return {"entries": entries}


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Calls:
    made = Calls(tmp_path_factory.mktemp("calls"))
    # One question each, and one before it for the summaries.
    assert sum(made.run().values()) == 6 + 6 + 6 + 6
    return made


def test_a_system_message_asks_anew_what_it_shapes_and_nothing_else(calls: Calls) -> None:
    asked = calls.run(plan=calls.with_task(1, system="You are brief."))
    assert sum(asked.values()) == 6
    assert calls.run() == Counter()


def test_a_system_message_shapes_preparations_too(calls: Calls) -> None:
    asked = calls.run(plan=calls.with_task(2, system="You are brief."))
    # The scripted engine says the same, so the last question is another one only by its message.
    assert sum(asked.values()) == 12


def test_rows_that_a_rule_stops_are_not_asked_for_again(calls: Calls) -> None:
    stopped = calls.run(gates=[{"gate": "length", "min_words": 3, "max_words": 4}])
    assert stopped == Counter()
    assert calls.run() == Counter()


def test_sampling_asks_anew_and_the_cut_into_shards_does_not(calls: Calls) -> None:
    hotter = calls.with_task(0, sampling={"temperature": 0.9})
    assert sum(calls.run(plan=hotter).values()) == 6
    assert calls.run(plan=hotter, shards={"requests": 2}) == Counter()


def test_a_prompt_folder_of_your_own_asks_anew_and_stands_in_the_manifest(calls: Calls) -> None:
    folder = calls.folder / "own_prompts"
    shutil.copytree(prompts.PACKAGED / "keyword_query", folder / "keyword_query")
    path = folder / "keyword_query" / "eng-Latn.md"
    path.write_text(path.read_text().replace("written_by: ", "written_by: a friend of "))
    asked = calls.run(plan=calls.with_task(1, prompts=str(folder)))
    # The model is told the same, so the journal answers.
    assert asked == Counter()
    path.write_text(path.read_text() + "\nBe brief.\n")
    assert sum(calls.run(plan=calls.with_task(1, prompts=str(folder))).values()) == 6
    manifest = json.loads((calls.folder / "out" / "manifest.json").read_text())
    own = [p for p in manifest["prompts"] if "keyword_query" in p["path"]]
    assert [(p["path"], p["sha256"]) for p in own] == [
        ("own_prompts/keyword_query/eng-Latn.md", sha256_of(path))
    ]
    assert own[0]["written_by"].startswith("a friend of ")
    assert "llm_query/eng-Latn.md" in {p["path"] for p in manifest["prompts"]}
