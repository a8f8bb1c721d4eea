"""The document of an accepted query, said again in other words: one more positive of the row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from sdg.llm import Sampling
from sdg.tasks import TASKS, Parsed, Written
from sdg.tasks.json_reply import STRING, object_of
from sdg.tasks.prompted import PromptedTask, fenced
from sdg.tasks.varied import varied_query


@TASKS.register("paraphrased_positive")
class ParaphrasedPositive(PromptedTask):
    """The same document in other words, after QZhou-Embedding (arXiv 2508.21632).

    The prompt does not show the query: a document that is written for a query has its words.

    Attributes:
        sampling: As for any task, but 2,048 tokens at most: a reply is as long as a document.
    """

    varies: ClassVar[Literal["", "query", "documents"]] = "documents"
    reply_schema: ClassVar[Mapping[str, Any]] = object_of(document=STRING)

    sampling: Sampling = Sampling(max_tokens=2048)

    def language(self, request: Mapping[str, Any]) -> str:
        """Return the language of the instruction: that of the document."""
        return str(request["document_language"])

    def variables(
        self,
        request: Mapping[str, Any],  # noqa: ARG002 - the document says all
        document: Mapping[str, Any],
        answers: Sequence[Any],  # noqa: ARG002 - asks nothing before
    ) -> dict[str, str]:
        """Return the document."""
        return {"document": fenced(document["text"])}

    def parse(self, request: Mapping[str, Any], value: dict[str, Any]) -> list[Parsed]:
        """Return the row's query with the new document; reason `empty_document`."""
        text = value["document"].strip()
        if not text:
            return [Parsed("", "empty_document")]
        written = Written(text, str(request["document_language"]), "positive")
        return [Parsed(varied_query(request), "", written=(written,))]
