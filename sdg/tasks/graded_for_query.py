"""Documents at four levels of relevance to an accepted query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from sdg.ids import comparison_key
from sdg.llm import Sampling
from sdg.tasks import TASKS, Parsed
from sdg.tasks.brainstormed import CREATIVE, spec_of
from sdg.tasks.graded_documents import GRADED_KEYS, graded_documents
from sdg.tasks.json_reply import STRING, object_of
from sdg.tasks.placeholders import WORD_COUNTS, Values, WordCount, drawn
from sdg.tasks.prompted import PromptedTask, fenced
from sdg.tasks.written_row import row_or_reason


@TASKS.register("graded_for_query")
class GradedForQuery(PromptedTask):
    """SyCL's four levels (arXiv 2503.23239) for a query that is there already.

    The document that the query was written for is shown, own: what the LLM writes should not
    contradict it. It stays a positive beside the document of grade 3.

    Attributes:
        num_words: Least length of a document, in words (E5-Mistral's list).
        sampling: How replies are drawn; 1.0 / 1.0 is E5-Mistral's.
    """

    varies: ClassVar[Literal["", "query", "documents"]] = "documents"
    reply_schema: ClassVar[Mapping[str, Any]] = object_of(
        **dict.fromkeys(GRADED_KEYS.values(), STRING)
    )

    num_words: Values[WordCount] = WORD_COUNTS
    sampling: Sampling = CREATIVE

    def draw_spec(self, seed: int, number: int) -> dict[str, Any]:  # noqa: ARG002 - takes no turns
        """Return the length of the documents."""
        return {"num_words": drawn(seed, "num_words", self.num_words)}

    def language(self, request: Mapping[str, Any]) -> str:
        """Return the language of the instruction: that of the documents."""
        return str(request["document_language"])

    def variables(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],
        answers: Sequence[Any],  # noqa: ARG002 - asks nothing before
    ) -> dict[str, str]:
        """Return the pair and the length."""
        spec = spec_of(request)
        return {
            "query": fenced(spec["query"], "query"),
            "document": fenced(document["text"]),
            "num_words": str(spec["num_words"]),
        }

    def parse_reply(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],
        answers: Sequence[Any],  # noqa: ARG002 - asks nothing before
        value: dict[str, Any],
    ) -> list[Parsed]:
        """Return the query it was asked about with four documents.

        Reasons: `repeats_known_document`, and those of `row_or_reason`.
        """
        written = graded_documents(value, request["document_language"])
        known = comparison_key(document["text"])
        if known in {comparison_key(one.text) for one in written}:
            return [Parsed("", "repeats_known_document")]
        return [row_or_reason(spec_of(request)["query"], written, is_one_line=False)]
