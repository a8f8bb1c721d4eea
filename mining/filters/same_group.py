"""Documents that belong together are no negatives of each other."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy.typing as npt

from mining.corpus import CorpusView
from mining.filters import FILTERS, CodeRule


@FILTERS.register("same_group")
class SameGroup(CodeRule):
    """Drop documents of a positive's group: near duplicates, chunks of one parent, one entity."""

    reason: ClassVar[str] = "same_group_as_positive"

    def codes(self, corpus: CorpusView) -> npt.NDArray[Any]:
        """Return the group of every document, -1 where it has none."""
        return corpus.group
