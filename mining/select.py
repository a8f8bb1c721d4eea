"""Which of the surviving candidates become the negatives of a query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mining.corpus import CorpusView
from sdg.ids import seed_for
from sdg.part import Part


@dataclass(frozen=True, slots=True)
class Survivors:
    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    ranks: npt.NDArray[np.int64]
    miners: npt.NDArray[np.int16]
    query_ids: list[str]
    corpus: CorpusView


class SelectionConfig(Part):
    """How negatives are chosen."""

    strategy: Literal["top", "sampled"] = "top"
    sample_from: int = Field(default=10, ge=1)
    temperature: float = Field(default=1.0, gt=0)

    def survivors_needed(self, num_negatives: int) -> int:
        return num_negatives if self.strategy == "top" else max(num_negatives, self.sample_from)


def select(
    survivors: Survivors, num_negatives: int, config: SelectionConfig, seed: int
) -> npt.NDArray[np.int64]:
    out = np.full((len(survivors.rows), num_negatives), -1, np.int64)
    for q, row_id in enumerate(survivors.query_ids):
        scores = survivors.scores[q][survivors.rows[q] >= 0]
        if config.strategy == "top" or len(scores) <= num_negatives:
            chosen = np.arange(min(num_negatives, len(scores)))
        else:
            pool = scores[: max(config.sample_from, num_negatives)].astype(np.float64)
            generator = np.random.Generator(np.random.PCG64(seed_for(seed, "negatives", row_id)))
            keys = pool / config.temperature + generator.gumbel(size=len(pool))
            chosen = np.sort(np.argsort(-keys, kind="stable")[:num_negatives])
        out[q, : len(chosen)] = chosen
    return out
