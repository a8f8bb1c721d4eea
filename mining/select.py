"""Which of the surviving candidates become the negatives of a query."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from sdg.ids import seed_for
from sdg.part import Part


class SelectionConfig(Part):
    """How negatives are chosen.

    Attributes:
        strategy: "top": the hardest. "sampled": drawn from the `sample_from` hardest, by a softmax
            over their scores (NV-Retriever: 4 of the top 10).
        sample_from: Survivors that are drawn from.
        temperature: Of the softmax, in units of cosine; own.
    """

    strategy: Literal["top", "sampled"] = "top"
    sample_from: int = Field(default=10, ge=1)
    temperature: float = Field(default=1.0, gt=0)

    def survivors_needed(self, num_negatives: int) -> int:
        """Return how many survivors a query needs for the full choice."""
        return num_negatives if self.strategy == "top" else max(num_negatives, self.sample_from)


def select(
    scores: npt.NDArray[np.float32],
    num_negatives: int,
    config: SelectionConfig,
    seed: int,
    row_id: str,
) -> npt.NDArray[np.int64]:
    """Return the places of the chosen survivors, ascending, so hardest first.

    Args:
        scores: (S,) scores of the survivors, descending.
        num_negatives: At most this many.
        config: Strategy.
        seed: The run's seed.
        row_id: The query's id; the draw depends on nothing else.
    """
    if config.strategy == "top" or len(scores) <= num_negatives:
        return np.arange(min(num_negatives, len(scores)))
    pool = scores[: max(config.sample_from, num_negatives)].astype(np.float64)
    generator = np.random.Generator(np.random.PCG64(seed_for(seed, "negatives", row_id)))
    # Gumbel-top-k draws without replacement from the softmax.
    keys = pool / config.temperature + generator.gumbel(size=len(pool))
    return np.sort(np.argsort(-keys, kind="stable")[:num_negatives])
