"""Hard negatives that an LLM writes for an accepted pair of query and document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from sdg.ids import comparison_key, content_id, normalise_text, seed_for
from sdg.llm import Sampling
from sdg.tasks import TASKS, Parsed, Prepared, Written
from sdg.tasks.json_reply import STRING, list_of, object_of
from sdg.tasks.prompted import PromptedTask, fenced
from sdg.tasks.varied import spec_of, varied_query
from sdg.words import count_words, split_words

_MOST_REQUIREMENTS = 6


@TASKS.register("written_negative")
class WrittenNegative(PromptedTask):
    """Documents that seem to answer the query and fail one of its requirements.

    Mined negatives are better where there is a corpus to mine: with 1 LLM-written negative per
    query CodeR reached 59.38 nDCG@10 on seven CoIR tasks and with 7 of them 56.40, against 67.29
    with mined ones (arXiv 2505.12697). No configuration asks for this task by itself; compare the
    two on your own data before you train on it. The rows name `generated:<model>` as the source.

    They are written in a second call, when the pair is known, as ReasonIR does. As naive negatives
    often degrade retrieval, CausalNeg (arXiv 2606.01304) lists the requirements that the document
    meets and violates one: the preparation asks for the list, and the request's seed says which
    ones are violated, so that no model favours the easiest.

    Attributes:
        num_negatives: Documents per reply, each violating another requirement while there are
            enough.
        min_words: A reply with a shorter document is rejected; every character is a word where a
            script has no spaces. 20 is own; ReasonIR asks for 300.
        sampling: As for any task, but 4,096 tokens at most: a reply is several documents.
    """

    varies: ClassVar[Literal["", "query", "documents"]] = "documents"
    preparation_schemas: ClassVar[tuple[Mapping[str, Any], ...]] = (
        object_of(requirements=list_of(STRING, 1, _MOST_REQUIREMENTS)),
    )

    num_negatives: int = Field(default=1, ge=1, le=16)
    min_words: int = Field(default=20, ge=1)
    sampling: Sampling = Sampling(max_tokens=4096)

    def reply_schema_of(self, step: int | None) -> Mapping[str, Any]:
        """Return the schema: as many documents as are asked for."""
        if step is not None:
            return super().reply_schema_of(step)
        return object_of(negatives=list_of(STRING, self.num_negatives, self.num_negatives))

    def language(self, request: Mapping[str, Any]) -> str:
        """Return the language of the instruction: that of the document."""
        return str(request["document_language"])

    def shared_by(self, step: int, request: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return one key per pair: all requests about it read the same requirements."""
        return content_id("p", self.label, str(spec_of(request)["query_id"]))

    def preparation_variables(
        self,
        step: int,  # noqa: ARG002 - there is one
        request: Mapping[str, Any],
        document: Mapping[str, Any],
        answers: Sequence[Any],  # noqa: ARG002 - nor is there one before
    ) -> dict[str, str]:
        """Return the query and the document."""
        return {
            "query": fenced(varied_query(request), "query"),
            "document": fenced(document["text"]),
        }

    def parse_preparation(
        self,
        step: int,  # noqa: ARG002 - there is one
        request: Mapping[str, Any],  # noqa: ARG002 - the reply says all
        value: dict[str, Any],
    ) -> Prepared:
        """Return the requirements, each on one line; reason `empty_requirement`."""
        found = [" ".join(normalise_text(text).split()) for text in value["requirements"]]
        return Prepared(found, "") if all(found) else Prepared(None, "empty_requirement")

    def variables(
        self, request: Mapping[str, Any], document: Mapping[str, Any], answers: Sequence[Any]
    ) -> dict[str, str]:
        """Return the pair, the numbered requirements, and which ones to violate."""
        (requirements,) = answers
        lines = [f"{number}. {text}" for number, text in enumerate(requirements, 1)]
        numbers = self._violated(request["seed"], len(requirements))
        return {
            **self.preparation_variables(0, request, document, ()),
            "requirements": fenced("\n".join(lines), "requirements"),
            "violated": ", ".join(map(str, numbers)),
            "num_negatives": str(self.num_negatives),
            "min_words": str(self.min_words),
        }

    def parse(self, request: Mapping[str, Any], value: dict[str, Any]) -> list[Parsed]:
        """Return the row's query with its negatives.

        Reasons: `too_few_words`, `repeated_document`. One bad document rejects the reply.
        """
        texts = [text.strip() for text in value["negatives"]]
        lengths = count_words(split_words(pl.Series(texts, dtype=pl.String).to_arrow()))
        if (lengths < self.min_words).any():
            return [Parsed("", "too_few_words")]
        if len({comparison_key(text) for text in texts}) < len(texts):
            return [Parsed("", "repeated_document")]
        language = str(request["document_language"])
        written = tuple(Written(text, language, "negative") for text in texts)
        return [Parsed(varied_query(request), "", written=written)]

    def _violated(self, seed: int, count: int) -> list[int]:
        """Return `num_negatives` numbers from 1 to `count`, each as often as any other."""
        order = sorted(range(1, count + 1), key=lambda n: seed_for(seed, "violated", str(n)))
        return [order[place % count] for place in range(self.num_negatives)]
