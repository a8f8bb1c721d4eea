"""`vllm serve` of our own: started when it is first asked, ended with the run.

For a GPU box, whose vLLM lives in an environment of its own: name that environment's interpreter
in `python`. Servers that somebody else runs are the engine `openai`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar, Final

from pydantic import Field, PrivateAttr

from sdg.llm import ENGINES, ChatRequest, Reply, Score, ScoreRequest
from sdg.llm.local_server import free_port, running
from sdg.llm.openai_server import OpenAIServer
from sdg.llm.vllm_model import VllmModel
from sdg.vllm_process import VLLM_LOCK, is_cpu_build, set_process_defaults

_SERVED: Final = "pairmill"


@ENGINES.register("vllm_server")
class VllmServer(VllmModel):
    """vLLM's OpenAI server in a process group of its own, on this machine.

    Attributes:
        python: Interpreter that has vLLM; None: this one.
        extra_arguments: Further arguments of the server (`--reasoning-parser`, ...). They may
            decide replies, so they are part of the identity.
        start_seconds: Longest time until the server is up.
        max_in_flight: Requests under way at the same time; speed only.
        timeout_seconds: As in the engine `openai`.
    """

    holds_model: ClassVar[bool] = True

    python: str | None = None
    extra_arguments: tuple[str, ...] = ()
    start_seconds: float = Field(default=900.0, gt=0)
    max_in_flight: int = Field(default=256, ge=1, le=4096)
    timeout_seconds: float = Field(default=600.0, gt=0)

    _running: ExitStack | None = PrivateAttr(default=None)
    _client: OpenAIServer | None = PrivateAttr(default=None)

    def identity(self) -> dict[str, Any]:
        """Return what decides replies: model, adapter, dtype, length and further arguments."""
        return {**super().identity(), "extra_arguments": list(self.extra_arguments)}

    def complete(self, requests: Sequence[ChatRequest]) -> Iterator[Reply]:
        """Yield each reply as it arrives."""
        for group in self.complete_in_groups(requests):
            yield from group

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield each score as it arrives."""
        for group in self.score_in_groups(requests):
            yield from group

    def complete_in_groups(self, requests: Sequence[ChatRequest]) -> Iterator[list[Reply]]:
        """Yield the replies that arrived since the last group."""
        if requests:
            yield from self._start().complete_in_groups(requests)

    def score_in_groups(self, requests: Sequence[ScoreRequest]) -> Iterator[list[Score]]:
        """Yield the scores that arrived since the last group."""
        if requests:
            yield from self._start().score_in_groups(requests)

    def close(self) -> None:
        """End the server and its workers; the next request starts it again."""
        with VLLM_LOCK:
            started, self._running, self._client = self._running, None, None
        if started is not None:
            started.close()

    def _start(self) -> OpenAIServer:
        with VLLM_LOCK:
            if self._client is None:
                with ExitStack() as stack:
                    url = stack.enter_context(self.serving())
                    client = OpenAIServer(
                        base_urls=(f"{url}/v1",),
                        model=_SERVED,
                        model_revision=self.revision(),
                        max_in_flight=self.max_in_flight,
                        timeout_seconds=self.timeout_seconds,
                    )
                    stack.callback(client.close)
                    self._client, self._running = client, stack.pop_all()
            return self._client

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Run the server in the block and yield its URL, without version.

        Raises:
            BackendError: If it does not start; with what it said.
        """
        environment = dict(os.environ)
        set_process_defaults(environment)
        if self._on_cpu():
            # The server's own processes are not ours to merge; binding leaves it one core.
            environment.pop("VLLM_ENABLE_V1_MULTIPROCESSING", None)
            environment.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        if self._resolve().commit is None:
            environment.setdefault("HF_HUB_OFFLINE", "1")
        port = free_port()
        with running(self.command(port), port, environment, self.start_seconds) as url:
            yield url

    def command(self, port: int) -> list[str]:
        """Return the command that starts the server on `port` of this machine."""
        model, adapter = self._resolve(), self._resolve_adapter()
        # The command `vllm` of the CPU build does not start; the module does in every build.
        command = [self.python or sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
        command += ["--model", model.source, "--host", "127.0.0.1", "--port", str(port)]
        if model.commit is not None:
            command += ["--revision", model.commit]
        base = _SERVED if adapter is None else f"{_SERVED}-base"
        command += ["--served-model-name", base]
        if adapter is not None:
            command += ["--lora-modules", f"{_SERVED}={adapter.folder}"]
        for name, value in self._load_settings().items():
            flag = f"--{name.replace('_', '-')}"
            if value is True:
                command.append(flag)
            elif value is not False:
                command += [flag, str(value)]
        return [*command, "--disable-uvicorn-access-log", *self.extra_arguments]

    def _on_cpu(self) -> bool:
        return self.python is None and is_cpu_build()
