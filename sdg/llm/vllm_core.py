"""Requests through a started vLLM: any number of threads, one step at a time.

Every thread that waits for answers computes the next step for all of them, so the requests of
several threads share vLLM's batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sdg.errors import BackendError
from sdg.llm import Reply, Score
from sdg.vllm_process import VLLM_LOCK

Answer = Reply | Score


@dataclass(slots=True)
class Job:
    """One request on its way into vLLM, and how its output or failure is told."""

    key: str
    tokens: list[int]
    parameters: Any
    read: Callable[[Any], Answer]
    fail: Callable[[str, str], Answer]


@dataclass(slots=True)
class Core:
    """A started vLLM, and the outputs that one thread's step finished for another thread.

    Attributes:
        llm: vLLM's `LLM`.
        tokenizer: Its tokenizer.
        adapter: vLLM's `LoRARequest` that every request goes through, or None.
        finished: Outputs by vLLM's id.
        submitted: Requests so far.
    """

    llm: Any
    tokenizer: Any
    adapter: Any = None
    finished: dict[str, Any] = field(default_factory=dict)
    submitted: int = 0

    def submit(self, job: Job) -> str:
        """Queue a job and return vLLM's id of it; ValueError if vLLM does not take it."""
        with VLLM_LOCK:
            self.submitted += 1
            name = f"r{self.submitted}"
            prompt = {"prompt_token_ids": job.tokens}
            self.llm.llm_engine.add_request(name, prompt, job.parameters, lora_request=self.adapter)
            return name

    def step(self, wanted: set[str]) -> list[Any]:
        """Return finished outputs among `wanted`, computing one step if there are none yet."""
        with VLLM_LOCK:
            if not wanted & self.finished.keys():
                for output in self.llm.llm_engine.step():
                    if output.finished:
                        self.finished[output.request_id] = output
            return [self.finished.pop(name) for name in sorted(wanted & self.finished.keys())]

    def unfinished(self) -> int:
        """Return how many sequences vLLM has yet to finish, those of other threads included."""
        with VLLM_LOCK:
            return int(self.llm.llm_engine.get_num_unfinished_requests())

    def drop(self, names: set[str]) -> None:
        """Forget requests that nobody waits for any more."""
        with VLLM_LOCK:
            running = sorted(names - self.finished.keys())
            if running:
                self.llm.llm_engine.abort_request(running)
            for name in names:
                self.finished.pop(name, None)


def run_jobs(core: Core, items: Iterable[Job | Answer], max_sequences: int) -> Iterator[list[Any]]:
    """Yield what `items` already are, and the answers of jobs: those of one step together.

    At most about `max_sequences` sequences wait in vLLM, so memory does not grow with the batch. A
    request whose last candidate is still written counts that one only: the others made room.
    """
    from vllm.exceptions import VLLMError

    running: dict[str, Job] = {}
    try:
        for item in items:
            if not isinstance(item, Job):
                yield [item]
                continue
            try:
                running[core.submit(item)] = item
            except (ValueError, VLLMError) as error:
                yield [item.fail("refused", str(error))]
            while core.unfinished() >= max_sequences:
                if answers := _finish_some(core, running):
                    yield answers
        while running:
            if answers := _finish_some(core, running):
                yield answers
    finally:
        core.drop(set(running))


def _finish_some(core: Core, running: dict[str, Job]) -> list[Answer]:
    try:
        outputs = core.step(set(running))
    except (RuntimeError, ValueError, OSError) as error:
        raise BackendError(
            f"vLLM must go on computing, but stopped with: {error}. Start the command again: "
            "every reply before this one is kept.",
            retryable=True,
        ) from error
    answers = []
    for output in outputs:
        job = running.pop(output.request_id)
        reasons = {part.finish_reason for part in output.outputs}
        if reasons <= {"stop", "length"}:
            answers.append(job.read(output))
        else:
            answers.append(
                job.fail("server_error", f"vLLM finished with {sorted(map(str, reasons))}.")
            )
    return answers
