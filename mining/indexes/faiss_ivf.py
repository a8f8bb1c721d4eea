"""Inverted lists: the corpus in clusters, of which a query looks into the nearest."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field

from mining.indexes import INDEXES
from mining.indexes.faiss_built import CODE_NAMES, FaissBuilt
from mining.indexes.faiss_library import load_faiss
from mining.search import Floats

# FAISS warns when a cluster has fewer vectors to be found from.
_TRAINING_PER_LIST = 39
# From so many lists on, FAISS's guidelines find the nearest ones by a graph.
_MANY_LISTS = 65_536


@INDEXES.register("faiss_ivf")
class FaissIvf(FaissBuilt):
    """FAISS's IVF: worth it beyond ten million documents; below, exact search is fast enough.

    Attributes:
        lists: Clusters. None: 4 x sqrt(N), the low end of FAISS's guidelines below a million; above
            it they name 65,536 (10 M) and 262,144 (100 M), which take a GPU to train in time.
        probes: Clusters looked into per query. With 64 of 4,000, recall@100 was 0.961 on a million
            documents; what it is for a run is in its manifest.

    Reference: https://github.com/facebookresearch/faiss/wiki/Guidelines-to-choose-an-index
    """

    lists: int | None = Field(default=None, ge=1)
    probes: int = Field(default=64, ge=1)

    def description(self, num_documents: int) -> str:
        """Return the string for FAISS's index factory."""
        lists = self._num_lists(num_documents)
        graph = "_HNSW32" if lists >= _MANY_LISTS else ""
        return f"IVF{lists}{graph},{CODE_NAMES[self.codes]}"

    def num_training(self, num_documents: int) -> int:
        """Return FAISS's minimum per list."""
        return _TRAINING_PER_LIST * self._num_lists(num_documents)

    def parameters(self, depth: int, selector: Any) -> Any:  # noqa: ANN401 - faiss has no types
        """Return how many lists are looked into, and for which documents."""
        del depth
        return load_faiss().SearchParametersIVF(nprobe=self.probes, sel=selector)

    def build_settings(self) -> dict[str, Any]:
        """Return JSON of the settings that decide the file."""
        return {"lists": self.lists}

    def add(self, index: Any, block: Floats) -> None:  # noqa: ANN401 - faiss has no types
        """Add the next documents."""
        index.add(block)

    def _num_lists(self, num_documents: int) -> int:
        wanted = self.lists or int(4 * math.sqrt(num_documents))
        return max(1, min(wanted, num_documents // _TRAINING_PER_LIST))
