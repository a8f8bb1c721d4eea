"""Any model that sentence-transformers loads, from a folder or from the hub."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, PrivateAttr

from mining.encoders import ENCODERS, Encoder, Floats, Side, prompt_of, shorten
from sdg.sentence_transformers_models import are_longer, load_model, revision_of


@ENCODERS.register("sentence_transformers")
class SentenceTransformers(Encoder):
    """A sentence-transformers model.

    Vectors depend in their last bits on batch and device; the vector store keeps the first ones
    it got.

    Attributes:
        model: Name on the hub, or a folder.
        model_revision: Commit, tag or branch on the hub; None takes the newest and records it.
        query_prompt: Put before every query; None: the model's own query prompt, if it has one.
        document_prompt: Put before every document; None: the model's own document prompt.
        max_seq_length: Tokens read of a text; None: the model's own limit.
        truncate_dimension: Keep only so many numbers of each vector, for models trained for it
            (Matryoshka); see `mining.encoders.shorten`.
        dtype: Of the weights while computing; vectors are float32 always.
        device: "cpu", "cuda", "cuda:1" ...; asking for one that is not there is an error.
        batch_size: Texts per forward pass.
        trust_remote_code: Run Python code that comes with the model. Off: it is not ours.
    """

    model: str
    model_revision: str | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    max_seq_length: int | None = Field(default=None, ge=8)
    truncate_dimension: int | None = Field(default=None, ge=1)
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    device: str = "cpu"
    batch_size: int = Field(default=32, ge=1)
    trust_remote_code: bool = False
    _loaded: Any = PrivateAttr(default=None)
    _revision: str | None = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=Lock)

    def identity(self) -> dict[str, Any]:
        """Return what decides the vectors up to rounding: not device and batch size."""
        return {k: v for k, v in super().identity().items() if k not in {"device", "batch_size"}}

    def revision(self) -> str:
        """Return the commit of a hub model, or the hash of a folder's files."""
        if self._revision is None:
            self._revision = revision_of(self, self._model_config)
        return self._revision

    @property
    def dimension(self) -> int:
        """Length of every vector; loads the model."""
        whole = int(self._load().get_embedding_dimension())
        return min(self.truncate_dimension or whole, whole)

    def encode(self, texts: Sequence[str], side: Side) -> Floats:
        """Return (N, D) unit vectors."""
        model = self._load()
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        encode = model.encode_query if side == "query" else model.encode_document
        vectors = encode(
            list(texts),
            prompt=self._prompt(model, side),
            batch_size=self.batch_size,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return shorten(np.ascontiguousarray(vectors, np.float32), self.truncate_dimension)

    def is_truncated(self, texts: Sequence[str], side: Side) -> npt.NDArray[np.bool_]:
        """Return (N,) bool: True where prompt and text exceed the model's token limit."""
        model = self._load()
        limit = model.max_seq_length
        if limit is None or not texts:
            return np.zeros(len(texts), bool)
        prompt = self._prompt(model, side)
        return np.array(are_longer(model.tokenizer, [prompt + t for t in texts], limit), bool)

    def _prompt(self, model: Any, side: Side) -> str:  # noqa: ANN401 - the library's
        given = self.query_prompt if side == "query" else self.document_prompt
        return prompt_of(model.prompts or {}, side) if given is None else given

    def _model_config(self) -> Any:  # noqa: ANN401 - the library's
        return getattr(self._load()[0].auto_model, "config", None)

    def _load(self) -> Any:  # noqa: ANN401 - the library is imported on demand
        with self._lock:
            if self._loaded is None:
                model = load_model("SentenceTransformer", self)
                if self.max_seq_length is not None:
                    model.max_seq_length = self.max_seq_length
                self._loaded = model
            return self._loaded
