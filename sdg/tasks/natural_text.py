"""Natural pairs: a document and text that people wrote beside it. No LLM is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from sdg.errors import ConfigError
from sdg.ids import normalise_text
from sdg.tasks import TASKS, CopyTask, PromptUse


@TASKS.register("natural_text")
class NaturalText(CopyTask):
    """Title, short description, anchor text or question that stands beside the document.

    Attributes:
        kind: Which of the document's natural texts, as its reader names it.
    """

    reason_if_none: ClassVar[str] = "no_text_beside_document"

    kind: str = Field(pattern=r"^[a-z][a-z0-9_]*$")

    @property
    def label(self) -> str:
        """Return `natural_<kind>`, so that every kind has rows of its own in the card."""
        return f"natural_{self.kind}"

    def needs(self) -> str:
        """Return the kind."""
        return self.kind

    def check(self, document_language: str, query_language: str) -> None:
        """Refuse another language than the document's: nobody translates the text.

        Raises:
            ConfigError: If the two differ.
        """
        if document_language != query_language:
            raise ConfigError(
                f"`quotas.queries` of {self.label} must equal `documents`, but is "
                f"{query_language!r} for documents in {document_language!r} instead. Text beside a "
                "document is in the document's language; let an LLM write cross-lingual queries."
            )

    def prompt_use(self, request: Mapping[str, Any]) -> PromptUse:  # noqa: ARG002 - no prompt
        """Return that there is no prompt."""
        return PromptUse("", "")

    def copy_text(
        self,
        request: Mapping[str, Any],  # noqa: ARG002 - nothing is chosen
        document: Mapping[str, Any],
    ) -> str:
        """Return the text beside the document."""
        return self.text_beside(document)

    def text_beside(self, document: Mapping[str, Any]) -> str:
        """Return the first text of the kind, on one line."""
        texts = (t["text"] for t in document["natural_texts"] or () if t["kind"] == self.kind)
        return " ".join(normalise_text(next(texts, "")).split())
