"""What a data set's answers cost: tokens, GPU time, money, in all and per 1,000 rows.

Counted are the distinct answers that the finished data set used, each with what it cost when it was
given, whichever run that was. So the figures are the same after one run and after ten that were
killed; answers that nothing uses any more (of another prompt, say) are not in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sdg.llm import Engine
from sdg.llm.journal_file import Spent

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What the answers of a data set cost.

    Attributes:
        requests: Distinct answers.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written, reasoning included.
        reasoning_tokens: How many of these are reasoning.
        gpu_seconds: `gpus` times the time that the engine worked, over engines with `gpus`.
        price: In the currency of the configured prices; None where no engine has one.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    gpu_seconds: float = 0.0
    price: float | None = None

    def per_thousand(self, rows: int) -> dict[str, float]:
        """Return every figure that is not nothing per 1,000 of `rows`; empty without rows."""
        if not rows:
            return {}
        share = 1000 / rows
        figures = {
            "requests": self.requests * share,
            "tokens read": self.prompt_tokens * share,
            "tokens written": self.completion_tokens * share,
            "tokens of reasoning": self.reasoning_tokens * share,
            "GPU-seconds": self.gpu_seconds * share,
            "cost": (self.price or 0.0) * share,
        }
        return {name: round(value, 4) for name, value in figures.items() if value}

    def to_json(self) -> dict[str, Any]:
        """Return the figures in all."""
        figures: dict[str, Any] = {
            "requests": self.requests,
            "tokens read": self.prompt_tokens,
            "tokens written": self.completion_tokens,
            "tokens of reasoning": self.reasoning_tokens,
        }
        if self.gpu_seconds:
            figures["GPU-seconds"] = round(self.gpu_seconds, 1)
        if self.price is not None:
            figures["cost"] = round(self.price, 4)
        return figures


def cost_of(spent: Iterable[Spent], engines: Mapping[str, Engine]) -> Cost:
    """Return what was spent, priced as `engines` (by name) are configured now.

    An engine with both prices costs both: rented GPUs behind a metered gateway.
    """
    cost = Cost()
    for entry in spent:
        engine = engines[entry.generator]
        gpu_seconds = engine.gpus * entry.seconds
        cost = Cost(
            cost.requests + entry.requests,
            cost.prompt_tokens + entry.prompt_tokens,
            cost.completion_tokens + entry.completion_tokens,
            cost.reasoning_tokens + entry.reasoning_tokens,
            cost.gpu_seconds + gpu_seconds,
            _add(cost.price, _price(entry, engine, gpu_seconds)),
        )
    return cost


def _price(entry: Spent, engine: Engine, gpu_seconds: float) -> float | None:
    price = None
    if engine.price_per_gpu_hour is not None:
        price = gpu_seconds / _HOUR * engine.price_per_gpu_hour
    if engine.price_per_million_tokens is not None:
        tokens = engine.price_per_million_tokens
        read, written = entry.prompt_tokens, entry.completion_tokens
        price = _add(price, (read * tokens.prompt + written * tokens.completion) / 1e6)
    return price


def _add(one: float | None, other: float | None) -> float | None:
    return other if one is None else one + (other or 0.0)
