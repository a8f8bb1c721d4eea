"""What is asked of the LLM, or taken from people: one task per file.

    request + its document ─► [prepare ─► reply]… ─► render ─► ChatRequest ─► engine ─► text ─► read

To add a task: one file here that subclasses `Task` and registers in `TASKS`, and its prompts in
`prompts/<task>/<language>.md`. `LlmTask` asks an LLM, `CopyTask` takes what people wrote;
`PromptedTask` (in `prompted.py`) has what most tasks need: prompt files, a JSON reply.

What a reply may hold is a list of `Parsed`: queries, and with each of them the documents that the
LLM wrote for it. A task says by four flags what it needs of the run:

- `is_grounded`: False if the LLM writes the positive, too: no document is drawn for it.
- `num_companions`: further documents that its query must need (multi-hop).
- `num_preparations`: questions before the question (a summary, a list of tasks, a persona). All
  first questions of a run are asked before any second one, so that each may have a model of its
  own, loaded once.
- `varies`: "query" if it rewrites an accepted query, "documents" if it writes documents for one;
  such tasks stand under `variations`, not in the plan.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from sdg.errors import ContractError
from sdg.ids import fingerprint
from sdg.llm import Candidate, ChatRequest
from sdg.part import Plugin
from sdg.prompt_choice import ChosenPrompt
from sdg.registry import Registry

Role = Literal["positive", "negative"]


@dataclass(frozen=True, slots=True)
class Written:
    """A document that the LLM wrote for a query.

    Attributes:
        text: As it wrote it; normalised when it becomes a document.
        language: ISO 639-3 + script that was asked for.
        role: "positive" answers the query; "negative" seems to and does not.
        grade: Relevance to the query from 0 to 3 that was asked for, None if none was.
    """

    text: str
    language: str
    role: Role
    grade: int | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """One query that a reply holds, or why it holds none.

    Attributes:
        query: The query, or "" if there is a reason. Tasks that vary "documents" give the query
            they were asked about.
        reason: "" or why it cannot be read, snake_case.
        instruction: What to search for, for models trained with instructions; "" leaves the
            task's own.
        facts: What the reply says of the query beside it; joins the row's `spec`. The key
            "persona" also fills the column of that name.
        written: Documents that belong to the query; the first positive of an ungrounded task is
            what the query is about.
    """

    query: str
    reason: str
    instruction: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    written: tuple[Written, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the reply to a preparation says.

    Attributes:
        value: Any JSON value; None if there is a reason.
        reason: "" or why it cannot be read, snake_case.
    """

    value: Any
    reason: str


@dataclass(frozen=True, slots=True)
class PromptUse:
    """The prompt files behind a request.

    Attributes:
        names: `<task>/<language>`, several joined by "+"; "" if there is none.
        sha256: Of the file, or of the hashes of several.
        fallbacks: `<task>: <language>` of each prompt whose English file was used for lack of one
            in that language; see `sdg.prompt_choice`.
    """

    names: str
    sha256: str
    fallbacks: tuple[str, ...] = ()

    @classmethod
    def of(cls, chosen: Sequence[ChosenPrompt]) -> Self:
        """Return the use of these prompts, in their order; repeated ones count once."""
        once = list({choice.name: choice for choice in chosen}.values())
        hashes = [choice.prompt.sha256 for choice in once]
        if not hashes:
            return cls("", "")
        return cls(
            "+".join(choice.name for choice in once),
            hashes[0] if len(hashes) == 1 else fingerprint(hashes),
            tuple(
                f"{choice.prompt.task}: {choice.language}"
                for choice in chosen
                if choice.is_fallback
            ),
        )


