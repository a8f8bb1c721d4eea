"""A smaller corpus that is as hard to search: what any miner finds near the top, and all positives.

Reference: Enevoldsen et al. 2025, MMTEB, arXiv 2502.13595: the top 250 of three miners per query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mining.draws import words_at
from sdg.errors import ConfigError
from sdg.ids import seed_for

Rows = npt.NDArray[np.int64]

# Of each miner, per query (MMTEB).
TOP_N = 250


@dataclass(frozen=True, slots=True)
class SubsampledCorpus:
    """Which documents stay.

    Attributes:
        rows: (M,) rows of the corpus, ascending, each once.
        num_positives: Of them, documents that are a positive of some query.
        left_out: Documents of the pool that `max_documents` left out.
    """

    rows: Rows
    num_positives: int
    left_out: int


def subsample_corpus(
    found: Sequence[Rows],
    positives: Rows,
    seed: int,
    top_n: int = TOP_N,
    max_documents: int | None = None,
) -> SubsampledCorpus:
    """Return the union of what the miners found near the top of any query, and the positives.

    Args:
        found: Per miner (Q, K) rows of the corpus, nearest first, -1 is padding. Q may differ.
        positives: Rows of the positives of all queries; they always stay.
        seed: The run's seed. Whether a document stays depends on it, the document's row, and the
            other documents of the pool.
        top_n: Of each miner, per query; with K below `top_n` all K are taken.
        max_documents: Limit; none by default. The documents left out are drawn evenly from those
            that are no positive.

    Raises:
        ConfigError: If the positives alone are more than `max_documents`.
    """
    kept = np.unique(positives)
    near = [np.unique(rows[:, :top_n]) for rows in found]
    pool = np.unique(np.concatenate([np.empty(0, np.int64), *near]))
    others = np.setdiff1d(pool[pool >= 0], kept, assume_unique=True)
    if max_documents is None or len(kept) + len(others) <= max_documents:
        return SubsampledCorpus(np.union1d(kept, others), len(kept), 0)
    room = max_documents - len(kept)
    if room < 0:
        raise ConfigError(
            f"`max_documents` must be at least the number of positives, {len(kept)}, but is "
            f"{max_documents} instead. Raise it, or take fewer queries."
        )
    draws = words_at(np.array(seed_for(seed, "subsample"), np.uint64), others)
    drawn = others[np.lexsort((others, draws))[:room]]
    return SubsampledCorpus(np.union1d(kept, drawn), len(kept), len(others) - room)
