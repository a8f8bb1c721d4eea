"""The OpenAI protocol: requests to JSON, JSON to replies."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import JsonValue

from sdg.llm import Candidate, ChatRequest, Reply
from sdg.llm.reasoning import Split, share_of_tokens, split_reasoning

_TOO_LONG: Final = re.compile(
    r"context_length_exceeded|maximum (context|model) length|max_model_len|context window"
    r"|context length",
    re.IGNORECASE,
)


def failure(text: str) -> str:
    """Return "too_long" or "refused" for the text of a 4xx answer."""
    return "too_long" if _TOO_LONG.search(text) else "refused"


def generation_body(
    request: ChatRequest, *, send_seed: bool, ask_logprobs: bool
) -> dict[str, JsonValue]:
    """Return the body of a generation request, without `model`."""
    sampling = request.sampling
    body: dict[str, JsonValue] = {
        "n": sampling.num_candidates,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
    }
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if send_seed:
        body["seed"] = request.seed
    if request.json_schema:
        schema = {"name": "reply", "schema": json.loads(request.json_schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.prompt:
        body["prompt"] = request.prompt
        return body | ({"logprobs": 0} if ask_logprobs else {})
    body["messages"] = [{"role": turn.role, "content": turn.text} for turn in request.messages]
    return body | ({"logprobs": True} if ask_logprobs else {})


def has_choices(body: Any, wanted: int) -> bool:  # noqa: ANN401 - any JSON
    """Return whether a 200 answer holds `wanted` texts; may raise if it is no answer at all."""
    choices = body["choices"]
    return len(choices) == wanted and all(isinstance(_text(c), str) for c in choices)


def _text(choice: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    if "message" in choice:
        return choice["message"]["content"] or ""
    return choice["text"]


def _split(choice: Mapping[str, Any]) -> Split:
    """Return reasoning and answer, wherever the server puts the reasoning."""
    message = choice.get("message") or {}
    told = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(told, str) and told:
        return Split(told, _text(choice))
    return split_reasoning(_text(choice))


def read_reply(key: str, body: Mapping[str, Any]) -> Reply:
    """Return the reply in an answer that `has_choices`; tokens are 0 if the server is silent.

    Tokens of reasoning are what the server says; if it says nothing, their share of the letters.
    """
    choices = sorted(body["choices"], key=lambda choice: choice.get("index", 0))
    usage = body.get("usage") or {}
    read, written = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    if any(choice.get("finish_reason") == "content_filter" for choice in choices):
        return Reply(key, (), "refused", "The server's content filter cut a reply.", read, written)
    parts = [_split(choice) for choice in choices]
    candidates = tuple(
        Candidate(
            part.answer,
            "length" if choice.get("finish_reason") == "length" else "stop",
            _mean_logprob(choice.get("logprobs")),
            "" if part.answer else part.reasoning,
        )
        for choice, part in zip(choices, parts, strict=True)
    )
    thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    if thought is None:
        reasoning = "".join(part.reasoning for part in parts)
        thought = share_of_tokens(reasoning, "".join(part.answer for part in parts), written)
    return Reply(key, candidates, "", "", read, written, int(thought))


def _mean_logprob(logprobs: Any) -> float | None:  # noqa: ANN401 - any JSON
    if not isinstance(logprobs, dict):
        return None
    values = logprobs.get("token_logprobs")
    if values is None:
        values = [part["logprob"] for part in logprobs.get("content") or []]
    values = [float(value) for value in values if value is not None]
    mean = sum(values) / len(values) if values else float("nan")
    # Infinity and NaN, which Python reads in JSON, are no figures to compare or to keep.
    return mean if math.isfinite(mean) else None


def tail_logprob(body: Any, ids: Sequence[int], num_scored: int) -> float:  # noqa: ANN401
    """Return the summed log-probability of the last `num_scored` of the prompt's tokens `ids`."""
    tables = body["choices"][0]["prompt_logprobs"]
    tail = zip(ids[-num_scored:], tables[len(ids) - num_scored : len(ids)], strict=True)
    return sum(float(table[str(token)]["logprob"]) for token, table in tail)
