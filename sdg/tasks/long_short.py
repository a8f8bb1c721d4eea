"""A text, its label and a misleading one, for a brainstormed classification task."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from sdg.ids import canonical_json, normalise_text, seed_for
from sdg.llm import ChatRequest
from sdg.tasks import TASKS, Parsed, Prepared
from sdg.tasks.brainstormed import BrainstormedTask
from sdg.tasks.json_reply import STRING, object_of, one_of
from sdg.tasks.placeholders import (
    CLARITIES,
    DIFFICULTIES,
    TEXT_LENGTHS,
    Clarity,
    Difficulty,
    TextLength,
    Values,
    drawn,
)
from sdg.tasks.prompted import fenced
from sdg.tasks.self_correction import CORRECTION, SelfCorrecting, corrected_row, holds_label
from sdg.tasks.written_row import row_or_reason, written_as

_EXAMPLE = object_of(input_text=STRING, label=STRING, misleading_label=STRING)
_LABELS = ("label", "misleading_label")


@TASKS.register("long_short")
class LongShort(BrainstormedTask, SelfCorrecting):
    """E5-Mistral's long-short matching (arXiv 2401.00368), which is text classification.

    The text is the query, the label its positive, the misleading label its negative.

    Attributes:
        num_words: Length of the text, in words.
        difficulties: Education that it takes to understand the text.
        clarities: Of the text.
        self_correction: Whether the LLM labels each text again, offered both labels (TarGEN, not
            E5-Mistral). If it takes the misleading one, the two change places; both stay in the
            row's facts.
    """

    reply_schema: ClassVar[Mapping[str, Any]] = _EXAMPLE

    num_words: Values[TextLength] = TEXT_LENGTHS
    difficulties: Values[Difficulty] = DIFFICULTIES
    clarities: Values[Clarity] = CLARITIES
    self_correction: bool = False

    @property
    def corrects(self) -> bool:
        """Return True if the last question is a self-correction."""
        return self.self_correction

    @property
    def num_preparations(self) -> int:
        """Return 1 for the brainstorm, 2 if the example is not the last question either."""
        return 2 if self.corrects else 1

    def folder(self, step: int | None) -> str:
        """Return the folder of prompts: the example has the task's name at whatever step."""
        if step == 0:
            return super().folder(step)
        is_correction = step is None and self.corrects
        return f"{self.name}_correction" if is_correction else self.name

    def reply_schema_of(self, step: int | None) -> Mapping[str, Any]:
        """Return the schema of the brainstorm, the example or the correction."""
        if step == 0:
            return super().reply_schema_of(step)
        return CORRECTION if step is None and self.corrects else _EXAMPLE

    def draw_spec(self, seed: int, number: int) -> dict[str, Any]:
        """Return place in the brainstorm and one value per placeholder."""
        return {
            **super().draw_spec(seed, number),
            "num_words": drawn(seed, "num_words", self.num_words),
            "difficulty": drawn(seed, "difficulty", self.difficulties),
            "clarity": drawn(seed, "clarity", self.clarities),
        }

    def placeholders(self) -> tuple[str, ...]:
        """Return the names in a spec that fill the prompt."""
        return ("num_words", "difficulty", "clarity")

    def variables(
        self, request: Mapping[str, Any], document: Mapping[str, Any], answers: Sequence[Any]
    ) -> dict[str, str]:
        """Return those of the example; for a correction its text, and its labels in any order."""
        values = super().variables(request, document, answers)
        if len(answers) < 2:
            return values
        example = answers[1]
        labels = [example[name] for name in _LABELS]
        if seed_for(request["seed"], "order of labels") % 2:
            labels.reverse()
        return {
            **values,
            "text": fenced(example["input_text"], "text"),
            "labels": fenced("\n".join(labels), "labels"),
        }

    def render(
        self, request: Mapping[str, Any], document: Mapping[str, Any], answers: Sequence[Any] = ()
    ) -> ChatRequest:
        """Return the last question; the engine holds a correction to the two labels."""
        asked = super().render(request, document, answers)
        if not self.corrects:
            return asked
        labels = sorted(answers[1][name] for name in _LABELS)
        schema = object_of(explanation=STRING, label=one_of(*labels))
        return dataclasses.replace(asked, json_schema=canonical_json(schema))

    def parse_preparation(
        self, step: int, request: Mapping[str, Any], value: dict[str, Any]
    ) -> Prepared:
        """Return the task's description, or the example; reasons as for the last question."""
        if step == 0:
            return super().parse_preparation(step, request, value)
        parsed = _example(request, value)
        if parsed.reason:
            return Prepared(None, parsed.reason)
        label, misleading = (document.text for document in parsed.written)
        return Prepared(
            {"input_text": parsed.query, "label": label, "misleading_label": misleading}, ""
        )

    def parse_reply(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],  # noqa: ARG002 - there is none
        answers: Sequence[Any],
        value: dict[str, Any],
    ) -> list[Parsed]:
        """Return the text with its labels.

        Reasons: `label_in_input` (the label's words stand in the text), those of `row_or_reason`
        and, with a correction, of `corrected_row`.
        """
        if not self.corrects:
            return [_example(request, value)]
        example = answers[1]
        labels = [example[name] for name in _LABELS]
        language = request["document_language"]
        return [corrected_row(example["input_text"], labels[0], labels, value, language)]


def _example(request: Mapping[str, Any], value: Mapping[str, Any]) -> Parsed:
    language = request["document_language"]
    # One line each: a list of labels is shown line by line.
    label, misleading = (" ".join(normalise_text(value[name]).split()) for name in _LABELS)
    written = (
        *written_as("positive", [label], language),
        *written_as("negative", [misleading], language),
    )
    parsed = row_or_reason(value["input_text"], written, is_one_line=False)
    is_told = not parsed.reason and holds_label(parsed.query, label)
    return Parsed("", "label_in_input") if is_told else parsed
