"""Self-correction: an LLM labels a finished text again, and the row keeps both labels.

    text written for a label ─► the labels, without saying which ─► explanation + label ─► row

After TarGEN (arXiv 2310.17876), whose last pass re-checks each label and keeps the first one beside
it. Here the pass is blind, own: it is not told which label the text was written for, so agreeing is
no easier than disagreeing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

import pyarrow as pa
from pydantic import Field, model_validator

from sdg.ids import comparison_key, normalise_text
from sdg.llm import ChatRequest
from sdg.tasks import Parsed, Prepared
from sdg.tasks.json_reply import STRING, object_of
from sdg.tasks.prompted import PromptedTask
from sdg.tasks.written_row import row_or_reason, written_as
from sdg.words import split_words

CORRECTION = object_of(explanation=STRING, label=STRING)


class SelfCorrecting(PromptedTask):
    """A task whose last question may be a self-correction.

    Attributes:
        correction_temperature: Of that question; judges are asked at 0 to 0.1 (RLHN, DRAMA).
    """

    correction_temperature: float = Field(default=0.0, ge=0)

    @property
    def corrects(self) -> bool:
        """Return True if the last question is a self-correction."""
        return True

    @model_validator(mode="after")
    def _check_candidates(self) -> Self:
        if self.corrects and self.sampling.num_candidates > 1:
            raise ValueError(
                "`sampling.num_candidates` must be 1 with a self-correction, but is "
                f"{self.sampling.num_candidates} instead. All candidates would be about one text; "
                "raise the quota"
            )
        return self

    def render(
        self, request: Mapping[str, Any], document: Mapping[str, Any], answers: Sequence[Any] = ()
    ) -> ChatRequest:
        """Return the last question; a self-correction at its own temperature."""
        asked = super().render(request, document, answers)
        if not self.corrects:
            return asked
        cooler = {"temperature": self.correction_temperature}
        return dataclasses.replace(asked, sampling=asked.sampling.model_copy(update=cooler))


def holds_label(text: str, label: str) -> bool:
    """Return whether the words of `label` stand in `text`, one after the other.

    Words are those of `sdg.words`: case does not count, endings do.
    """
    words, wanted = (f" {' '.join(found)} " for found in split_words(pa.array([text, label])))
    return bool(wanted.strip()) and wanted in words


def labelled(text: str, label: str) -> Prepared:
    """Return a text that was written for a label, normalised; reasons as in `corrected_row`."""
    text = normalise_text(text)
    if not text:
        return Prepared(None, "empty_query")
    return Prepared(None, "label_in_input") if holds_label(text, label) else Prepared(text, "")


def corrected_row(
    text: str, first_label: str, labels: Sequence[str], value: Mapping[str, Any], language: str
) -> Parsed:
    """Return the text with the label that the self-correction gives it.

    Args:
        text: The query.
        first_label: What the text was written for; one of `labels`.
        labels: All that were offered: those that are not chosen are the negatives.
        value: The reply, CORRECTION.
        language: Of the labels.

    Returns:
        Facts: `label`, `first_label`, `explanation`. Reasons: `label_not_offered`,
        `empty_explanation`, `label_in_input` (its words stand in the text), and those of
        `row_or_reason`.
    """
    offered = {comparison_key(label): label for label in labels}
    label = offered.get(comparison_key(value["label"]), "")
    explanation = normalise_text(value["explanation"])
    if not label:
        return Parsed("", "label_not_offered")
    if not explanation:
        return Parsed("", "empty_explanation")
    if holds_label(text, label):
        return Parsed("", "label_in_input")
    written = (
        *written_as("positive", [label], language),
        *written_as("negative", [other for other in labels if other != label], language),
    )
    facts = {"label": label, "first_label": first_label, "explanation": explanation}
    return row_or_reason(text, written, is_one_line=False, facts=facts)
