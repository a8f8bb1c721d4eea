"""Equal shares of the negatives from several strata of survivors."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mining.draws import seeds_of, uniforms
from mining.select import STRATEGIES, Strategy, Survivors


@STRATEGIES.register("stratified")
class Stratified(Strategy):
    """Take one survivor of each stratum in turn, until there are enough.

    Where a stratum runs out the others go on, so a row is short only if survivors are.

    Attributes:
        by: "rank": the `sample_from` hardest, cut into `strata` equal runs from hard to easy, each
            drawn from uniformly. "miner": one stratum per miner, each giving its hardest, also
            behind the `sample_from` hardest of all: those are the search's own.
        strata: Number of runs; none stands for `num_negatives`, one negative from each (own).
    """

    version: ClassVar[int] = 2
    by: Literal["rank", "miner"] = "rank"
    strata: int | None = Field(default=None, ge=1)

    def sort_keys(
        self, survivors: Survivors, num_negatives: int, seed: int
    ) -> npt.NDArray[np.float64]:
        """Return keys by turn, then by stratum."""
        is_padding = survivors.rows < 0
        if self.by == "miner":
            # Within a turn equal keys: the hardest of all miners goes first.
            turns = _turns(survivors.miners.astype(np.int64), is_padding)
            return np.where(is_padding, np.inf, turns.astype(np.float64))
        outside = self.outside_pool(survivors, num_negatives) | is_padding
        strata = self._strata(survivors, num_negatives)
        seeds = seeds_of(seed, "negatives", survivors.query_ids)
        drawn = np.where(outside, np.inf, uniforms(seeds, outside.shape[1]))
        order = np.argsort(drawn, axis=1, kind="stable")
        turns = np.empty_like(order)
        in_order = _turns(
            np.take_along_axis(strata, order, 1), np.take_along_axis(outside, order, 1)
        )
        np.put_along_axis(turns, order, in_order, axis=1)
        width = strata.max(initial=0) + 1
        return np.where(outside, np.inf, turns * float(width) + strata)

    def _strata(self, survivors: Survivors, num_negatives: int) -> npt.NDArray[np.int64]:
        """Return (Q, S) strata by place; runs of a query differ in length by at most one."""
        pool = np.minimum(survivors.counts(), self.survivors_needed(num_negatives))
        count = num_negatives if self.strata is None else self.strata
        places = np.arange(survivors.rows.shape[1])
        return np.asarray(places * count // np.maximum(pool, 1)[:, None], np.int64)


def _turns(strata: npt.NDArray[np.int64], outside: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return (Q, S) how many of the same stratum stand before each place."""
    turns = np.zeros(strata.shape, np.int64)
    for stratum in np.unique(strata[~outside]):
        mine = (strata == stratum) & ~outside
        turns[mine] = (np.cumsum(mine, axis=1) - 1)[mine]
    return turns
