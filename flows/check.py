"""Checking before a run: every model, server, encoder and store is asked one question.

All questions are asked, whatever the others say. One that makes no sense any more, because what it
needs has failed, is skipped. Nothing stays on disk, and no answer is kept.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from data_cards.escape import printable
from flows import resources
from flows.build import RUNS
from flows.checks import (
    DEFAULT_SECONDS,
    Question,
    Setup,
    encoders,
    generators,
    indexes,
    judges,
    output,
    personas,
    prompt_files,
    schedule,
    servers,
    sources,
)
from flows.config import RunConfig, load_config
from flows.progress import saying
from sdg.errors import BackendError, PairmillError

T = TypeVar("T")

Status = Literal["ok", "failed", "skipped"]


# Cheap ones first: what is wrong with a path is known before a model is loaded.
KINDS: Final[tuple[Callable[[Setup], Iterable[Question]], ...]] = (
    output.questions,
    schedule.questions,
    prompt_files.questions,
    personas.questions,
    sources.questions,
    servers.questions,
    indexes.questions,
    encoders.questions,
    generators.questions,
    judges.questions,
)


@dataclass(frozen=True, slots=True)
class Checked:
    """One question and what came of it.

    Attributes:
        kind: As in the question.
        name: As in the question.
        status: "ok", "failed" or "skipped".
        text: What was told; of a failure what must hold, what is, and the cure; of a skipped one
            why. On one line, safe for a terminal.
        seconds: Until then.
        exit_status: What the run itself would exit with; 0 unless "failed".
        figures: JSON for machines.
    """

    kind: str
    name: str
    status: Status
    text: str
    seconds: float
    exit_status: int = 0
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "kind": self.kind,
            "name": self.name,
            "status": self.status,
            "text": self.text,
            "seconds": round(self.seconds, 3),
            "figures": dict(self.figures),
        }


def check_run(
    config_path: Path,
    out: Path | None,
    overrides: Sequence[str],
    timeout_seconds: float | None = None,
    on_checked: Callable[[Checked], None] = lambda _: None,
) -> list[Checked]:
    """Return what came of every question about a configuration, in the order they were asked.

    Args:
        config_path: A YAML file, or the name of a preset.
        out: Where the data set would go; None for the same place as `pairmill build`.
        overrides: `a.b=c` settings.
        timeout_seconds: Longest wait for any answer; None leaves it to each engine's settings.
        on_checked: Called with each as soon as it is there.
    """
    started = time.monotonic()
    try:
        config = load_config(config_path, overrides)
    except PairmillError as error:
        failed = _failed("configuration", str(config_path), error, time.monotonic() - started)
        on_checked(failed)
        return [failed]
    return _check(config, Setup(config, out or RUNS / config.name, timeout_seconds), on_checked)


def exit_status(checked: Iterable[Checked]) -> int:
    """Return 0 if nothing failed; 2 if settings or input must change, else 3 (a backend failed)."""
    # What must be mended first comes first: a backend may be right once the settings are.
    return min((c.exit_status for c in checked if c.exit_status), default=0)


def _check(config: RunConfig, setup: Setup, on_checked: Callable[[Checked], None]) -> list[Checked]:
    done = [Checked("configuration", config.name, "ok", "every setting is valid", 0.0)]
    on_checked(done[0])
    try:
        questions = [question for kind in KINDS for question in kind(setup)]
        for number, question in enumerate(questions, 1):
            title = printable(f"[{number}/{len(questions)}] {question.title}")
            with saying(f"{title}: asking {question.asked} …"):
                done.append(_ask(question, done))
            on_checked(done[-1])
    finally:
        # A question that was given up may hold a model: closing it must not wait for ever either.
        _within(setup.timeout_seconds or DEFAULT_SECONDS, resources.release)
    return done


def _ask(question: Question, before: Sequence[Checked]) -> Checked:
    status = {f"{c.kind} {c.name}": c.status for c in before}
    if question.needs and not any(status.get(title) == "ok" for title in question.needs):
        needed = " or ".join(question.needs)
        text = printable(f"needs {needed}, which is not ok")
        return Checked(question.kind, question.name, "skipped", text, 0.0)
    started = time.monotonic()
    try:
        told = _within(question.seconds, question.ask)
    except PairmillError as error:
        return _failed(question.kind, question.name, error, time.monotonic() - started)
    return Checked(
        question.kind,
        question.name,
        "skipped" if told.is_skipped else "ok",
        printable(told.text),
        time.monotonic() - started,
        figures=told.figures,
    )


def _failed(kind: str, name: str, error: PairmillError, seconds: float) -> Checked:
    text = printable(str(error))
    return Checked(kind, name, "failed", text, seconds, error.exit_status)


def _within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` returns, or give up waiting for it.

    Raises:
        BackendError: If it takes longer, or raises what no caller should see: a fault in a library
            or in Pairmill, which must not hide the other questions.
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as error:  # noqa: BLE001 - whoever waits raises it
            result.set_exception(error)

    # A daemon, so that a call that never returns does not keep the process.
    threading.Thread(target=run, daemon=True).start()
    try:
        error = result.exception(seconds)
    except TimeoutError:
        raise BackendError(
            f"An answer must come within {seconds:g} s, but did not. Wait until what is asked is "
            "up and free, or give it more time with --timeout.",
            retryable=True,
        ) from None
    if error is None:
        return result.result()
    if isinstance(error, PairmillError) or not isinstance(error, Exception):
        raise error
    raise BackendError(
        f"An answer must come without a fault, but {type(error).__name__} was raised: {error}. "
        "Check the settings of what is asked; if they are right, report this as a bug."
    ) from error
