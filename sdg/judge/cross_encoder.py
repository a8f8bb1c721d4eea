"""A cross-encoder of sentence-transformers as a judge, from a folder or from the hub."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, Literal

from pydantic import Field, PrivateAttr

from sdg.errors import BackendError
from sdg.judge import JUDGES
from sdg.judge.scoring import ScoringJudge
from sdg.sentence_transformers_models import are_longer, load_model, revision_of


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
            self._revision = revision_of(self, lambda: self._load().config)
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

    def are_cut(self, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        """Return whether the tokens of each pair exceed what the model reads."""
        model = self._load()
        return are_longer(model.tokenizer, [list(pair) for pair in pairs], model.max_seq_length)

    def _load(self) -> Any:  # noqa: ANN401 - the library is imported on demand
        with self._lock:
            if self._loaded is None:
                self._loaded = load_model("CrossEncoder", self, max_length=self.max_length)
            return self._loaded
