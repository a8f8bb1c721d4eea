"""Documents that another miner proposes as candidates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Proposals:
    """Candidates of Q queries by one miner, K each; row i belongs to the i-th embedded query.

    Attributes:
        source: Who proposes: "bm25", "dense:<encoder>", "in_document".
        rows: (Q, K) int64 rows of the corpus, best first, no row twice; -1 is padding, at the end.
        scores: (Q, K) float32 in the miner's own scale, higher is better; NaN is padding.
        exempt: Names of rules that do not hold for these candidates. Candidates that are near
            misses by design would all fall to rules that keep near misses out.
    """

    source: str
    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    exempt: frozenset[str] = frozenset()
