"""A cross-encoder of sentence-transformers as a judge, from a folder or from the hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from pydantic import Field, PrivateAttr

from sdg import store
from sdg.errors import BackendError, missing_package
from sdg.ids import fingerprint
from sdg.judge import JUDGES
from sdg.judge.scoring import ScoringJudge


@JUDGES.register("cross_encoder")
class CrossEncoderJudge(ScoringJudge):
    """Scores (query, document) pairs; flags what is too close to, or above, the positive.

    Scores depend in their last bits on batch and device; a finished shard keeps those it got.

    Attributes:
        model: Name on the hub, or a folder.
        model_revision: Commit, tag or branch on the hub; None takes the newest and records it.
        max_length: Tokens read of a pair; None: the model's own limit.
        dtype: Of the weights.
        device: "cpu", "cuda", "cuda:1" ...; asking for one that is not there is an error.
        batch_size: Pairs per forward pass.
        trust_remote_code: Run Python code that comes with the model. Off: it is not ours.
    """

    model: str
    model_revision: str | None = None
    max_length: int | None = Field(default=None, ge=8)
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    device: str = "cpu"
    batch_size: int = Field(default=32, ge=1)
    trust_remote_code: bool = False

    _loaded: Any = PrivateAttr(default=None)
    _revision: str | None = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=Lock)

    def identity(self) -> dict[str, Any]:
        """Return what decides the scores up to rounding: not device and batch size."""
        return {k: v for k, v in super().identity().items() if k not in {"device", "batch_size"}}

    def revision(self) -> str:
        """Return the commit of a hub model, or the hash of a folder's files.

        Raises:
            BackendError: If a hub model's commit is not known.
        """
        if self._revision is None:
            folder = Path(self.model)
            self._revision = _hash_folder(folder) if folder.is_dir() else self._commit()
        return self._revision

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return the model's score of every pair, after its own activation function.

        Raises:
            BackendError: If the model gives more than one number per pair.
        """
        model = self._load()
        found = model.predict(
            [list(pair) for pair in pairs],
            batch_size=self.batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        if found.ndim != 1:
            raise BackendError(
                f"`model` of the judge cross_encoder must give one score per pair, but "
                f"{self.model!r} gives {found.shape[1]}. Take a ranking model with one label."
            )
        return [float(score) for score in found]

    def _commit(self) -> str:
        commit = getattr(self._load().config, "_commit_hash", None) or self.model_revision
        if commit is None:
            raise BackendError(
                f"`model` must have a known commit, but {self.model!r} gives none. Name it with "
                "`model_revision`, or give a folder."
            )
        return str(commit)

    def _load(self) -> Any:  # noqa: ANN401 - the library is imported on demand
        with self._lock:
            if self._loaded is None:
                self._loaded = _load_model(self)
            return self._loaded


def _load_model(settings: CrossEncoderJudge) -> Any:  # noqa: ANN401
    try:
        import torch
        from sentence_transformers import CrossEncoder
    except ImportError as error:
        raise missing_package("sentence-transformers", "cpu", "This judge") from error
    if settings.device.startswith("cuda") and not torch.cuda.is_available():
        raise BackendError(
            f"`device` must be one of this machine, but is {settings.device!r} and PyTorch sees "
            "no CUDA device. Set `device: cpu`, or run where the GPU is."
        )
    try:
        return CrossEncoder(
            settings.model,
            revision=settings.model_revision,
            device=settings.device,
            max_length=settings.max_length,
            trust_remote_code=settings.trust_remote_code,
            model_kwargs={"dtype": getattr(torch, settings.dtype)},
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise BackendError(
            f"`model` must be a cross-encoder, but loading {settings.model!r} gave: {error}. "
            "Check the name, the folder, and access to the hub."
        ) from error


def _hash_folder(folder: Path) -> str:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return fingerprint([[p.relative_to(folder).as_posix(), store.sha256_of(p)] for p in files])
