"""A graph of neighbours that a query walks through."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from mining.indexes import INDEXES
from mining.indexes.faiss_built import CODE_NAMES, FaissBuilt
from mining.indexes.faiss_library import load_faiss
from mining.search import Floats

# Vectors that the one-byte codes take their ranges from.
_TRAINING = 100_000


@INDEXES.register("faiss_hnsw")
class FaissHnsw(FaissBuilt):
    """FAISS's HNSW: the fastest to ask, the slowest to build, and all of it in memory.

    Attributes:
        links: Per document; FAISS's guidelines: 4 to 64, the higher the more accurate and the more
            memory (8 bytes each).
        build_width: Candidates kept while a document is linked; 40 is FAISS's own.
        search_width: Candidates kept while a query walks (own); at least as many as are asked for.
        build_threads: More build faster, but the graph then differs from build to build.

    Reference: Malkov and Yashunin 2018, Efficient and robust approximate nearest neighbor search
    using Hierarchical Navigable Small World graphs, arXiv 1603.09320.
    """

    links: int = Field(default=32, ge=2, le=256)
    build_width: int = Field(default=40, ge=1)
    search_width: int = Field(default=128, ge=1)
    build_threads: int = Field(default=1, ge=1)

    def description(self, num_documents: int) -> str:
        """Return the string for FAISS's index factory."""
        del num_documents
        return f"HNSW{self.links},{CODE_NAMES[self.codes]}"

    def num_training(self, num_documents: int) -> int:
        """Return how many vectors decide the range of the codes."""
        return min(num_documents, _TRAINING)

    def parameters(self, depth: int, selector: Any) -> Any:  # noqa: ANN401 - faiss has no types
        """Return how wide the walk is, and which documents count."""
        width = max(self.search_width, depth)
        return load_faiss().SearchParametersHNSW(efSearch=width, sel=selector)

    def build_settings(self) -> dict[str, Any]:
        """Return JSON of the settings that decide the file."""
        return self.model_dump(mode="json", include={"links", "build_width", "build_threads"})

    def add(self, index: Any, block: Floats) -> None:  # noqa: ANN401 - faiss has no types
        """Add the next documents, in their order if one thread does it."""
        faiss = load_faiss()
        index.hnsw.efConstruction = self.build_width
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(self.build_threads)
        try:
            index.add(block)
        finally:
            faiss.omp_set_num_threads(threads)
