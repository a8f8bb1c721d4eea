"""A draw from the hardest survivors in which all are equally likely."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mining.draws import seeds_of, uniforms
from mining.select import STRATEGIES, Strategy, Survivors


@STRATEGIES.register("uniform")
class Uniform(Strategy):
    """Draw without replacement from the `sample_from` hardest, each with the same chance.

    KaLM and BGE draw so from a window of ranks (50 to 100, 10 to 210): the rule `rank_window` makes
    the window, `sample_from` must be at least its width.
    """

    def sort_keys(
        self, survivors: Survivors, num_negatives: int, seed: int
    ) -> npt.NDArray[np.float64]:
        """Return uniform keys."""
        seeds = seeds_of(seed, "negatives", survivors.query_ids)
        keys = uniforms(seeds, survivors.rows.shape[1])
        return np.where(self.outside_pool(survivors, num_negatives), np.inf, keys)
