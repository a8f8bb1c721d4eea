"""Abstract descriptions of a passage, right ones and wrong ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from sdg.errors import ConfigError
from sdg.ids import comparison_key
from sdg.llm import Sampling
from sdg.tasks import TASKS, Parsed, Prepared
from sdg.tasks.json_reply import STRING, any_list_of, list_of, object_of
from sdg.tasks.prompted import PromptedTask, fenced, one_line
from sdg.tasks.written_row import row_or_reason, written_as

# Of each kind; the prompt says so in words.
_COUNT = 5
_KINDS = ("good", "bad")
_DESCRIPTIONS = object_of(**dict.fromkeys(_KINDS, any_list_of(STRING)))
_ABSTRACTION = object_of(description=STRING)


@TASKS.register("abstract_description")
class AbstractDescription(PromptedTask):
    """Descriptions by which a passage can be found, after arXiv 2305.12517: 5 good, 5 bad a call.

    The paper's passages are sentences of 13 to 39 words; a plan's `min_characters` and
    `max_characters` choose such.

    Attributes:
        direction: "description_to_passage" makes each good description a query that the passage
            answers; the bad ones are facts. "passage_to_description" makes the passage the query,
            the good descriptions its positives and the bad ones its negatives: only so can a wrong
            description be a negative, as it is wrong about this passage and no document of its own.
            The passage's id is the fact `passage_doc_id`.
        abstraction: Whether a second call writes one very abstract description more (the paper's
            second call). Its query has the fact `is_very_abstract`.
        sampling: As for any grounded task, but 1,024 tokens at most: own, ten sentences.
    """

    reply_schema: ClassVar[Mapping[str, Any]] = _DESCRIPTIONS

    direction: Literal["description_to_passage", "passage_to_description"] = (
        "description_to_passage"
    )
    abstraction: bool = False
    sampling: Sampling = Sampling(max_tokens=1024)

    @model_validator(mode="after")
    def _check_candidates(self) -> Self:
        repeats = self.abstraction or self.positive_is_written
        if repeats and self.sampling.num_candidates > 1:
            raise ValueError(
                "`sampling.num_candidates` must be 1 with `abstraction` or "
                f"'passage_to_description', but is {self.sampling.num_candidates} instead. "
                "Further candidates would repeat the queries of the first"
            )
        return self

    @property
    def positive_is_written(self) -> bool:
        """Return True if the passage is the query."""
        return self.direction == "passage_to_description"

    @property
    def queries_per_reply(self) -> int:
        """Return one per good description, or one if the passage is the query."""
        return 1 if self.positive_is_written else _COUNT + self.abstraction

    @property
    def num_preparations(self) -> int:
        """Return 1 if the abstraction is the last question and the descriptions come before."""
        return int(self.abstraction)

    def folder(self, step: int | None) -> str:
        """Return the folder of prompts: the descriptions have the task's name."""
        is_second = self.abstraction and step is None
        return f"{self.name}_abstraction" if is_second else self.name

    def reply_schema_of(self, step: int | None) -> Mapping[str, Any]:
        """Return the schema of the descriptions or of the very abstract one."""
        return _ABSTRACTION if self.abstraction and step is None else _DESCRIPTIONS

    def asked_schema(self, step: int | None, request: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the schema with the exact number of descriptions."""
        if self.reply_schema_of(step) is _ABSTRACTION:
            return _ABSTRACTION
        return object_of(**dict.fromkeys(_KINDS, list_of(STRING, _COUNT, _COUNT)))

    def check(self, document_language: str, query_language: str) -> None:
        """Load the prompts.

        Raises:
            ConfigError: If the passage is the query and the languages differ, or as for any task.
        """
        if self.positive_is_written and document_language != query_language:
            raise ConfigError(
                "A quota of 'passage_to_description' must have one language, but `documents` is "
                f"{document_language!r} and `queries` {query_language!r} instead. The passage is "
                "the query there."
            )
        super().check(document_language, query_language)

    def variables(
        self,
        request: Mapping[str, Any],  # noqa: ARG002 - nothing is drawn
        document: Mapping[str, Any],
        answers: Sequence[Any],
    ) -> dict[str, str]:
        """Return the passage, and the good descriptions once there are some."""
        good = answers[0]["good"] if answers else []
        descriptions = fenced("\n".join(good), "descriptions")
        return {"document": fenced(document["text"]), "descriptions": descriptions}

    def parse_preparation(
        self,
        step: int,  # noqa: ARG002 - there is one
        request: Mapping[str, Any],  # noqa: ARG002 - the reply says all
        value: dict[str, Any],
    ) -> Prepared:
        """Return the descriptions; reasons as for the last question."""
        return _descriptions(value)

    def parse_reply(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],
        answers: Sequence[Any],
        value: dict[str, Any],
    ) -> list[Parsed]:
        """Return the good descriptions, the very abstract one last; or the passage.

        Reasons of all: `wrong_number_of_descriptions`, `empty_description`. Of one description:
        `several_lines`, `equals_document`, `good_and_bad` (a bad one says the same). Of a passage:
        those of `row_or_reason`.
        """
        found = Prepared(answers[0], "") if self.abstraction else _descriptions(value)
        further = [one_line(value["description"])] if self.abstraction else []
        if not all(further):
            found = Prepared(None, "empty_description")
        if found.reason:
            return self._refused(found.reason)
        good, bad = [*found.value["good"], *further], found.value["bad"]
        if self.positive_is_written:
            return [_row(request, document, good, bad)]
        facts = {"bad_descriptions": bad}
        return [
            _query(text, document["text"], bad, {**facts, "is_very_abstract": place >= _COUNT})
            for place, text in enumerate(good)
        ]


def _descriptions(value: Mapping[str, Any]) -> Prepared:
    lists = {kind: [one_line(text) for text in value[kind]] for kind in _KINDS}
    if any(len(texts) != _COUNT for texts in lists.values()):
        return Prepared(None, "wrong_number_of_descriptions")
    is_whole = all(text for texts in lists.values() for text in texts)
    return Prepared(lists, "") if is_whole else Prepared(None, "empty_description")


def _query(text: str, passage: str, bad: Sequence[str], facts: Mapping[str, Any]) -> Parsed:
    key = comparison_key(text)
    if "\n" in text:
        return Parsed("", "several_lines")
    if key == comparison_key(passage):
        return Parsed("", "equals_document")
    is_bad = key in {comparison_key(other) for other in bad}
    return Parsed("", "good_and_bad") if is_bad else Parsed(text, "", facts=facts)


def _row(
    request: Mapping[str, Any], document: Mapping[str, Any], good: Sequence[str], bad: Sequence[str]
) -> Parsed:
    language = request["document_language"]
    written = (*written_as("positive", good, language), *written_as("negative", bad, language))
    facts = {"passage_doc_id": request["source_doc_id"]}
    return row_or_reason(document["text"], written, is_one_line=False, facts=facts)
