"""The hardest survivors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mining.select import STRATEGIES, Strategy, Survivors


@STRATEGIES.register("top")
class Top(Strategy):
    """Take the highest scores."""

    def survivors_needed(self, num_negatives: int) -> int:
        """Return `num_negatives`."""
        return num_negatives

    def sort_keys(
        self, survivors: Survivors, num_negatives: int, seed: int
    ) -> npt.NDArray[np.float64]:
        """Return equal keys: the harder first."""
        del num_negatives, seed
        return np.zeros(survivors.rows.shape)
