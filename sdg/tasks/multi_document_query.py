"""A query that needs several documents: none of them answers it alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from sdg.ids import normalise_text
from sdg.llm import Sampling
from sdg.tasks import TASKS, Parsed
from sdg.tasks.json_reply import STRING, any_list_of, list_of, object_of
from sdg.tasks.prompted import PromptedTask, fenced, query_or_reason


@TASKS.register("multi_document_query")
class MultiDocumentQuery(PromptedTask):
    """A query over several documents, all of which become its positives.

    The reply says for each document what it alone contributes: `steps` of the row's spec, in the
    documents' order, beside `answer`. A document without a step is not needed, and the query is
    rejected.

    Multi-hop queries of 1 to 3 hops are the Nemotron recipe's; that recipe asks them about chunks
    of one document: `shared: parent`. The number of documents is own.

    Attributes:
        num_documents: Documents that a query needs.
        shared: What the documents have in common beside the language: the document they were cut
            from, the topic, or nothing more.
        sampling: Longest reply 768 tokens, own: query, answer and steps.
    """

    reply_schema: ClassVar[Mapping[str, Any]] = object_of(
        query=STRING, answer=STRING, steps=any_list_of(STRING)
    )

    num_documents: int = Field(default=2, ge=2)
    shared: Literal["parent", "topic", "language"] = "topic"
    sampling: Sampling = Sampling(max_tokens=768)

    @property
    def num_companions(self) -> int:
        """Return how many documents are needed beside the request's own."""
        return self.num_documents - 1

    @property
    def companions(self) -> Literal["parent", "topic", "language"]:
        """Return what the documents share."""
        return self.shared

    def asked_schema(self, step: int | None, request: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the schema with one step per document."""
        steps = list_of(STRING, self.num_documents, self.num_documents)
        return object_of(query=STRING, answer=STRING, steps=steps)

    def variables(
        self,
        request: Mapping[str, Any],  # noqa: ARG002 - nothing varies
        document: Mapping[str, Any],
        answers: Sequence[Any],  # noqa: ARG002
    ) -> dict[str, str]:
        """Return the documents, each between markers with its number."""
        documents = (document, *document.get("companions", ()))
        tags = [f"document_{number}" for number in range(1, len(documents) + 1)]
        blocks = [
            f"<{tag}>\n{_fenced_from_all(one['text'], tags)}\n</{tag}>"
            for tag, one in zip(tags, documents, strict=True)
        ]
        return {"documents": "\n\n".join(blocks), "num_documents": str(self.num_documents)}

    def parse(
        self,
        request: Mapping[str, Any],  # noqa: ARG002 - a reply says all
        value: dict[str, Any],
    ) -> list[Parsed]:
        """Return the query with answer and steps.

        Reasons: `too_few_steps`, `too_many_steps`, `document_not_needed` (its step is empty),
        `empty_answer`, `empty_reply`, `several_lines`.
        """
        steps = [normalise_text(step) for step in value["steps"]]
        answer = normalise_text(value["answer"])
        if reason := self._reason(steps, answer):
            return [Parsed("", reason)]
        return [query_or_reason(value["query"], facts={"answer": answer, "steps": steps})]

    def _reason(self, steps: Sequence[str], answer: str) -> str:
        if len(steps) != self.num_documents:
            return "too_few_steps" if len(steps) < self.num_documents else "too_many_steps"
        if not all(steps):
            return "document_not_needed"
        return "" if answer else "empty_answer"


def _fenced_from_all(text: str, tags: Sequence[str]) -> str:
    """Return `text` unable to end any document's markers, its own or those of another one."""
    for tag in tags:
        text = fenced(text, tag)
    return text
