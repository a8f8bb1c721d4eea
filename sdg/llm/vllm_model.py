"""What the engines that run vLLM share: which model and adapter, and how they are loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, PrivateAttr

from sdg.errors import ConfigError, missing_package
from sdg.llm import Engine
from sdg.llm.model_revision import ResolvedModel, resolve_model
from sdg.vllm_process import VLLM_LOCK, has_amx, is_cpu_build

# What vLLM 0.32 takes as the largest rank.
_LORA_RANKS: Final = (1, 8, 16, 32, 64, 128, 256, 320, 512)


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter on this disk.

    Attributes:
        folder: Its files.
        rank: Of its matrices.
        revision: What pins them.
    """

    folder: str
    rank: int
    revision: str


class VllmModel(Engine):
    """A model that vLLM loads on this machine.

    Attributes:
        model: "packaged:<name>", a folder, or a hub name.
        model_revision: See `resolve_model`.
        adapter: A LoRA adapter that every request goes through: a folder or a hub name.
        adapter_revision: As `model_revision`, of the adapter.
        dtype: Type of weights and activations. "auto" is bfloat16, but float32 on a CPU without
            AMX instructions: there it is faster (measured with the packaged model: 1.25 times when
            writing, 1.4 times when scoring), where with AMX it is 3.5 times slower. What was taken
            is part of the identity.
        max_model_len: Tokens of prompt and reply together; a request that cannot fit with its
            whole `max_tokens` is the failure "too_long".
        max_num_seqs: Sequences computed together; speed only, like everything below.
        block_size: Tokens per cache block; None: 32 on a CPU (few-shot prompts are shared from
            there), vLLM's choice on a GPU.
        memory_share: Share of the device's memory that vLLM may take; None: 0.3 of the RAM on a
            CPU, 0.9 on a GPU.
        enforce_eager: Skip compilation; None: yes on a CPU (it takes a minute there).
        tensor_parallel_size: GPUs that share the model.
    """

    model: str
    model_revision: str | None = None
    adapter: str | None = None
    adapter_revision: str | None = None
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    max_model_len: int = Field(default=2048, ge=2)
    max_num_seqs: int = Field(default=256, ge=1)
    block_size: int | None = Field(default=None, ge=1)
    memory_share: float | None = Field(default=None, gt=0, le=1)
    enforce_eager: bool | None = None
    tensor_parallel_size: int = Field(default=1, ge=1)

    _resolved: ResolvedModel | None = PrivateAttr(default=None)
    _adapter: Adapter | None = PrivateAttr(default=None)

    def identity(self) -> dict[str, Any]:
        """Return model, adapter, their revisions, dtype and length; the rest changes speed only."""
        identity = {
            "name": self.name,
            "version": self.version,
            "model": self.model,
            "revision": self.revision(),
            "dtype": self._dtype(),
            "max_model_len": self.max_model_len,
        }
        adapter = self._resolve_adapter()
        return identity if adapter is None else {**identity, "adapter": adapter.revision}

    def revision(self) -> str:
        """Return the hash of a packaged model or folder, or the hub commit; starts no model.

        With an adapter, its revision follows after a "+".
        """
        adapter = self._resolve_adapter()
        own = self._resolve().revision
        return own if adapter is None else f"{own}+{adapter.revision}"

    def _on_cpu(self) -> bool:
        return is_cpu_build()

    def _dtype(self) -> str:
        if self.dtype != "auto":
            return self.dtype
        return "float32" if self._on_cpu() and not has_amx() else "bfloat16"

    def _resolve(self) -> ResolvedModel:
        with VLLM_LOCK:
            if self._resolved is None:
                self._resolved = resolve_model(self.model, self.model_revision)
            return self._resolved

    def _resolve_adapter(self) -> Adapter | None:
        with VLLM_LOCK:
            if self._adapter is None and self.adapter is not None:
                self._adapter = _find_adapter(self.adapter, self.adapter_revision)
            return self._adapter

    def _load_settings(self) -> dict[str, Any]:
        """Return vLLM's engine arguments beside the model."""
        on_cpu = self._on_cpu()
        settings: dict[str, Any] = {
            "dtype": self._dtype(),
            "max_model_len": self.max_model_len,
            "max_num_seqs": self.max_num_seqs,
            "gpu_memory_utilization": self.memory_share or (0.3 if on_cpu else 0.9),
            "enforce_eager": on_cpu if self.enforce_eager is None else self.enforce_eager,
            "tensor_parallel_size": self.tensor_parallel_size,
        }
        if self.block_size is not None or on_cpu:
            settings["block_size"] = self.block_size or 32
        adapter = self._resolve_adapter()
        if adapter is not None:
            rank = next((rank for rank in _LORA_RANKS if rank >= adapter.rank), adapter.rank)
            settings |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": rank}
        return settings


def _find_adapter(adapter: str, revision: str | None) -> Adapter:
    found = resolve_model(adapter, revision)
    folder = Path(found.source)
    if found.commit is not None:
        try:
            from huggingface_hub import snapshot_download
        except ImportError as error:
            raise missing_package("huggingface_hub", "cpu", "An adapter of the hub") from error
        folder = Path(snapshot_download(adapter, revision=found.commit))
    try:
        rank = int(json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["r"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            "`adapter` must be a LoRA adapter with a file adapter_config.json that names its rank "
            f"`r`, but {adapter!r} gave: {error}. Correct the path, or save it again with PEFT."
        ) from error
    return Adapter(str(folder), rank, found.revision)
