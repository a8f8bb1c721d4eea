"""What most tasks share: prompt files, an instruction in a chat, and a reply in JSON.

    class Summary(PromptedTask):
        reply_schema = object_of(query=STRING)           # what can be read
        def variables(self, request, document, answers): # what fills the prompt
        def parse(self, request, value):                 # what the JSON says

A task with preparations has one folder of prompts per question: `<task>_<step>` for the questions
before, `<task>` for the last one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import PrivateAttr

import prompts as prompt_files
from sdg.errors import ConfigError, ContractError
from sdg.ids import canonical_json, content_id, normalise_text
from sdg.language_names import english_name
from sdg.llm import Candidate, ChatRequest, Message, Sampling
from sdg.prompt_choice import FALLBACK_LANGUAGE, ChosenPrompt, choose_prompt
from sdg.tasks import LlmTask, Parsed, Prepared, PromptUse
from sdg.tasks.json_reply import read_object

_QUOTES = {'"': '"', "'": "'", "“": "”", "«": "»", "‘": "’", "„": "“", "「": "」"}


def fenced(text: str, tag: str = "document") -> str:
    """Return `text` unable to end the markers `<tag>…</tag>` that a prompt puts around it."""
    return text.replace(f"</{tag}>", f"< /{tag}>")


def one_line(text: str) -> str:
    """Return `text` normalised, without one pair of quotation marks around the whole of it."""
    text = normalise_text(text)
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def refusal_of(query: str) -> str:
    """Return why a text can be no query: `empty_reply`, `several_lines`; "" if it can."""
    if not query:
        return "empty_reply"
    return "several_lines" if "\n" in query else ""


def query_or_reason(query: str, **more: Any) -> Parsed:  # noqa: ANN401 - fields of Parsed
    """Return a query on one line with what belongs to it, or why it is none."""
    text = one_line(query)
    reason = refusal_of(text)
    return Parsed("", reason) if reason else Parsed(text, "", **more)


def chat_of(system: str, user: str) -> tuple[Message, ...]:
    """Return the turns of a chat before the reply; no system message if it is ""."""
    told = (Message("system", system),) if system else ()
    return (*told, Message("user", user))


class PromptedTask(LlmTask):
    """A task that asks by chat, with prompts in files, and reads JSON.

    Attributes:
        reply_schema: JSON schema of the reply to the last question; what does not obey it is
            `wrong_json_schema`.
        preparation_schemas: Those of the replies to the questions before, in order.
        sampling: How replies are drawn; grounded generation 0.6 / 0.95 is the Nemotron recipe's.
        prompts: Folder of prompt files that replaces the packaged ones; "" for the packaged ones.
        system: What the model is told before every question, as its system message; "" for
            nothing, since some chat templates know no such message.
    """

    reply_schema: ClassVar[Mapping[str, Any]]
    preparation_schemas: ClassVar[tuple[Mapping[str, Any], ...]] = ()

    sampling: Sampling = Sampling()
    prompts: str = ""
    system: str = ""

    _loaded: dict[tuple[str, str], ChosenPrompt] = PrivateAttr(default_factory=dict)

    @property
    def queries_per_reply(self) -> int:
        """Return how many queries one reply holds."""
        return 1

    @property
    def num_candidates(self) -> int:
        """Return how many candidates one request gives: replies times queries in each."""
        return self.sampling.num_candidates * self.queries_per_reply

    @property
    def num_preparations(self) -> int:
        """Return how many questions come before the question."""
        return len(self.preparation_schemas)

    def folder(self, step: int | None) -> str:
        """Return the folder of the prompts of a step; None is the last question."""
        return self.name if step is None else f"{self.name}_{step}"

    def reply_schema_of(self, step: int | None) -> Mapping[str, Any]:
        """Return the JSON schema of the reply to a step; None is the last question."""
        return self.reply_schema if step is None else self.preparation_schemas[step]

    def asked_schema(
        self,
        step: int | None,
        request: Mapping[str, Any],  # noqa: ARG002 - for overriders
    ) -> Mapping[str, Any]:
        """Return the JSON schema that the engine must obey; the same as what can be read.

        A narrower one holds good engines to it, and leaves the replies of others readable, so that
        `parse` can say precisely what is wrong with them.
        """
        return self.reply_schema_of(step)

    @abstractmethod
    def variables(
        self, request: Mapping[str, Any], document: Mapping[str, Any], answers: Sequence[Any]
    ) -> dict[str, str]:
        """Return what fills the prompt; documents and replies through `fenced`.

        `query_language` and `document_language` are there without being returned here.
        """

    def parse(self, request: Mapping[str, Any], value: dict[str, Any]) -> list[Parsed]:
        """Return `queries_per_reply` queries or reasons; `value` has the keys of the schema."""
        raise ContractError(
            f"A task must say what its reply holds, but {self.name!r} cannot read the keys "
            f"{sorted(value)} of {request['request_id']} by themselves. Write `parse`, or call "
            "`read_reply` with the document and the answers."
        )

    def parse_reply(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],  # noqa: ARG002 - for overriders
        answers: Sequence[Any],  # noqa: ARG002
        value: dict[str, Any],
    ) -> list[Parsed]:
        """Return as `parse`, for tasks that need more than the reply; `parse` for most."""
        return self.parse(request, value)

    def preparation_variables(
        self,
        step: int,  # noqa: ARG002 - for overriders
        request: Mapping[str, Any],
        document: Mapping[str, Any],
        answers: Sequence[Any],
    ) -> dict[str, str]:
        """Return what fills the prompt of a preparation; the same as the last question's."""
        return self.variables(request, document, answers)

    def parse_preparation(
        self,
        step: int,  # noqa: ARG002 - for overriders
        request: Mapping[str, Any],  # noqa: ARG002
        value: dict[str, Any],
    ) -> Prepared:
        """Return what a preparation says; the JSON object as it is."""
        return Prepared(value, "")

    def shared_by(self, step: int, request: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return what requests share that share a preparation; "" if each has its own."""
        return ""

    def language(self, request: Mapping[str, Any]) -> str:
        """Return the language of the instruction: that of the query."""
        return str(request["query_language"])

    def identity(self) -> dict[str, Any]:
        """Return the settings with the prompts' content in place of where they lie."""
        hashes = {
            f"{name}/{language}": self._load(name, language).prompt.sha256
            for name in self._folders()
            for language in prompt_files.languages(name, self._root())
        }
        return {**super().identity(), "prompts": hashes}

    def check(self, document_language: str, query_language: str) -> None:
        """Load every prompt of this pair of languages.

        Raises:
            ConfigError: If one is missing or damaged, or asks for other keys than are read.
        """
        request = {"document_language": document_language, "query_language": query_language}
        for step in (*range(self.num_preparations), None):
            prompt = self._prompt(step, request).prompt
            wanted = sorted(self.reply_schema_of(step)["properties"])
            if list(prompt.output_keys) != wanted:
                raise ConfigError(
                    f"`output.keys` of the prompt {prompt.task}/{prompt.language} must be "
                    f"{wanted}, but is {list(prompt.output_keys)} instead. The reply is read by "
                    "these keys."
                )

    def prompt_use(self, request: Mapping[str, Any]) -> PromptUse:
        """Return the files of all questions."""
        steps = (*range(self.num_preparations), None)
        return PromptUse.of([self._prompt(step, request) for step in steps])

    def prepare(
        self,
        step: int,
        request: Mapping[str, Any],
        document: Mapping[str, Any],
        answers: Sequence[Any],
    ) -> ChatRequest:
        """Return the instruction of a preparation.

        Requests that share it get the same, with the seed 0: `sdg.answers` gives it one that
        belongs to the key.
        """
        values = self.preparation_variables(step, request, document, answers)
        shared = self.shared_by(step, request)
        key, seed = (shared, 0) if shared else (request["request_id"], request["seed"])
        sampling = self.sampling.model_copy(update={"num_candidates": 1})
        return self._chat(step, request, values, ChatRequest(key, "", (), sampling, seed))

    def read_preparation(
        self, step: int, request: Mapping[str, Any], candidate: Candidate
    ) -> Prepared:
        """Return what the JSON says; reasons as in `read`."""
        value, reason = read_object(candidate, self.reply_schema_of(step))
        return Prepared(None, reason) if reason else self.parse_preparation(step, request, value)

    def render(
        self, request: Mapping[str, Any], document: Mapping[str, Any], answers: Sequence[Any] = ()
    ) -> ChatRequest:
        """Return the instruction with the document and the answers so far in it.

        Raises:
            ConfigError: If a prompt file is missing or damaged.
        """
        values = self.variables(request, document, answers)
        empty = ChatRequest(request["request_id"], "", (), self.sampling, request["seed"])
        return self._chat(None, request, values, empty)

    def instructions(self, request: Mapping[str, Any]) -> str:
        """Return the body of the last prompt with only the names of the languages in it."""
        prompt = self._prompt(None, request).prompt
        return prompt.instructions(**self._language_names(None, request))

    def read(self, request: Mapping[str, Any], candidate: Candidate) -> list[Parsed]:
        """Return what the JSON says.

        Reasons: `truncated`, `empty_reply`, `invalid_json`, `wrong_json_schema`, and the task's.
        """
        value, reason = read_object(candidate, self.reply_schema_of(None))
        return self._refused(reason) if reason else self.parse(request, value)

    def read_reply(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],
        answers: Sequence[Any],
        candidate: Candidate,
    ) -> list[Parsed]:
        """Return what the JSON says, knowing all that it was asked with; reasons as in `read`."""
        value, reason = read_object(candidate, self.reply_schema_of(None))
        if reason:
            return self._refused(reason)
        return self.parse_reply(request, document, answers, value)

    def _refused(self, reason: str) -> list[Parsed]:
        return [Parsed("", reason) for _ in range(self.queries_per_reply)]

    def _chat(
        self,
        step: int | None,
        request: Mapping[str, Any],
        values: Mapping[str, str],
        empty: ChatRequest,
    ) -> ChatRequest:
        prompt = self._prompt(step, request).prompt
        values = {**self._language_names(step, request), **values}
        try:
            # A prompt may leave out what its language says otherwise.
            body = prompt.render_chat(**{name: values[name] for name in prompt.variables})
        except KeyError as error:
            raise ConfigError(
                f"`variables` of the prompt {prompt.task}/{prompt.language} must be among "
                f"{sorted(values)}, but {error} is not. Correct the file."
            ) from error
        except prompt_files.PromptError as error:
            raise ConfigError(str(error)) from error
        return ChatRequest(
            empty.key,
            "",
            chat_of(self.system, body),
            empty.sampling,
            empty.seed,
            canonical_json(self.asked_schema(step, request)),
        )

    def _prompt(self, step: int | None, request: Mapping[str, Any]) -> ChosenPrompt:
        return self._load(self.folder(step), self.language(request))

    def _language_names(self, step: int | None, request: Mapping[str, Any]) -> dict[str, str]:
        """Return what the prompt of a step calls the languages of a request."""
        chosen = self._prompt(step, request)
        return {
            "query_language": chosen.language_name,
            "document_language": self._language_name(request["document_language"], chosen),
        }

    def _language_name(self, language: str, chosen: ChosenPrompt) -> str:
        """Return what a language is called in instructions: as its own prompt does, or English."""
        if language == chosen.language:
            return chosen.language_name
        if chosen.prompt.language == FALLBACK_LANGUAGE:
            return english_name(language)
        return self._load(chosen.prompt.task, language).language_name

    def _folders(self) -> list[str]:
        return [self.folder(step) for step in (*range(self.num_preparations), None)]

    def _root(self) -> Path | None:
        return Path(self.prompts) if self.prompts else None

    def _load(self, task: str, language: str) -> ChosenPrompt:
        if (task, language) not in self._loaded:
            self._loaded[task, language] = choose_prompt(task, language, self._root())
        return self._loaded[task, language]


def shared_by_document(task: PromptedTask, step: int, request: Mapping[str, Any]) -> str:
    """Return what requests of one task for one document in one pair of languages share."""
    languages = (request["document_language"], request["query_language"])
    return content_id("p", task.label, str(step), request["source_doc_id"], *languages)
