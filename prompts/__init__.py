"""Prompts as data: `prompts/<task>/<language>.md` with front matter, and the code that loads them.

    prompts/llm_query/eng-Latn.md
        ---
        task, language, language_name, version, variables, output,
        written_by, reviewed_by, labels, shots, and choices where there are any
        ---
        The instruction for chat models, with {variables}.

The body is for models that follow instructions; `shots` and `labels` are for small models that only
continue text. Shot k says the same in every language of a task, so a cross-lingual prompt takes its
documents from one file and its queries from another. `choices` are the words for what varies from
one request to the next: {difficulty: {phd: what that means, ...}, ...}; code draws the name, the
file says it in its language.

What is inserted is never read as a template: the body is scanned once, and a document that holds
"{document}" or any other brace is copied as it is.

Why files and not strings in code: a reader of the language can review one without reading Python,
its hash goes into every row, and a new language is one new file.

Beside them lies `personas/eng-Latn.txt`: who may ask, one per line, for tasks that ask in the name
of somebody.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

PACKAGED = Path(__file__).parent
LANGUAGE = re.compile(r"[a-z]{3}-[A-Z][a-z]{3}")

_FENCE = "---\n"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_KEYS = frozenset(
    {
        "task",
        "language",
        "language_name",
        "version",
        "variables",
        "output",
        "written_by",
        "reviewed_by",
        "labels",
        "shots",
    }
)
_OPTIONAL = frozenset({"choices"})


class PromptError(ValueError):
    """A prompt that is missing, damaged, or rendered with the wrong variables."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A worked example.

    Attributes:
        document: A passage written for this purpose, one line.
        query: A query that the passage answers, one line.
    """

    document: str
    query: str


@dataclass(frozen=True, slots=True)
class Labels:
    """What stands before each part of a completion prompt, without the colon.

    Attributes:
        document: "Passage" in the prompt's language.
        query: "Question" in the prompt's language.
    """

    document: str
    query: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt file.

    Attributes:
        task: The folder's name.
        language: The file's name: the language of instruction, labels and shots.
        language_name: What speakers of the language call it; fills {query_language}.
        version: Raised by hand with each change of meaning.
        variables: Every variable of the body, sorted.
        output_keys: Keys of the JSON object that the body asks for, sorted.
        written_by: Who wrote it.
        reviewed_by: Which reader of the language checked it, or None.
        labels: Labels of the completion prompt.
        shots: Examples of the completion prompt, in order.
        body: The instruction for chat models.
        sha256: Of the file's bytes.
        choices: What varies -> name of a choice -> its words in this language; {} for most tasks.
    """

    task: str
    language: str
    language_name: str
    version: int
    variables: tuple[str, ...]
    output_keys: tuple[str, ...]
    written_by: str
    reviewed_by: str | None
    labels: Labels
    shots: tuple[Shot, ...]
    body: str
    sha256: str
    choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def render_chat(self, **variables: str) -> str:
        """Return the body with every variable filled in.

        Args:
            **variables: Exactly the prompt's variables; a value is inserted as it is and is never
                itself searched for variables.

        Raises:
            PromptError: If a variable is unknown or missing; the message names it.
        """
        self._check_variables(variables)
        return _PLACEHOLDER.sub(lambda match: variables[match.group(1)], self.body)

    def instructions(self, **variables: str) -> str:
        """Return the body with these variables filled in, and every other one a blank line."""
        return _PLACEHOLDER.sub(lambda match: variables.get(match.group(1), "\n\n"), self.body)

    def render_completion(
        self, document: str, *, documents_from: Prompt | None = None, num_shots: int | None = None
    ) -> str:
        """Return text whose natural continuation is a query for `document`.

        Blocks of "<label>: <document>" and "<label>: <query>" are separated by blank lines; the
        last block ends after the query's label, so a reply is over at its first line break.

        Args:
            document: Its white space is folded, so that the text cannot open a block of its own.
            documents_from: The same task's prompt in the document's language; None if the document
                is in this prompt's language.
            num_shots: How many shots are shown, the first ones; None for all.

        Raises:
            PromptError: If a prompt has too few shots, or the two belong to different tasks.
        """
        source = documents_from or self
        count = len(self.shots) if num_shots is None else num_shots
        self._check_shots(source, count)
        before, after = f"{source.labels.document}: ", f"\n{self.labels.query}:"
        blocks = [
            f"{before}{ours.document}{after} {own.query}\n\n"
            for ours, own in zip(source.shots[:count], self.shots[:count], strict=True)
        ]
        return "".join(blocks) + before + " ".join(document.split()) + after

    def _check_variables(self, variables: Mapping[str, str]) -> None:
        unknown = sorted(set(variables) - set(self.variables))
        missing = sorted(set(self.variables) - set(variables))
        if unknown or missing:
            raise PromptError(
                f"`{self.task}/{self.language}` must be rendered with exactly the variables "
                f"{list(self.variables)}, but {unknown} are unknown and {missing} are missing. "
                "Correct the caller, or declare the variable in the file's front matter."
            )

    def _check_shots(self, source: Prompt, count: int) -> None:
        if source.task != self.task:
            raise PromptError(
                f"Shots must come from one task, but documents are from `{source.task}` and "
                f"queries from `{self.task}` instead. Load both prompts for the same task."
            )
        available = min(len(self.shots), len(source.shots))
        if not 0 <= count <= available:
            raise PromptError(
                f"`num_shots` must be between 0 and {available} for `{self.task}` with documents "
                f"in {source.language} and queries in {self.language}, but is {count} instead. "
                "Lower it, or add shots to the files."
            )


