"""A query must not be toxic, as a classifier of the user's choice sees it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PrivateAttr

from sdg.errors import BackendError, ConfigError, missing_package
from sdg.gates import GATES, Evidence, Gate, Objection, Verdict
from sdg.model_content import folder_digest, hub_commit

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

# The last bits of a score depend on what else is in the batch; nobody sees or compares them.
_DECIMALS = 4
# Tokenizers without a limit state a huge one.
_NO_LIMIT = 1_000_000
_USUAL_LIMIT = 512
# Positions that some models (RoBERTa's kind) keep for themselves.
_RESERVED = 2
_SPEED = {"device", "batch_size", "model", "model_revision"}


@GATES.register("toxicity")
class Toxicity(Gate):
    """Stop queries that a text-classification model of transformers gives a toxic label.

    No model is packaged and none is recommended: classifiers differ in languages, in what they call
    toxic, and in whom they wrong. Read what yours rejects (`pairmill show --reason toxic`).

    Documents that an LLM wrote are judged like queries; those of the corpus are not.

    Weights are read as safetensors only, and no code that comes with a model is run. A query longer
    than the model reads is judged in pieces, and its highest score counts.

    Attributes:
        model: A folder, or a name on the hub.
        model_revision: Commit, tag or branch on the hub; a full commit is not asked for.
        labels: Labels of the model that count, as its `id2label` spells them. With several the
            highest score counts.
        threshold: A query scores at least this in [0, 1] to stop; 0.5 is own. Probabilities of
            labels that exclude each other come from a softmax, of others from a sigmoid.
        dtype: Of the weights.
        device: As PyTorch writes it: "cpu", "cuda"; asking for one that is not there is an error.
        batch_size: Pieces per forward pass.
    """

    reads_written: ClassVar[bool] = True

    model: str = Field(min_length=1)
    model_revision: str = "main"
    labels: tuple[str, ...] = Field(min_length=1)
    threshold: float = Field(default=0.5, ge=0, le=1)
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    device: str = "cpu"
    batch_size: int = Field(default=32, ge=1)

    _loaded: Any = PrivateAttr(default=None)
    _revision: str | None = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=Lock)

    def identity(self) -> dict[str, Any]:
        """Return what decides the scores: the weights in place of where they lie.

        Raises:
            BackendError: If the hub does not tell a model's commit.
        """
        own = {k: v for k, v in super().identity().items() if k not in _SPEED}
        return {**own, "revision": self.revision()}

    def revision(self) -> str:
        """Return the digest of a folder's files, or the commit of a hub model.

        Raises:
            BackendError: If the hub does not tell the commit.
        """
        if self._revision is None:
            folder = Path(self.model)
            if folder.is_dir():
                self._revision = folder_digest(folder)
            else:
                self._revision = f"{self.model}@{hub_commit(self.model, self.model_revision)}"
        return self._revision

    def judge(self, queries: pa.Table, evidence: Evidence) -> Verdict:  # noqa: ARG002
        """Return which queries are toxic; the detail is the score."""
        scores = self.scores(queries["query"].to_pylist())
        return Verdict.of(Objection(scores >= self.threshold, "toxic", scores))

    def objections(self, written: pa.Table) -> dict[str, tuple[str, str]]:
        """Return which documents are toxic; the detail is the score."""
        scores = self.scores(written["text"].to_pylist()) if written.num_rows else np.zeros(0)
        ids = written["doc_id"].to_pylist()
        toxic = np.flatnonzero(scores >= self.threshold)
        return {ids[at]: ("toxic", f"{scores[at]:.3f}") for at in toxic}

    def scores(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return (N,) the highest probability of one of `labels`, in [0, 1], four decimals.

        Raises:
            BackendError: If package, model or device is missing.
            ConfigError: If the model has no such label.
        """
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            tokenizer, network = self._loaded
            columns = self._columns(network.config)
            pieces = tokenizer(
                list(texts),
                truncation=True,
                max_length=_limit(tokenizer, network.config),
                return_overflowing_tokens=True,
            )
            owners = np.array(pieces.pop("overflow_to_sample_mapping"), dtype=np.int64)
            scores = np.zeros(len(texts))
            for first in range(0, len(owners), self.batch_size):
                chosen = slice(first, first + self.batch_size)
                batch = {name: values[chosen] for name, values in pieces.items()}
                found = _probabilities(tokenizer, network, batch)[:, columns].max(axis=1)
                np.maximum.at(scores, owners[chosen], found)
        return scores.round(_DECIMALS)

    def close(self) -> None:
        """Free the model; the next use loads it again."""
        self._loaded = None

    def _columns(self, config: Any) -> list[int]:  # noqa: ANN401 - transformers' configuration
        places = {str(label): int(place) for place, label in config.id2label.items()}
        unknown = sorted(set(self.labels) - set(places))
        if unknown:
            raise ConfigError(
                f"`labels` of the gate toxicity must be labels of {self.model!r}, but {unknown} "
                f"are none (it has: {', '.join(places)}). Correct the name."
            )
        return [places[label] for label in self.labels]

    def _load(self) -> tuple[Any, Any]:
        try:
            import torch
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
        except ImportError as error:
            raise missing_package("transformers", "cpu", "The gate toxicity") from error
        if self.device.startswith("cuda") and not torch.cuda.is_available():
            raise BackendError(
                f"`device` must be one of this machine, but is {self.device!r} and PyTorch sees no "
                "CUDA device. Set `device: cpu`, or run where the GPU is."
            )
        pinned = {"revision": self.model_revision, "trust_remote_code": False}
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.model, **pinned)
            network = AutoModelForSequenceClassification.from_pretrained(
                self.model, use_safetensors=True, dtype=getattr(torch, self.dtype), **pinned
            )
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise BackendError(
                f"`model` of the gate toxicity must be a text-classification model with "
                f"safetensors weights, but loading {self.model!r} gave: {error}. Check the name, "
                "the folder, and access to the hub."
            ) from error
        return tokenizer, network.to(self.device).eval()


def _limit(tokenizer: Any, config: Any) -> int:  # noqa: ANN401 - transformers' objects
    """Return how many tokens the model reads at once."""
    positions = getattr(config, "max_position_embeddings", None)
    limits = [int(positions) - _RESERVED] if positions else []
    if tokenizer.model_max_length < _NO_LIMIT:
        limits.append(int(tokenizer.model_max_length))
    return min(limits, default=_USUAL_LIMIT)


def _probabilities(
    tokenizer: Any,  # noqa: ANN401 - transformers' objects
    network: Any,  # noqa: ANN401
    batch: dict[str, Any],
) -> npt.NDArray[np.float64]:
    """Return (B, labels) probabilities."""
    import torch

    padded = tokenizer.pad(batch, return_tensors="pt").to(network.device)
    with torch.inference_mode():
        logits = network(**padded).logits.to(torch.float64)
    is_exclusive = (
        logits.shape[1] > 1 and network.config.problem_type != "multi_label_classification"
    )
    shares = logits.softmax(dim=1) if is_exclusive else logits.sigmoid()
    found: npt.NDArray[np.float64] = shares.cpu().numpy()
    return found
