"""Every prompt file that ships: complete, parallel across languages, and it renders."""

from __future__ import annotations

import re

import pytest

import prompts

FILES = [(task, language) for task in prompts.tasks() for language in prompts.languages(task)]
WITH_SHOTS = [(t, la) for t, la in FILES if prompts.load(t, la).shots]


def test_llm_query_has_the_three_languages_of_the_demo() -> None:
    assert {"eng-Latn", "fra-Latn", "spa-Latn"} <= set(prompts.languages("llm_query"))


@pytest.mark.parametrize(("task", "language"), FILES, ids="/".join)
def test_every_prompt_loads_under_the_name_of_its_file(task: str, language: str) -> None:
    prompt = prompts.load(task, language)
    assert (prompt.task, prompt.language) == (task, language)
    assert re.fullmatch(r"[0-9a-f]{64}", prompt.sha256)


@pytest.mark.parametrize("task", prompts.tasks())
def test_all_languages_of_a_task_agree_on_variables_outputs_and_number_of_shots(task: str) -> None:
    forms = {
        (prompt.variables, prompt.output_keys, len(prompt.shots))
        for prompt in (prompts.load(task, language) for language in prompts.languages(task))
    }
    assert len(forms) == 1


@pytest.mark.parametrize(("task", "language"), FILES, ids="/".join)
def test_every_prompt_renders_a_sample_and_leaves_no_variable(task: str, language: str) -> None:
    prompt = prompts.load(task, language)
    values = {name: f"<value of {name}>" for name in prompt.variables}
    rendered = prompt.render_chat(**values)
    assert all(value in rendered for value in values.values())
    assert not any("{" + name + "}" in rendered for name in prompt.variables)


@pytest.mark.parametrize(("task", "language"), WITH_SHOTS, ids="/".join)
def test_worked_examples_are_single_lines_that_no_label_opens(task: str, language: str) -> None:
    prompt = prompts.load(task, language)
    for shot in prompt.shots:
        for text in (shot.document, shot.query):
            assert text == " ".join(text.split())
            assert not text.startswith((prompt.labels.document, prompt.labels.query))


@pytest.mark.parametrize("task", {t for t, _ in WITH_SHOTS})
def test_no_two_worked_examples_of_a_task_share_a_query(task: str) -> None:
    queries = [
        shot.query
        for language in prompts.languages(task)
        for shot in prompts.load(task, language).shots
    ]
    assert len(set(queries)) == len(queries)


def test_shot_k_is_about_the_same_thing_in_every_language() -> None:
    """Names that no translation changes stand in the same shot of each file."""
    marks = ["Brell", None, "Selwick", "Arvel", None, "Karvan"]
    for language in ("eng-Latn", "fra-Latn", "spa-Latn"):
        shots = prompts.load("llm_query", language).shots
        for mark, shot in zip(marks, shots, strict=True):
            assert mark is None or mark in shot.document