def load(task: str, language: str, folder: Path | None = None) -> Prompt:
    """Return the prompt of `task` in `language`.

    Args:
        task: Name of a folder.
        language: ISO 639-3 + script, "eng-Latn".
        folder: The folder that holds `<task>/<language>.md`; None for the packaged prompts.

    Raises:
        PromptError: If a name is not well formed, the file is missing, or its content is wrong.
    """
    root = folder or PACKAGED
    path = _path(root, task, language)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PromptError(
            f"The prompt of task `{task}` must exist in the language {language!r}, but reading "
            f"{path} gave: {error.strerror}. Available: {', '.join(languages(task, root)) or 'none'}. "  # noqa: E501
            f"Add {task}/{language}.md, with the front matter of the other files."
        ) from error
    return _parse(data, task, language, path)


def languages(task: str, folder: Path | None = None) -> tuple[str, ...]:
    """Return the languages that `task` has a prompt file for, sorted; () for an unknown task."""
    root = folder or PACKAGED
    names = (path.stem for path in (root / task).glob("*.md"))
    return tuple(sorted(name for name in names if LANGUAGE.fullmatch(name)))


def tasks(folder: Path | None = None) -> tuple[str, ...]:
    """Return the names of the tasks that have at least one prompt file, sorted."""
    root = folder or PACKAGED
    return tuple(sorted({path.parent.name for path in root.glob("*/*.md")}))


def personas_file() -> Path:
    """Return the packaged personas: text in UTF-8, one persona per line, in English."""
    return PACKAGED / "personas" / "eng-Latn.txt"


def _path(root: Path, task: str, language: str) -> Path:
    if not _NAME.fullmatch(task):
        raise PromptError(
            f"`task` must be a name in lower case like llm_query, but is {task!r} instead. "
            "Name the folder of the prompt files."
        )
    if not LANGUAGE.fullmatch(language):
        raise PromptError(
            f"`language` must be ISO 639-3 + script like eng-Latn, but is {language!r} instead. "
            "Write the language in that form."
        )
    return root / task / f"{language}.md"


