"""An engine without a model: every reply is a function of the request.

For tests, and for trying a whole pipeline before a model is at hand. A request that no rule of
`replies_file` matches gets a short keyword query made of words of the last passage in its prompt,
so that a retriever can find that passage again.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from sdg.errors import ConfigError
from sdg.ids import fingerprint, seed_for
from sdg.llm import ENGINES, Candidate, ChatRequest, Engine, Reply, Score, ScoreRequest

_WORD = re.compile(r"\w+")
_TAGGED = re.compile(r"<(\w+)>\s*(.*?)\s*</\1>", re.DOTALL)
_LABEL = re.compile(r"^[^\s:]+(?: [^\s:]+)?\s?:\s*")
_PASSAGE_WORDS = 8
_CONTENT_LETTERS = 4
_LENGTH_PENALTY = 0.001


class ScriptedReply(BaseModel):
    """One line of a replies file.

    Attributes:
        match: Regular expression searched for in the text of the prompt; the first line of the
            file that matches answers.
        replies: Candidate c gets `replies[c % len(replies)]`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    match: re.Pattern[str]
    replies: tuple[str, ...] = Field(min_length=1)


@ENGINES.register("scripted")
class ScriptedEngine(Engine):
    """Replies from a script, or from the prompt itself.

    Attributes:
        replies_file: JSONL of {"match": regular expression, "replies": [text, ...]}, or None.
        bad_fraction: Share of candidates that are deliberately bad where a request asks for more
            than one: empty, the copied passage, or cut off (finish_reason "length").
        max_prompt_words: A longer prompt is the failure "too_long".
        delay_seconds: How long each answer takes.
        log_file: One line, the sha256 of the request's text, is appended for every request that
            was answered: shows which requests were sent twice.
    """

    replies_file: str | None = None
    bad_fraction: float = Field(default=0.0, ge=0, le=1)
    max_prompt_words: int = Field(default=100_000, ge=1)
    delay_seconds: float = Field(default=0.0, ge=0)
    log_file: str | None = None

    _rules: tuple[ScriptedReply, ...] | None = PrivateAttr(default=None)

    def identity(self) -> dict[str, Any]:
        """Return what decides the replies: the rules' content, not where they lie."""
        return {
            "name": self.name,
            "version": self.version,
            "rules": self._digest(),
            "bad_fraction": self.bad_fraction,
            "max_prompt_words": self.max_prompt_words,
        }

    def revision(self) -> str:
        """Return "scripted", followed by the fingerprint of the rules if there are any."""
        digest = self._digest()
        return f"scripted:{digest}" if digest else "scripted"

    def complete(self, requests: Sequence[ChatRequest]) -> Iterator[Reply]:
        """Yield one reply per request, in the order of `requests`."""
        for request in requests:
            text = prompt_text(request)
            reply = self._reply(request, text)
            self._answered(text + request.json_schema)
            yield reply

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield one score per request: 0 where every word of the continuation is in the prompt.

        The score is -(share of continuation words that the prompt lacks) - 0.001 per word.
        """
        for request in requests:
            words = _WORD.findall(request.continuation.casefold())
            known = set(_WORD.findall(request.prompt.casefold()))
            size = len(words) + len(request.prompt.split())
            if size > self.max_prompt_words or not words:
                failure = "refused" if not words else "too_long"
                score = Score(request.key, None, 0, size, failure)
            else:
                missing = sum(word not in known for word in words) / len(words)
                mean = -missing - _LENGTH_PENALTY * len(words)
                score = Score(request.key, mean, len(words), size, "")
            self._answered(request.prompt + "\x00" + request.continuation)
            yield score

    def _reply(self, request: ChatRequest, text: str) -> Reply:
        size = len(text.split())
        if size > self.max_prompt_words:
            detail = f"The prompt has {size} words, more than {self.max_prompt_words}."
            return Reply(request.key, (), "too_long", detail, size, 0)
        candidates = tuple(
            self._candidate(request, text, index)
            for index in range(request.sampling.num_candidates)
        )
        written = sum(len(candidate.text.split()) for candidate in candidates)
        return Reply(request.key, candidates, "", "", size, written)

    def _candidate(self, request: ChatRequest, text: str, index: int) -> Candidate:
        for rule in self._load_rules():
            if rule.match.search(text):
                return Candidate(rule.replies[index % len(rule.replies)], "stop", -0.5)
        passage = last_passage(text)
        draw = seed_for(request.seed, text, str(index))
        query = keyword_query(passage, draw)
        if request.sampling.num_candidates > 1 and _is_bad(draw, self.bad_fraction):
            return _bad_candidate(passage, query, draw)
        if request.json_schema:
            query = json.dumps(_fill(json.loads(request.json_schema), passage, draw))
        return Candidate(query, "stop", -0.5 - (draw % 100) / 1000)

    def _answered(self, text: str) -> None:
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        if self.log_file is not None:
            with Path(self.log_file).open("a", encoding="utf-8") as log:
                log.write(fingerprint(text) + "\n")

    def _digest(self) -> str:
        rules = self._load_rules()
        if not rules:
            return ""
        return fingerprint([[rule.match.pattern, list(rule.replies)] for rule in rules])

    def _load_rules(self) -> tuple[ScriptedReply, ...]:
        if self._rules is None:
            self._rules = () if self.replies_file is None else _read_rules(Path(self.replies_file))
        return self._rules


def prompt_text(request: ChatRequest) -> str:
    """Return the text that a request puts before the model: its prompt, or its turns by line."""
    return request.prompt or "\n".join(message.text for message in request.messages)


def last_passage(text: str) -> str:
    """Return the part of a prompt that looks like the last passage.

    The content of the last `<tag>...</tag>` of at least 8 words; else the last line of at least 8
    words without its label ("Passage: "); else the longest line; "" for an empty prompt.
    """
    tagged = [found.group(2) for found in _TAGGED.finditer(text)]
    lines = [_LABEL.sub("", line.strip()) for line in text.splitlines()]
    for parts in (tagged, lines):
        long = [part for part in parts if len(part.split()) >= _PASSAGE_WORDS]
        if long:
            return long[-1]
    return max(lines, key=len, default="")


def keyword_query(passage: str, draw: int) -> str:
    """Return 4 to 7 distinct words of `passage` (fewer if it has fewer), in its order.

    Long words tell passages apart, so the draw is among the longest 12.
    """
    words = list(dict.fromkeys(word.casefold() for word in _WORD.findall(passage)))
    content = [word for word in words if len(word) >= _CONTENT_LETTERS] or words
    longest = sorted(content, key=lambda word: (-len(word), word))[:12]
    ordered = sorted(longest, key=lambda word: seed_for(draw, word))
    chosen = set(ordered[: 4 + draw % 4])
    return " ".join(word for word in content if word in chosen)


def _is_bad(draw: int, fraction: float) -> bool:
    return seed_for(draw, "bad") < fraction * 2.0**63


def _bad_candidate(passage: str, query: str, draw: int) -> Candidate:
    kind = seed_for(draw, "kind") % 3
    if kind == 0:
        return Candidate("", "stop", -3.0)
    if kind == 1:
        return Candidate(passage, "stop", -0.1)
    return Candidate(query[: max(1, len(query) // 2)], "length", -2.0)


def _fill(schema: Mapping[str, Any], passage: str, draw: int, mark: str = "") -> Any:  # noqa: ANN401 - JSON
    """Return a value that obeys a simple JSON schema; free texts in it are keyword queries.

    Lists have one item, or as many as they need. Texts after the first of a list or an object have
    draws of their own and end with their number or key, so that no two are equal.
    """
    if "enum" in schema:
        return schema["enum"][draw % len(schema["enum"])]
    kind = schema.get("type", "object")
    if kind == "object":
        properties = schema.get("properties") or {"query": {"type": "string"}}
        marks = [f"{mark} {name}" if place else mark for place, name in enumerate(properties)]
        return {
            name: _fill(part, passage, draw, own)
            for (name, part), own in zip(properties.items(), marks, strict=True)
        }
    if kind == "array":
        count = min(max(1, schema.get("minItems", 1)), schema.get("maxItems", math.inf))
        items = schema.get("items", {"type": "string"})
        marks = [f"{mark} {place + 1}" if place else mark for place in range(count)]
        return [_fill(items, passage, draw + place, own) for place, own in enumerate(marks)]
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    if kind == "boolean":
        return True
    return keyword_query(passage, seed_for(draw, mark) if mark else draw) + mark


def _read_rules(path: Path) -> tuple[ScriptedReply, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return tuple(ScriptedReply.model_validate_json(line) for line in lines if line.strip())
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise ConfigError(
            "`scripted.replies_file` must be a JSONL file of "
            '{"match": regular expression, "replies": [text, ...]}, but reading '
            f"`{path}` gave: {error}. Correct the path or the line."
        ) from error
