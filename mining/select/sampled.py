"""A draw from the hardest survivors in which harder ones are likelier."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from mining.draws import seeds_of, uniforms
from mining.select import STRATEGIES, Strategy, Survivors


@STRATEGIES.register("sampled")
class Sampled(Strategy):
    """Draw without replacement from the `sample_from` hardest, by a softmax over their scores.

    Reference: Moreira et al. 2024, NV-Retriever, arXiv 2407.15831: 4 of the top 10.
    """

    version: ClassVar[int] = 2

    def sort_keys(
        self, survivors: Survivors, num_negatives: int, seed: int
    ) -> npt.NDArray[np.float64]:
        """Return keys whose order is a draw without replacement (Gumbel top-k)."""
        seeds = seeds_of(seed, "negatives", survivors.query_ids)
        gumbel = -np.log(-np.log(uniforms(seeds, survivors.rows.shape[1])))
        keys = -(survivors.scores.astype(np.float64) / self.temperature + gumbel)
        return np.where(self.outside_pool(survivors, num_negatives), np.inf, keys)
