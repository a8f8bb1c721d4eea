"""Chunks of one document are no negatives of each other."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy.typing as npt

from mining.corpus import CorpusView
from mining.filters import FILTERS, CodeRule


@FILTERS.register("same_parent")
class SameParent(CodeRule):
    """Drop chunks cut from the same document as a positive."""

    reason: ClassVar[str] = "same_parent_as_positive"

    def codes(self, corpus: CorpusView) -> npt.NDArray[Any]:
        """Return the parent of every document, -1 where it has none."""
        return corpus.parent
