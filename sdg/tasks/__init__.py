"""What is asked of the LLM, or taken from people: one task per file.

    request + its document ─► Task.render ─► ChatRequest ─► engine ─► text ─► Task.read ─► query

To add a task: one file here that subclasses `Task` and registers in `TASKS`, and its prompts in
`prompts/<task>/<language>.md`. `LlmTask` asks an LLM, `CopyTask` takes what people wrote.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sdg.llm import Candidate, ChatRequest
from sdg.part import Plugin
from sdg.registry import Registry


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a reply says.

    Attributes:
        query: The query, or "" if the reply cannot be read.
        reason: "" or why it cannot, snake_case.
    """

    query: str
    reason: str


@dataclass(frozen=True, slots=True)
class PromptUse:
    """The prompt files behind a request.

    Attributes:
        names: `<task>/<language>`, several joined by "+"; "" if there is none.
        sha256: Of the file, or of the hashes of several.
    """

    names: str
    sha256: str


class Task(Plugin):
    """One way to get queries for a document.

    Attributes:
        asks_llm: False if the query is copied from what people wrote beside the document.
        instruction: Put before the query by models trained with instructions; "" for none.
    """

    asks_llm: ClassVar[bool] = True

    instruction: str = ""

    @property
    def label(self) -> str:
        """Return the value of the column `task`."""
        return self.name

    @property
    def num_candidates(self) -> int:
        """Return how many candidates one request gives."""
        return 1

    def needs(self) -> str:
        """Return the kind of natural text a document must have, or "" for none."""
        return ""

    def check(self, document_language: str, query_language: str) -> None:
        """Do nothing if the task can serve this pair of languages.

        Raises:
            ConfigError: If it cannot; called before anything is asked.
        """

    @abstractmethod
    def prompt_use(self, request: Mapping[str, Any]) -> PromptUse:
        """Return the prompt files of a request (REQUESTS row).

        Raises:
            ConfigError: If there is no prompt for one of its languages.
        """


class LlmTask(Task):
    """A task whose queries an LLM writes."""

    @abstractmethod
    def render(self, request: Mapping[str, Any], document: Mapping[str, Any]) -> ChatRequest:
        """Return what is asked for a request (REQUESTS row) about its document (DOCUMENTS row)."""

    @abstractmethod
    def read(self, candidate: Candidate) -> Parsed:
        """Return the query in a reply; strict: what is not as asked is a reason, never a guess."""


class CopyTask(Task):
    """A task whose queries people wrote beside the document."""

    asks_llm: ClassVar[bool] = False

    @abstractmethod
    def text_beside(self, document: Mapping[str, Any]) -> str:
        """Return the text beside the document (DOCUMENTS row), "" if there is none."""


TASKS: Registry[Task] = Registry("task", "sdg.tasks")
