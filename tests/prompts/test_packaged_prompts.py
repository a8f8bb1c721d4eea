"""Every prompt file that ships: complete, parallel across languages, and it renders."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

import pytest

import prompts
from sdg.language import identify_languages
from sdg.relabel.wording import split_answers

FILES = [(task, language) for task in prompts.tasks() for language in prompts.languages(task)]
WITH_SHOTS = [(t, la) for t, la in FILES if prompts.load(t, la).shots]


LANGUAGES = {
    *("ara-Arab", "deu-Latn", "eng-Latn", "fra-Latn", "hin-Deva", "ita-Latn"),
    *("jpn-Jpan", "kor-Kore", "por-Latn", "rus-Cyrl", "spa-Latn", "zho-Hans"),
}


@pytest.mark.parametrize("task", prompts.tasks())
def test_every_task_has_prompts_in_the_twelve_languages(task: str) -> None:
    assert set(prompts.languages(task)) >= LANGUAGES


@pytest.mark.parametrize(("task", "language"), FILES, ids=map("/".join, FILES))
def test_a_prompt_is_written_in_the_language_and_script_of_its_file(
    task: str, language: str
) -> None:
    prompt = prompts.load(task, language)
    # Markers and JSON keys are the same in every language, and in Latin letters.
    prose = re.sub(r"</?[a-z_]+>|\{[a-z_]+\}|\"[a-z]+\":|JSON", " ", prompt.body)
    among = [] if len(prose) > 200 else sorted(LANGUAGES)  # of three words no detector is sure
    texts = [shot.document for shot in prompt.shots]
    texts += [". ".join(shot.query for shot in prompt.shots)] if texts else []
    found = identify_languages([prose], among=among)
    found += identify_languages(texts, among=sorted(LANGUAGES))
    assert {identified.language for identified in found} == {language}


@pytest.mark.parametrize(("task", "language"), FILES, ids=map("/".join, FILES))
def test_a_prompt_has_the_markers_variables_keys_and_lines_of_the_english_one(
    task: str, language: str
) -> None:
    form = re.compile(
        r"</?[a-z_]+>|\{[a-z_]+\}|\"[a-z]+\":|\[\]|^- |^[0-9](?= ?[:：])", re.MULTILINE
    )
    body, english = (prompts.load(task, name).body for name in (language, "eng-Latn"))
    assert Counter(form.findall(body)) == Counter(form.findall(english))
    assert len(body.splitlines()) == len(english.splitlines())


@pytest.mark.parametrize(("task", "language"), FILES, ids=map("/".join, FILES))
def test_a_prompt_is_composed_unicode_without_invisible_characters(
    task: str, language: str
) -> None:
    text = (prompts.PACKAGED / task / f"{language}.md").read_text(encoding="utf-8")
    assert unicodedata.is_normalized("NFC", text)
    odd = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Co", "Cn"}} - {"\n"}
    assert not odd


@pytest.mark.parametrize("task", prompts.tasks())
def test_a_language_has_one_name_that_is_its_own(task: str) -> None:
    for language in prompts.languages(task):
        names = {prompts.load(other, language).language_name for other in prompts.tasks()}
        assert len(names) == 1
    every = [prompts.load(task, language).language_name for language in prompts.languages(task)]
    assert len(set(every)) == len(every)


@pytest.mark.parametrize("language", prompts.languages("relevance_classification"))
def test_the_two_answers_of_a_classification_differ_and_the_prompt_names_both(
    language: str,
) -> None:
    body = prompts.load("relevance_classification", language).body
    asked, answers = split_answers(body)
    assert answers[0] != answers[1]
    assert all(answer in asked or f"ب{answer}" in asked for answer in answers)


@pytest.mark.parametrize(("task", "language"), FILES, ids=map("/".join, FILES))
def test_every_prompt_loads_under_the_name_of_its_file(task: str, language: str) -> None:
    prompt = prompts.load(task, language)
    assert (prompt.task, prompt.language) == (task, language)
    assert re.fullmatch(r"[0-9a-f]{64}", prompt.sha256)


@pytest.mark.parametrize("task", prompts.tasks())
def test_all_languages_of_a_task_agree_on_variables_outputs_choices_and_number_of_shots(
    task: str,
) -> None:
    forms = {
        (prompt.variables, prompt.output_keys, _names(prompt), len(prompt.shots))
        for prompt in (prompts.load(task, language) for language in prompts.languages(task))
    }
    assert len(forms) == 1


def _names(prompt: prompts.Prompt) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what varies and the names of its choices, sorted."""
    return tuple(sorted((name, tuple(sorted(words))) for name, words in prompt.choices.items()))


@pytest.mark.parametrize(("task", "language"), FILES, ids=map("/".join, FILES))
def test_every_prompt_renders_a_sample_and_leaves_no_variable(task: str, language: str) -> None:
    prompt = prompts.load(task, language)
    values = {name: f"<value of {name}>" for name in prompt.variables}
    rendered = prompt.render_chat(**values)
    assert all(value in rendered for value in values.values())
    assert not any("{" + name + "}" in rendered for name in prompt.variables)


@pytest.mark.parametrize(("task", "language"), WITH_SHOTS, ids=map("/".join, WITH_SHOTS))
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


@pytest.mark.parametrize("language", prompts.languages("llm_query"))
def test_shot_k_is_about_the_same_thing_in_every_language(language: str) -> None:
    """Years, and in Latin script the names, stand in the same shot of each file."""
    names = ["Brell", None, "Selwick", "Arvel", None, "Karvan"]
    years = [{"1902", "1971"}, set(), set(), {"1978", "1985"}, set(), {"1644"}]
    shots = prompts.load("llm_query", language).shots
    for name, wanted, shot in zip(names, years, shots, strict=True):
        assert set(re.findall(r"\d{4}", shot.document)) == wanted
        assert name is None or not language.endswith("Latn") or name in shot.document
