"""A part of the document as its query: no LLM is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import sentencex
from pydantic import Field, model_validator

from sdg.errors import ConfigError
from sdg.ids import normalise_text, seed_for
from sdg.language import two_letter_code
from sdg.tasks import TASKS, CopyTask, PromptUse


@TASKS.register("passage_part")
class PassagePart(CopyTask):
    """Whole sentences of the document, side by side, drawn by seed.

    Every stretch of fitting length is as likely as any other, wherever it stands: models learn to
    look at more than the beginning (positional bias: arXiv 2412.15241). At least one sentence of
    the document is left out. The numbers are own.

    Such queries are copies by intent: the gate `copied` must not be applied to them.

    Attributes:
        max_sentences: Most sentences of a part.
        min_characters: Shorter parts are not drawn; too short ones say nothing.
        max_characters: Nor are longer ones.
    """

    reason_if_none: ClassVar[str] = "no_part_of_fitting_length"

    max_sentences: int = Field(default=2, ge=1)
    min_characters: int = Field(default=30, ge=1)
    max_characters: int = Field(default=300, ge=1)

    @model_validator(mode="after")
    def _check_bounds(self) -> PassagePart:
        if self.max_characters < self.min_characters:
            raise ValueError(
                f"`max_characters` must be at least `min_characters`, but is "
                f"{self.max_characters} and `min_characters` {self.min_characters} instead. "
                "Raise it"
            )
        return self

    def check(self, document_language: str, query_language: str) -> None:
        """Refuse another language than the document's: nobody translates the part.

        Raises:
            ConfigError: If the two differ.
        """
        if document_language != query_language:
            raise ConfigError(
                f"`quotas.queries` of {self.label} must equal `documents`, but is "
                f"{query_language!r} for documents in {document_language!r} instead. A part of a "
                "document is in the document's language; let an LLM write cross-lingual queries."
            )

    def prompt_use(self, request: Mapping[str, Any]) -> PromptUse:  # noqa: ARG002 - no prompt
        """Return that there is no prompt."""
        return PromptUse("", "")

    def copy_text(self, request: Mapping[str, Any], document: Mapping[str, Any]) -> str:
        """Return the part on one line, "" if none fits."""
        parts = self._parts(_sentences(normalise_text(document["text"]), document["language"]))
        return parts[seed_for(request["seed"], "part") % len(parts)] if parts else ""

    def _parts(self, sentences: Sequence[str]) -> list[str]:
        longest = min(self.max_sentences, len(sentences) - 1)
        parts = [
            " ".join("".join(sentences[start : start + count]).split())
            for count in range(1, longest + 1)
            for start in range(len(sentences) - count + 1)
        ]
        return [p for p in parts if self.min_characters <= len(p) <= self.max_characters]


def _sentences(text: str, language: str) -> list[str]:
    """Return the sentences, each with the white space after it: not every script puts a space."""
    sentences: list[str] = []
    for piece in sentencex.segment(two_letter_code(language) or "en", text):
        if piece.strip():
            sentences.append(piece)
        elif sentences:
            sentences[-1] += piece
    return sentences
