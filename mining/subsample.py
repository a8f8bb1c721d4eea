"""A smaller corpus that is as hard to search: what any miner finds near the top, and all positives.

Reference: Enevoldsen et al. 2025, MMTEB, arXiv 2502.13595: the top 250 of three miners per query.
"""

from __future__ import annotations

from collections.abc import Mapping
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
        over_limit: (L,) rows, ascending, that a miner found and `max_documents` left out.
        positives: (P,) rows, ascending, each once; all of them stay.
        found_only_by: Miner -> documents that neither another miner found nor any query has as a
            positive, before the limit.
    """

    rows: Rows
    over_limit: Rows
    positives: Rows
    found_only_by: dict[str, int]


def distinct(rows: Rows) -> Rows:
    """Return each row of the corpus in an array of any shape once, ascending; -1 is padding."""
    every = np.unique(rows)
    return every[every >= 0]


def check_limit(num_positives: int, max_documents: int | None) -> None:
    """Check that all positives may stay.

    Raises:
        ConfigError: If they alone are more than `max_documents`.
    """
    if max_documents is not None and num_positives > max_documents:
        raise ConfigError(
            f"`--max-documents` must be at least the number of positives, {num_positives}, but is "
            f"{max_documents} instead. Raise it, or take fewer queries."
        )


def subsample_corpus(
    near: Mapping[str, Rows], positives: Rows, seed: int, max_documents: int | None = None
) -> SubsampledCorpus:
    """Return the union of what the miners found near the top of any query, and the positives.

    Args:
        near: Miner -> rows of the corpus that it found for any query, each once.
        positives: Rows of the positives of all queries; they always stay.
        seed: The run's seed. Whether a document stays depends on it, the document's row, and the
            other documents that were found.
        max_documents: Limit; none by default. The documents left out are drawn evenly from those
            that are no positive.

    Raises:
        ConfigError: If the positives alone are more than `max_documents`.
    """
    kept = distinct(positives)
    none = np.empty(0, np.int64)
    pool, finders = np.unique(np.concatenate([none, *near.values()]), return_counts=True)
    lonely = np.setdiff1d(pool[finders == 1], kept, assume_unique=True)
    only = {name: len(np.intersect1d(rows, lonely)) for name, rows in near.items()}
    others = np.setdiff1d(pool, kept, assume_unique=True)
    if max_documents is None or len(kept) + len(others) <= max_documents:
        return SubsampledCorpus(np.union1d(kept, others), none, kept, only)
    check_limit(len(kept), max_documents)
    room = max_documents - len(kept)
    draws = words_at(np.array(seed_for(seed, "subsample"), np.uint64), others)
    order = np.lexsort((others, draws))
    drawn, left = others[order[:room]], others[order[room:]]
    return SubsampledCorpus(np.union1d(kept, drawn), np.sort(left), kept, only)
