"""Whether every generator answers: with text, and with JSON and likelihoods where a run wants them.

Generators with the same settings under several names are one. A model that is loaded in this
process is asked for one token first, so that its loading does not count as its speed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Final

from flows.checks import Question, Setup, Told, shortened
from flows.checks.asked import Use, use_of
from flows.checks.servers import title_of
from flows.resources import held
from sdg.errors import BackendError
from sdg.ids import canonical_json
from sdg.llm import ChatRequest, Engine, Message, Reply, ScoreRequest
from sdg.llm.openai_server import OpenAIServer
from sdg.llm.vllm_model import VllmModel

KIND: Final = "generator"
_QUESTION: Final = "Is water wet? Answer yes or no."
_PROMPT: Final = "Question: Is water wet?\nAnswer:"
_ANSWERS: Final = ("yes", "no")
_CHAT_TOKENS: Final = 32
_SCHEMA: Final = canonical_json(
    {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": list(_ANSWERS)}},
        "required": ["answer"],
        "additionalProperties": False,
    }
)
_CURES: Final = {
    "too_long": "Raise `max_model_len`, or lower `max_tokens` of the tasks.",
    "refused": "If the model has no chat template, ask it with `shape: completion`; else correct "
    "what is named here.",
    "timed_out": "Start the server again, or raise the limit with --timeout.",
}


def questions(setup: Setup) -> Iterator[Question]:
    """Ask each different generator one question, and one more for each other kind of answer."""
    for name, names in different(setup.config.generators).items():
        engine = held(setup.config.generators[names[0]])
        use = use_of(setup.config, names)
        seconds = setup.seconds_for(engine)
        if not engine.answers_at_once:
            yield _later(name, engine)
            continue
        yield _first(name, engine, use, seconds)
        needs = (f"{KIND} {name}",)
        if use.chats:
            yield _structured(name, engine, use, seconds, needs)
        if use.scores:
            yield _likelihood(name, engine, seconds, needs)


def different(generators: dict[str, Engine]) -> dict[str, list[str]]:
    """Return joined names -> names of the generators with the same settings, in their order."""
    same: dict[int, list[str]] = {}
    for name, engine in generators.items():
        same.setdefault(id(held(engine)), []).append(name)
    return {", ".join(names): names for names in same.values()}


def title_for(generators: dict[str, Engine], name: str) -> str:
    """Return the title of the first question to the generator called `name`."""
    joined = next(j for j, names in different(generators).items() if name in names)
    return f"{KIND} {joined}"


def _later(name: str, engine: Engine) -> Question:
    def ask() -> Told:
        revision = engine.revision()
        told = f"{engine.name} answers when somebody has run its files; revision {revision}"
        return Told(told, {"revision": revision}, is_skipped=True)

    return Question(KIND, name, "its revision", ask)


def _first(name: str, engine: Engine, use: Use, seconds: float) -> Question:
    def ask() -> Told:
        revision = engine.revision()
        loading = 0.0
        if isinstance(engine, VllmModel):
            loading = _asked(name, engine, _chat(use, 1))[1]
        reply, took = _asked(name, engine, _chat(use, _CHAT_TOKENS))
        said = reply.candidates[0]
        if not said.text.strip() and not said.reasoning and said.finish_reason != "length":
            raise BackendError(
                f"The generator {name!r} must answer, but said nothing to {_QUESTION!r}. Check its "
                "chat template, or that the model follows instructions."
            )
        rate = reply.completion_tokens / took if took and reply.completion_tokens else None
        told = f"{getattr(engine, 'model', engine.name)}, revision {revision}"
        told += f", up after {loading:.1f} s" if loading else ""
        told += f", answered in {took:.2f} s"
        told += f" ({rate:,.0f} tokens/s alone)" if rate else ""
        figures = {
            "revision": revision,
            "start_seconds": round(loading, 3),
            "seconds": round(took, 4),
            "tokens_per_second": None if rate is None else round(rate, 1),
            "reply": said.text,
        }
        return Told(f"{told}: {shortened(said.text)}", figures)

    # A model that no server serves is said once, by the server's own question.
    needs: tuple[str, ...] = ()
    if isinstance(engine, OpenAIServer):
        needs = tuple(title_of(url, engine.model) for url in engine.base_urls)
    return Question(KIND, name, "one question", ask, seconds, needs)


def _structured(
    name: str, engine: Engine, use: Use, seconds: float, needs: tuple[str, ...]
) -> Question:
    def ask() -> Told:
        request = _chat(use, use.sampling.max_tokens, _SCHEMA)
        reply, took = _asked(name, engine, request)
        said = reply.candidates[0]
        if not _obeys(said.text):
            cut = " (cut at `max_tokens`)" if said.finish_reason == "length" else ""
            raise BackendError(
                f"The generator {name!r} must obey a JSON schema, but asked for {_SCHEMA} said "
                f"{shortened(said.text)}{cut}. Serve it with structured output (vLLM has it), "
                "raise `max_tokens` for a model that thinks first, or take another model."
            )
        return Told(f"obeys the schema: {shortened(said.text)}", {"seconds": round(took, 4)})

    return Question("structured reply", name, "one answer in JSON", ask, seconds, needs)


def _likelihood(name: str, engine: Engine, seconds: float, needs: tuple[str, ...]) -> Question:
    def ask() -> Told:
        started = time.monotonic()
        (score,) = list(engine.score([ScoreRequest("check", _PROMPT, " yes")]))
        took = time.monotonic() - started
        if score.mean_logprob is None:
            raise BackendError(
                f"The generator {name!r} must give likelihoods, but gave the failure "
                f"{score.failure!r}. Serve it with vLLM, or name another `engine` there."
            )
        told = f"mean log-probability {score.mean_logprob:.2f} in {took:.2f} s"
        return Told(told, {"mean_logprob": score.mean_logprob, "seconds": round(took, 4)})

    return Question("likelihood", name, "one likelihood", ask, seconds, needs)


def _chat(use: Use, max_tokens: int, schema: str = "") -> ChatRequest:
    sampling = use.sampling.model_copy(
        # Text to continue may well begin with what would stop a query.
        update={"max_tokens": max_tokens, "num_candidates": 1, "stop": ()}
    )
    if use.chats:
        return ChatRequest("check", "", (Message("user", _QUESTION),), sampling, 0, schema)
    return ChatRequest("check", _PROMPT, (), sampling, 0)


def _asked(name: str, engine: Engine, request: ChatRequest) -> tuple[Reply, float]:
    """Return the reply and the seconds it took; raises if there is none."""
    started = time.monotonic()
    (reply,) = list(engine.complete([request]))
    took = time.monotonic() - started
    if reply.failure or not reply.candidates:
        cure = _CURES.get(reply.failure, "Look at the server's log, and run the check again.")
        raise BackendError(
            f"The generator {name!r} must answer {_QUESTION!r}, but failed with "
            f"{reply.failure or 'no reply'}: {reply.detail or 'no detail'}. {cure}",
            retryable=reply.failure in ("server_error", "timed_out"),
        )
    return reply, took


def _obeys(text: str) -> bool:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and value.keys() == {"answer"} and value["answer"] in _ANSWERS
