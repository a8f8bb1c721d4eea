"""Any embedding model that vLLM pools, in this process: the fast one on a GPU, and on a CPU too."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, PrivateAttr

from mining.encoders import ENCODERS, Encoder, Floats, Side, prompt_of, shorten
from sdg.errors import BackendError, ConfigError, missing_package
from sdg.model_content import folder_digest, hub_commit
from sdg.vllm_process import (
    VLLM_LOCK,
    is_cpu_build,
    set_process_defaults,
    shield_loaded_libraries,
)

# Outputs of vLLM are lists of Python numbers: so many texts are held in that form at a time.
_TEXTS = 1024
_SPEED_ONLY = {"memory_share", "max_num_seqs", "enforce_eager", "tensor_parallel_size"}


@ENCODERS.register("vllm_pooling")
class VllmPooling(Encoder):
    """A model of vLLM's `runner="pooling"`.

    Texts are prompted and cut as by the encoder `sentence_transformers`, and in float32 the vectors
    equal its vectors. They depend in their last bits on batch and device; the vector store keeps
    the first ones it got.

    Attributes:
        model: Name on the hub, or a folder.
        model_revision: Commit, tag or branch on the hub; None takes the newest and records it.
        query_prompt: Put before every query; None: the model's own query prompt, if it has one.
        document_prompt: Put before every document; None: the model's own document prompt.
        max_seq_length: Tokens read of a text; None: the model's own limit.
        truncate_dimension: Keep only so many numbers of each vector, for models trained for it
            (Matryoshka); see `mining.encoders.shorten`.
        dtype: Of weights and activations; vectors are float32 always. bfloat16 embeds four times
            as many texts on a CPU with AMX, with cosines of 0.9999 to those of float32 (MiniLM).
        max_num_seqs: Texts computed together; speed only, like everything below.
        memory_share: Share of the device's memory that vLLM may take; None: 0.3 of the RAM on a
            CPU, 0.5 on a GPU (own: the index needs room beside it).
        enforce_eager: Skip compilation; None: yes on a CPU (it takes a minute there).
        tensor_parallel_size: GPUs that share the model.
        trust_remote_code: Run Python code that comes with the model. Off: it is not ours.
    """

    model: str
    model_revision: str | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    max_seq_length: int | None = Field(default=None, ge=8)
    truncate_dimension: int | None = Field(default=None, ge=1)
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    max_num_seqs: int = Field(default=256, ge=1)
    memory_share: float | None = Field(default=None, gt=0, le=1)
    enforce_eager: bool | None = None
    tensor_parallel_size: int = Field(default=1, ge=1)
    trust_remote_code: bool = False

    _llm: Any = PrivateAttr(default=None)
    _prompts: dict[Side, str] = PrivateAttr(default_factory=dict)
    _revision: str | None = PrivateAttr(default=None)
    _dimension: int | None = PrivateAttr(default=None)

    def identity(self) -> dict[str, Any]:
        """Return what decides the vectors up to rounding: not what changes speed only."""
        return {k: v for k, v in super().identity().items() if k not in _SPEED_ONLY}

    def revision(self) -> str:
        """Return the digest of a folder's files, or the hub commit; starts no model.

        Raises:
            ConfigError: If `model` is neither a folder nor a possible name on the hub.
            BackendError: If the hub does not tell the commit.
        """
        if self._revision is None:
            self._revision = self._pin()
        return self._revision

    @property
    def dimension(self) -> int:
        """Length of every vector; starts the model."""
        if self._dimension is None:
            self._dimension = self.encode(["a"], "document").shape[1]
        return self._dimension

    def encode(self, texts: Sequence[str], side: Side) -> Floats:
        """Return (N, D) unit vectors; zero where the tokenizer finds nothing in prompt and text."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        with VLLM_LOCK:
            parts = [
                self._embed(self._tokens(texts[start : start + _TEXTS], side, cut=True))
                for start in range(0, len(texts), _TEXTS)
            ]
        return shorten(np.concatenate(parts), self.truncate_dimension)

    def is_truncated(self, texts: Sequence[str], side: Side) -> npt.NDArray[np.bool_]:
        """Return (N,) bool: True where prompt and text exceed the model's token limit."""
        if not texts:
            return np.zeros(0, bool)
        with VLLM_LOCK:
            limit = self._limit()
            return np.array([len(t) > limit for t in self._tokens(texts, side, cut=False)], bool)

    def close(self) -> None:
        """Free the model; the next use starts it again."""
        with VLLM_LOCK:
            llm, self._llm = self._llm, None
            if llm is not None:
                llm.llm_engine.engine_core.shutdown()
                del llm
                gc.collect()

    def _pin(self) -> str:
        folder = Path(self.model).expanduser()
        if folder.is_dir():
            return folder_digest(folder)
        if self.model.startswith((".", "/", "~")) or self.model.count("/") != 1:
            raise ConfigError(
                "`model` must be an existing folder, or a hub name of the form 'owner/name', but "
                f"is {self.model!r} instead. Correct the name or the path."
            )
        return hub_commit(self.model, self.model_revision or "main")

    def _limit(self) -> int:
        return int(self._start().model_config.max_model_len)

    def _tokens(self, texts: Sequence[str], side: Side, *, cut: bool) -> list[list[int]]:
        """Return the token ids of prompts and texts, at most `_limit()` of each if `cut`."""
        llm = self._start()
        prompt = self._prompts[side]
        if (llm.model_config.encoder_config or {}).get("do_lower_case"):
            texts = [text.lower() for text in texts]
        options = {"truncation": True, "max_length": self._limit()} if cut else {}
        tokenizer = llm.get_tokenizer()
        encoded = tokenizer([prompt + text for text in texts], verbose=False, **options)
        ids: list[list[int]] = encoded["input_ids"]
        return ids

    def _embed(self, tokens: list[list[int]]) -> Floats:
        from vllm.exceptions import VLLMError

        given = [place for place, ids in enumerate(tokens) if ids]
        prompts = [{"prompt_token_ids": tokens[place]} for place in given]
        try:
            outputs = self._start().embed(prompts, use_tqdm=False) if prompts else []
        except (VLLMError, RuntimeError, ValueError, OSError) as error:
            raise BackendError(
                f"vLLM must embed {len(prompts)} texts, but stopped with: {error}. Start the "
                "command again: every vector before this batch is kept.",
                retryable=True,
            ) from error
        rows = np.array([output.outputs.embedding for output in outputs], np.float32)
        vectors = np.zeros((len(tokens), rows.shape[1] if given else self.dimension), np.float32)
        vectors[given] = _unit(rows)
        return vectors

    def _start(self) -> Any:  # noqa: ANN401 - vLLM is imported on demand
        with VLLM_LOCK:
            if self._llm is None:
                set_process_defaults(os.environ)
                folder = Path(self.model).expanduser()
                is_folder = folder.is_dir()
                if is_folder:
                    os.environ.setdefault("HF_HUB_OFFLINE", "1")
                source = str(folder) if is_folder else self.model
                commit = None if is_folder else self.revision()
                self._llm = self._load(source, commit)
                self._prompts = self._find_prompts(source, commit)
            return self._llm

    def _load(self, source: str, commit: str | None) -> Any:  # noqa: ANN401 - vLLM's
        try:
            from vllm import LLM
        except ImportError as error:
            name = str(error.name or "vllm")
            raise missing_package(name, "cpu", "The encoder `vllm_pooling`") from error
        on_cpu = is_cpu_build()
        shield_loaded_libraries()
        try:
            return LLM(
                source,
                runner="pooling",
                revision=commit,
                dtype=self.dtype,
                max_model_len=self.max_seq_length,
                max_num_seqs=self.max_num_seqs,
                gpu_memory_utilization=self.memory_share or (0.3 if on_cpu else 0.5),
                enforce_eager=on_cpu if self.enforce_eager is None else self.enforce_eager,
                tensor_parallel_size=self.tensor_parallel_size,
                trust_remote_code=self.trust_remote_code,
                use_tqdm_on_load=False,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise BackendError(
                f"vLLM must be able to pool {self.model!r}, but it says: {error}. Check `model`, "
                "`dtype`, `max_seq_length` and `memory_share`, and that memory is free."
            ) from error

    def _find_prompts(self, source: str, commit: str | None) -> dict[Side, str]:
        """Return both prompts: those configured, else those that the model brings."""
        from vllm.transformers_utils.repo_utils import get_hf_file_to_dict

        name = "config_sentence_transformers.json"
        own = (get_hf_file_to_dict(name, source, commit) or {}).get("prompts") or {}
        query, document = self.query_prompt, self.document_prompt
        return {
            "query": prompt_of(own, "query") if query is None else query,
            "document": prompt_of(own, "document") if document is None else document,
        }


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True) if len(vectors) else vectors
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
