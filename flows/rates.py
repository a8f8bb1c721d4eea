"""How fast generators are: measured in this directory, given, or the demo's, and which of them.

A rate is measured from the journal of an earlier run or preview: of the shards that a generator of
the same kind and model answered, tokens over the time that the engine worked for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from flows.asking import scope_of
from flows.resources import spent
from flows.workspace import Workspace
from sdg import store
from sdg.errors import ConfigError, DataError
from sdg.llm import Engine
from sdg.llm.journal_file import Spent
from sdg.shards import MANIFEST

# SmolLM2-135M in vLLM on two CPU cores without AMX; own. Reading: 55,000 tokens of likelihoods in
# 93 s, the demo's relabelling.
_DEMO_WRITTEN: Final = 450.0
_DEMO_READ: Final = 600.0
_WRITTEN_OPTION: Final = "--tokens-per-second"
_READ_OPTION: Final = "--prompt-tokens-per-second"

Source = Literal["measured", "given", "built_in", "unknown"]


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens per second, and why they are believed.

    Attributes:
        tokens_per_second: None if nothing tells.
        source: Where it comes from.
        note: What was measured, for people; "" if it was not.
    """

    tokens_per_second: float | None = None
    source: Source = "unknown"
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the speed for `--json`."""
        return asdict(self)

    def told(self, what: str) -> str:
        """Return the speed at doing `what`, and where it comes from, as text."""
        if self.tokens_per_second is None:
            return f"{what} at an unknown rate, not counted"
        told = f"{what} {self.tokens_per_second:,.0f} tokens/s"
        if self.source == "measured":
            return f"{told} (measured: {self.note})"
        if self.source == "given":
            return f"{told} (given)"
        return f"{told} (NOT measured here: the demo's model on two CPU cores)"


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast one generator is.

    Attributes:
        written: At writing replies.
        read: At reading prompts.
        reading_is_counted: True if `written` holds the time for reading the prompts, too, as it
            does where it was measured: the prompts of the plan are not counted again.
    """

    written: Speed
    read: Speed
    reading_is_counted: bool = False

    def seconds(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return the time for so many tokens; None where no rate tells.

        Prompts whose reading has no known rate are left out where something is written, too.
        """
        reading = _duration(prompt_tokens, self.read)
        if not completion_tokens:
            return reading
        writing = _duration(completion_tokens, self.written)
        if writing is None or self.reading_is_counted:
            return writing
        return writing + (reading or 0.0)

    def to_json(self) -> dict[str, Any]:
        """Return the rate for `--json`."""
        return {
            "written": self.written.to_json(),
            "read": self.read.to_json(),
            "reading_is_counted": self.reading_is_counted,
        }

    def told(self) -> str:
        """Return the rate and where it comes from as text."""
        writes = "writes, prompts included," if self.reading_is_counted else "writes"
        return f"{self.written.told(writes)}; {self.read.told('reads')}"

    @property
    def is_guessed(self) -> bool:
        """Whether some of it is the demo's."""
        return "built_in" in (self.written.source, self.read.source)


def _duration(tokens: int, speed: Speed) -> float | None:
    if not tokens:
        return 0.0
    return tokens / speed.tokens_per_second if speed.tokens_per_second else None


@dataclass(frozen=True, slots=True)
class GivenRates:
    """Rates from the command line.

    Attributes:
        written: Generator -> tokens written per second; "" is every other generator.
        read: The same of tokens read.
    """

    written: Mapping[str, float]
    read: Mapping[str, float]

    @classmethod
    def parse(
        cls, written: Sequence[str], read: Sequence[str], generators: Iterable[str]
    ) -> GivenRates:
        """Return what the options say: "900" for all generators, "name=900" for one.

        Raises:
            ConfigError: If one is no number above 0, or names no generator.
        """
        known = sorted(generators)
        return cls(_parse(_WRITTEN_OPTION, written, known), _parse(_READ_OPTION, read, known))


def rates_of(
    space: Workspace, generators: Mapping[str, Engine], given: GivenRates
) -> dict[str, Rate]:
    """Return generator -> rate; what is given goes before what was measured."""
    return {name: _rate(space, name, engine, given) for name, engine in generators.items()}


def _rate(space: Workspace, name: str, engine: Engine, given: GivenRates) -> Rate:
    written = given.written.get(name, given.written.get(""))
    read = _read(space, name, engine, given.read.get(name, given.read.get("")))
    if written is not None:
        return Rate(Speed(written, "given"), read)
    replies = _spent_by(space, name, engine, "generate")
    if replies is not None and replies.completion_tokens:
        rate = replies.completion_tokens / replies.seconds
        note = f"{replies.requests:,} answers of earlier runs and previews in {space.directory}"
        return Rate(Speed(rate, "measured", note), read, reading_is_counted=True)
    if read.source == "unknown":
        read = Speed(_DEMO_READ, "built_in")
    return Rate(Speed(_DEMO_WRITTEN, "built_in"), read)


def _read(space: Workspace, name: str, engine: Engine, given: float | None) -> Speed:
    if given is not None:
        return Speed(given, "given")
    scores = _spent_by(space, name, engine, "relabel")
    if scores is None or not scores.prompt_tokens:
        return Speed()
    note = f"{scores.requests:,} likelihoods of earlier runs and previews in {space.directory}"
    return Speed(scores.prompt_tokens / scores.seconds, "measured", note)


def _spent_by(space: Workspace, name: str, engine: Engine, stage: str) -> Spent | None:
    """Return what a generator spent on a stage, in runs and previews together; None if nothing."""
    manifests = sorted(space.work.glob(f"*/{stage}/*/{MANIFEST}"))
    scopes = [scope_of(path.parent) for path in manifests if _is_of(path, engine)]
    found = [one for one in spent(space.journal, scopes) if one.generator == name]
    return found[0] if found and found[0].seconds > 0 else None


def _is_of(manifest: Path, engine: Engine) -> bool:
    """Return whether a shard was answered by an engine of the same kind and model.

    The revision is left out: to know it may mean to ask a server or to convert a model.
    """
    try:
        told = store.read_json(manifest)["identity"]["engine"]
    except (DataError, KeyError, TypeError):
        return False
    model = getattr(engine, "model", None)
    return isinstance(told, dict) and (told.get("name"), told.get("model")) == (engine.name, model)


def _parse(option: str, texts: Sequence[str], known: Sequence[str]) -> dict[str, float]:
    rates: dict[str, float] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        try:
            rate = float(number)
        except ValueError:
            rate = 0.0
        if not 0 < rate < float("inf"):
            raise ConfigError(
                f"`{option}` must be a number above 0, or GENERATOR=NUMBER, but is {text!r} "
                f"instead. Example: {option} 900."
            )
        if name and name not in known:
            raise ConfigError(
                f"`{option}` must name a configured generator ({', '.join(known) or 'none'}), but "
                f"{name!r} is none. Correct the name."
            )
        rates[name] = rate
    return rates