class Task(Plugin):
    """One way to get queries for a document.

    Attributes:
        asks_llm: False if the query is copied from what people wrote beside the document.
        is_grounded: False if no document is drawn from the corpus.
        varies: "" for tasks of the plan.
        keeps_meaning: True if what answers the query that is varied answers the new one, too.
        reads_personas: True if the prompts say who asks, from the spec's "persona" or "personas".
        instruction: Put before the query by models trained with instructions; "" for none.
        alias: Value of the column `task` in place of the task's name, so that one task may stand
            in a plan with two settings; "" for none.
    """

    asks_llm: ClassVar[bool] = True
    is_grounded: ClassVar[bool] = True
    varies: ClassVar[Literal["", "query", "documents"]] = ""
    keeps_meaning: ClassVar[bool] = False
    reads_personas: ClassVar[bool] = False

    instruction: str = ""
    alias: str = Field(default="", pattern=r"^([a-z][a-z0-9_]*)?$")

    @property
    def label(self) -> str:
        """Return the value of the column `task`."""
        return self.alias or self.name

    @property
    def num_candidates(self) -> int:
        """Return how many candidates one request gives."""
        return 1

    @property
    def queries_per_reply(self) -> int:
        """Return how many queries one reply holds."""
        return 1

    @property
    def num_companions(self) -> int:
        """Return how many further documents a request needs."""
        return 0

    @property
    def companions(self) -> Literal["parent", "topic", "language"]:
        """Return what companions share with the document, beside its language."""
        return "topic"

    @property
    def positive_is_written(self) -> bool:
        """Return True if a query is about the first positive of its reply, not about a drawn one.

        A grounded task may say so, too: one that asks with the drawn document itself.
        """
        return not self.is_grounded

    @property
    def writes_documents(self) -> bool:
        """Return True if replies hold documents."""
        return self.positive_is_written or self.varies == "documents"

    def needs(self) -> str:
        """Return the kind of natural text a document must have, or "" for none."""
        return ""

    def draw_spec(self, seed: int, number: int) -> dict[str, Any]:  # noqa: ARG002 - for overriders
        """Return what varies from one request to the next: JSON values, by name.

        Args:
            seed: Of the request; every random choice derives from it.
            number: Place of the request in its quota, from 0: for taking turns, and for requests
                that share a preparation.
        """
        return {}

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

    @property
    def num_preparations(self) -> int:
        """Return how many questions come before the question."""
        return 0

    def prepare(
        self,
        step: int,
        request: Mapping[str, Any],  # noqa: ARG002 - for overriders
        document: Mapping[str, Any],  # noqa: ARG002
        answers: Sequence[Any],  # noqa: ARG002
    ) -> ChatRequest:
        """Return question number `step` (from 0) before the question.

        Requests that share an answer return equal questions with one key of their own making; the
        question is asked once. Its reply has one candidate.

        Args:
            step: Below `num_preparations`.
            request: REQUESTS row.
            document: As in `render`.
            answers: Values of the steps before.
        """
        raise ContractError(
            f"A task must have as many preparations as it says, but {self.name!r} has no step "
            f"{step}. Write `prepare`."
        )

    def read_preparation(
        self,
        step: int,
        request: Mapping[str, Any],  # noqa: ARG002 - for overriders
        candidate: Candidate,  # noqa: ARG002
    ) -> Prepared:
        """Return what the reply to a preparation says for this request; strict, as `read`."""
        raise ContractError(
            f"A task must read its preparations, but {self.name!r} cannot read step {step}. "
            "Write `read_preparation`."
        )

    def facts_of(
        self,
        request: Mapping[str, Any],  # noqa: ARG002 - for overriders
        answers: Sequence[Any],  # noqa: ARG002
    ) -> Mapping[str, Any]:
        """Return what the preparations say of every query of the request, as `Parsed.facts`.

        Args:
            request: REQUESTS row.
            answers: The values of all preparations; there are some.
        """
        return {}

    def instructions(self, request: Mapping[str, Any]) -> str:  # noqa: ARG002 - for overriders
        """Return the words of the question without the texts put into it; "" if nobody looks.

        A query that stands in them word by word is `repeats_the_prompt`: small models reply with
        the example of the reply. Called with the languages of a request; the rest does not count.
        """
        return ""

    @abstractmethod
    def render(
        self, request: Mapping[str, Any], document: Mapping[str, Any], answers: Sequence[Any] = ()
    ) -> ChatRequest:
        """Return what is asked for a request.

        Args:
            request: REQUESTS row; its `spec` is JSON.
            document: DOCUMENTS row; its "companions" are the rows of further documents. Empty for
                tasks that are not grounded.
            answers: The values of all preparations.
        """

    @abstractmethod
    def read(self, request: Mapping[str, Any], candidate: Candidate) -> list[Parsed]:
        """Return `num_candidates / sampling.num_candidates` queries or reasons.

        Strict: what is not as asked is a reason, never a guess.
        """

    def read_reply(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],  # noqa: ARG002 - for overriders
        answers: Sequence[Any],  # noqa: ARG002
        candidate: Candidate,
    ) -> list[Parsed]:
        """Return what a reply says, knowing all that it was asked with; `read` for most tasks.

        For those whose query stands in the document or in an answer before, as a text that the
        last question only checks.

        Args:
            request: REQUESTS row.
            document: As in `render`.
            answers: The values of all preparations.
            candidate: One reply.
        """
        return self.read(request, candidate)


class CopyTask(Task):
    """A task whose queries people wrote: beside the document, or in it.

    Attributes:
        reason_if_none: Why a request gives no query, snake_case.
    """

    asks_llm: ClassVar[bool] = False
    reason_if_none: ClassVar[str]

    @abstractmethod
    def copy_text(self, request: Mapping[str, Any], document: Mapping[str, Any]) -> str:
        """Return the query, on one line, "" if there is none.

        Args:
            request: REQUESTS row; every random choice derives from its seed.
            document: DOCUMENTS row.
        """


TASKS: Registry[Task] = Registry("task", "sdg.tasks")
