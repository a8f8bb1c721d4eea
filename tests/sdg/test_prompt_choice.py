"""Which prompt file serves a language."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import prompts
from sdg.errors import ConfigError
from sdg.prompt_choice import choose_prompt, own_prompt


def test_a_language_with_a_file_is_served_by_it_and_by_its_own_name() -> None:
    chosen = choose_prompt("llm_query", "fra-Latn")
    assert (chosen.name, chosen.language_name) == ("llm_query/fra-Latn", "français")
    assert not chosen.is_fallback


def test_a_language_without_a_file_is_served_by_the_english_one_which_names_it() -> None:
    chosen = choose_prompt("llm_query", "tha-Thai")
    assert (chosen.name, chosen.language_name) == ("llm_query/eng-Latn", "Thai")
    assert chosen.prompt == prompts.load("llm_query", "eng-Latn")
    assert chosen.is_fallback


def test_a_folder_of_ones_own_falls_back_within_itself(tmp_path: Path) -> None:
    (tmp_path / "llm_query").mkdir()
    source = prompts.PACKAGED / "llm_query"
    shutil.copy(source / "spa-Latn.md", tmp_path / "llm_query")
    with pytest.raises(ConfigError, match=r"Available: spa-Latn\. Add llm_query/tha-Thai\.md"):
        choose_prompt("llm_query", "tha-Thai", tmp_path)
    shutil.copy(source / "eng-Latn.md", tmp_path / "llm_query")
    assert choose_prompt("llm_query", "tha-Thai", tmp_path).name == "llm_query/eng-Latn"
    assert choose_prompt("llm_query", "fra-Latn", tmp_path).is_fallback


def test_a_damaged_file_is_an_error_and_not_a_missing_one(tmp_path: Path) -> None:
    shutil.copytree(prompts.PACKAGED / "llm_query", tmp_path / "llm_query")
    (tmp_path / "llm_query" / "tha-Thai.md").write_text("damaged", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"tha-Thai\.md must start with front matter"):
        choose_prompt("llm_query", "tha-Thai", tmp_path)


def test_worked_examples_have_no_fallback() -> None:
    with pytest.raises(ConfigError, match=r"Add llm_query/tha-Thai\.md"):
        own_prompt("llm_query", "tha-Thai")


@pytest.mark.parametrize("language", ["../eng-Latn", "thai", "qzz-Latn"])
def test_a_language_that_cannot_be_named_is_refused(language: str) -> None:
    with pytest.raises(ConfigError, match="language"):
        choose_prompt("llm_query", language)
