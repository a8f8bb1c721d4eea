"""Queries that an LLM writes for a document, in the document's language or another one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

import prompts as prompt_files
from sdg.errors import ConfigError
from sdg.ids import canonical_json, comparison_key, normalise_text
from sdg.llm import Candidate, ChatRequest, Sampling
from sdg.prompt_choice import ChosenPrompt, choose_prompt, own_prompt
from sdg.tasks import TASKS, LlmTask, Parsed, PromptUse
from sdg.tasks.prompted import chat_of

_QUOTES = {'"': '"', "'": "'", "“": "”", "«": "»", "‘": "’"}
_END_OF_DOCUMENT = "</document>"
_KEY = "query"
_SCHEMA = canonical_json(
    {
        "type": "object",
        "properties": {_KEY: {"type": "string"}},
        "required": [_KEY],
        "additionalProperties": False,
    }
)


@TASKS.register("llm_query")
class LlmQuery(LlmTask):
    """A query that the document answers.

    Attributes:
        shape: "chat": instruction and JSON schema, for models that follow instructions.
            "completion": worked examples to continue, for small ones (measured on
            SmolLM2-135M: 16 of 30 usable against 1 or 2 by chat).
        sampling: How replies are drawn; grounded generation 0.6 / 0.95 is the Nemotron recipe's.
            Completions also stop at a line break.
        num_shots: Worked examples shown with "completion"; 6 is own: six short ones gave more
            kinds of question and more round trips (0.83-0.86 of candidates) than four long ones
            (0.75), for SmolLM2-135M on 60 English abstracts.
        prompts: Folder of prompt files that replaces the packaged ones; "" for the packaged ones.
        system: What the model is told before every question of a chat; "" for nothing.
    """

    shape: Literal["chat", "completion"] = "chat"
    sampling: Sampling = Sampling()
    num_shots: int = Field(default=6, ge=0)
    prompts: str = ""
    system: str = ""

    @model_validator(mode="after")
    def _only_chats_have_a_system_message(self) -> Self:
        if self.system and self.shape == "completion":
            raise ValueError(
                "`system` must be empty with `shape: completion`, which continues text, but is "
                f"{self.system!r} instead. Use `shape: chat`"
            )
        return self

    _chosen: dict[str, ChosenPrompt] = PrivateAttr(default_factory=dict)
    _shot_keys: frozenset[str] | None = PrivateAttr(default=None)

    @property
    def num_candidates(self) -> int:
        """Return how many replies are drawn per request."""
        return self.sampling.num_candidates

    def identity(self) -> dict[str, Any]:
        """Return the settings with the prompts' content in place of where they lie."""
        hashes = {language: self._choose(language).prompt.sha256 for language in self._languages()}
        return {**super().identity(), "prompts": hashes}

    def check(self, document_language: str, query_language: str) -> None:
        """Render one sample.

        Raises:
            ConfigError: If a prompt file is missing, damaged, or has too few worked examples.
        """
        request = {
            "request_id": "",
            "document_language": document_language,
            "query_language": query_language,
            "seed": 0,
            "spec": "{}",
        }
        self.render(request, {"text": "sample"})

    def prompt_use(self, request: Mapping[str, Any]) -> PromptUse:
        """Return the file of the query's language, and that of the document's if it is used."""
        used = [self._choose(request["query_language"])]
        if self.shape == "completion":
            used.append(self._choose(request["document_language"]))
        return PromptUse.of(used)

    def render(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],
        answers: Sequence[Any] = (),  # noqa: ARG002 - asks nothing before
    ) -> ChatRequest:
        """Return worked examples and the document, or the instruction with the document in it.

        Raises:
            ConfigError: If a prompt file is missing, damaged, or has too few worked examples.
        """
        key, seed = request["request_id"], request["seed"]
        prompt, _, language_name = self._choose(request["query_language"])
        try:
            if self.shape == "completion":
                text = prompt.render_completion(
                    document["text"],
                    documents_from=self._choose(request["document_language"]).prompt,
                    num_shots=self.num_shots,
                )
                return ChatRequest(key, text, (), self._stopping_at_line_break(), seed)
            body = prompt.render_chat(
                document=_fenced(document["text"]), query_language=language_name
            )
        except prompt_files.PromptError as error:
            raise ConfigError(str(error)) from error
        return ChatRequest(key, "", chat_of(self.system, body), self.sampling, seed, _SCHEMA)

    def instructions(self, request: Mapping[str, Any]) -> str:
        """Return the body of a chat's prompt; a completion is looked at for its examples."""
        if self.shape == "completion":
            return ""
        prompt, _, language_name = self._choose(request["query_language"])
        return prompt.instructions(query_language=language_name)

    def read(
        self,
        request: Mapping[str, Any],  # noqa: ARG002 - a reply says all
        candidate: Candidate,
    ) -> list[Parsed]:
        """Return the one line, or the value of "query"; a reply cut by `max_tokens` never counts.

        One pair of quotation marks around the whole query is taken off; nothing else is repaired.
        Reasons: `truncated`, `empty_reply`, `invalid_json`, `wrong_json_schema`, `several_lines`,
        and `copied_worked_example` for a completion that repeats the query of an example.
        """
        return [self._read(candidate)]

    def _read(self, candidate: Candidate) -> Parsed:
        if candidate.finish_reason == "length":
            return Parsed("", "truncated")
        text = candidate.text.strip()
        if not text:
            return Parsed("", "empty_reply")
        if self.shape == "chat":
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                return Parsed("", "invalid_json")
            is_right = isinstance(value, dict) and value.keys() == {_KEY}
            if not is_right or not isinstance(value[_KEY], str):
                return Parsed("", "wrong_json_schema")
            text = value[_KEY]
        text = normalise_text(text)
        if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
            text = text[1:-1].strip()
        return Parsed("", reason) if (reason := self._refusal(text)) else Parsed(text, "")

    def _refusal(self, query: str) -> str:
        if not query:
            return "empty_reply"
        if "\n" in query:
            return "several_lines"
        if self.shape == "completion" and comparison_key(query) in self._shots():
            return "copied_worked_example"
        return ""

    def _stopping_at_line_break(self) -> Sampling:
        stop = tuple(dict.fromkeys((*self.sampling.stop, "\n")))
        return self.sampling.model_copy(update={"stop": stop})

    def _shots(self) -> frozenset[str]:
        """Return the comparison keys of all worked examples' queries, in every language."""
        if self._shot_keys is None:
            self._shot_keys = frozenset(
                comparison_key(shot.query)
                for language in self._languages()
                for shot in self._choose(language).prompt.shots
            )
        return self._shot_keys

    def _languages(self) -> tuple[str, ...]:
        return prompt_files.languages(self.name, self._folder())

    def _folder(self) -> Path | None:
        return Path(self.prompts) if self.prompts else None

    def _choose(self, language: str) -> ChosenPrompt:
        """Return the prompt for a language; only a chat's may be the English one instead."""
        if language not in self._chosen:
            choose = own_prompt if self.shape == "completion" else choose_prompt
            try:
                chosen = choose(self.name, language, self._folder())
            except ConfigError as error:
                if self.shape == "completion" and language not in self._languages():
                    raise ConfigError(
                        f"{error} `shape: chat` asks with the English instructions instead; worked "
                        "examples have no such fallback."
                    ) from error
                raise
            if chosen.prompt.output_keys != (_KEY,):
                raise ConfigError(
                    f"`output.keys` of the prompt {chosen.name} must be [{_KEY}], but is "
                    f"{list(chosen.prompt.output_keys)} instead. The reply is read by that key."
                )
            self._chosen[language] = chosen
        return self._chosen[language]


def _fenced(document: str) -> str:
    """Return `document` unable to end the markers that the prompt puts around it."""
    return document.replace(_END_OF_DOCUMENT, "< /document>")