def _parse(data: bytes, task: str, language: str, path: Path) -> Prompt:
    try:
        text = data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise PromptError(
            f"{path} must be UTF-8, but is not: {error}. Save it as UTF-8."
        ) from error
    head, fence, body = text.removeprefix(_FENCE).partition("\n" + _FENCE)
    if not text.startswith(_FENCE) or not fence:
        raise PromptError(
            f"{path} must start with front matter between two lines `---`, but does not. "
            "Copy the front matter of another prompt file."
        )
    try:
        # libyaml's parser: a run reads hundreds of prompts before its first request.
        meta = yaml.load(head, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise PromptError(
            f"The front matter of {path} must be YAML, but is not: {error}"
        ) from error
    _check_meta(meta, task, language, path)
    body = body.strip()
    _check_placeholders(meta["variables"], body, path)
    return Prompt(
        task=task,
        language=language,
        language_name=meta["language_name"],
        version=meta["version"],
        variables=tuple(sorted(meta["variables"])),
        output_keys=tuple(sorted(meta["output"]["keys"])),
        written_by=meta["written_by"],
        reviewed_by=meta["reviewed_by"],
        labels=Labels(**meta["labels"]),
        shots=tuple(Shot(**shot) for shot in meta["shots"]),
        body=body,
        sha256=hashlib.sha256(data).hexdigest(),
        choices=meta.get("choices", {}),
    )


def _check_meta(meta: Any, task: str, language: str, path: Path) -> None:  # noqa: ANN401 - YAML
    if not isinstance(meta, dict) or set(meta) - _OPTIONAL != _KEYS:
        found = set(meta) if isinstance(meta, dict) else set()
        raise PromptError(
            f"The front matter of {path} must have exactly the keys {sorted(_KEYS)}, but "
            f"{sorted(_KEYS - found)} are missing and "
            f"{sorted(map(str, found - _KEYS - _OPTIONAL))} are unknown. Correct the file."
        )
    checks: Mapping[str, bool] = MappingProxyType(
        {
            "task": meta["task"] == task,
            "language": meta["language"] == language,
            "language_name": _is_line(meta["language_name"]),
            "version": type(meta["version"]) is int and meta["version"] >= 1,
            "variables": _is_list_of_names(meta["variables"]),
            "output": isinstance(meta["output"], dict)
            and meta["output"].keys() == {"type", "keys"}
            and meta["output"]["type"] == "json"
            and _is_list_of_names(meta["output"]["keys"]),
            "written_by": _is_line(meta["written_by"]),
            "reviewed_by": meta["reviewed_by"] is None or _is_line(meta["reviewed_by"]),
            "labels": _is_pair(meta["labels"]),
            "shots": isinstance(meta["shots"], list) and all(map(_is_pair, meta["shots"])),
            "choices": "choices" not in meta or _are_choices(meta["choices"]),
        }
    )
    for key, holds in checks.items():
        if not holds:
            raise PromptError(
                f"`{key}` in the front matter of {path} must be what prompts/__init__.py says of "
                f"it (folder {task!r}, file {language!r}), but is {meta[key]!r} instead. "
                "Correct the file; other languages of the task show the form."
            )


def _check_placeholders(variables: list[str], body: str, path: Path) -> None:
    used = set(_PLACEHOLDER.findall(body))
    if used != set(variables):
        raise PromptError(
            f"The body of {path} must use exactly the declared variables {sorted(variables)}, but "
            f"uses {sorted(used)} instead. Correct the body or `variables`."
        )


def _is_line(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\n" not in value


def _is_pair(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"document", "query"}
        and all(map(_is_line, value.values()))
    )


def _are_choices(value: object) -> bool:
    """Return whether `value` is {name: {name: line}}, nothing in it empty.

    YAML reads an unquoted `yes`, `no` or number as no text: that is refused here.
    """
    return (
        isinstance(value, dict)
        and bool(value)
        and _is_list_of_names(list(value))
        and all(
            isinstance(words, dict)
            and bool(words)
            and _is_list_of_names(list(words))
            and all(map(_is_line, words.values()))
            for words in value.values()
        )
    )


def _is_list_of_names(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(name, str) and bool(_NAME.fullmatch(name)) for name in value
    )
