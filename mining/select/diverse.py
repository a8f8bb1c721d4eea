"""Passing over survivors that are too much like a negative already chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mining.corpus import CorpusView
from sdg.part import Part

if TYPE_CHECKING:
    from mining.word_sets import CorpusWordSets

Places = npt.NDArray[np.int64]

# Vectors looked at together: 64 MiB at D = 512.
_VECTORS = 32_768


class Diverse(Part):
    """No two negatives of one row may be nearly the same document.

    Survivors are gone through in the strategy's order of preference; behind those it draws from
    come the others, hardest first.

    Attributes:
        max_similarity: Highest cosine between two negatives of a row; 0.95 (own). Depends on the
            encoder.
        max_jaccard: Highest share of distinct words in common; 0.8 (own) as in the rule
            `near_duplicate`; 1 allows all but equal texts.
        spare: Survivors looked at per negative; 3 (own). A row in which fewer differ is short.
    """

    max_similarity: float = Field(default=0.95, ge=-1, le=1)
    max_jaccard: float = Field(default=0.8, gt=0, le=1)
    spare: int = Field(default=3, ge=1)

    def survivors_needed(self, num_negatives: int) -> int:
        """Return how many survivors are looked at for `num_negatives`."""
        return num_negatives * self.spare

    def choose(
        self, preferred: Places, rows: Places, corpus: CorpusView, num_negatives: int
    ) -> Places:
        """Return the chosen places.

        Args:
            preferred: (Q, S) places in S, most preferred first; -1 is padding at the end.
            rows: (Q, S) rows of `corpus` by place.
            corpus: Vectors and texts.
            num_negatives: At most this many per query.

        Returns:
            (Q, num_negatives) places in the order of `preferred`; -1 is padding at the end.
        """
        from mining.word_sets import CorpusWordSets

        chosen = np.full((len(rows), num_negatives), -1, np.int64)
        if not rows.size:
            return chosen
        words = CorpusWordSets(corpus, "word", 0)
        step = max(1, _VECTORS // max(1, rows.shape[1]))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            chosen[part] = self._choose_some(preferred[part], rows[part], words, num_negatives)
        return chosen

    def _choose_some(
        self, preferred: Places, rows: Places, words: CorpusWordSets, num_negatives: int
    ) -> Places:
        from mining.select.unlike import first_alike, first_unlike

        in_order = np.take_along_axis(rows, np.maximum(preferred, 0), axis=1)
        in_order[preferred < 0] = -1
        distinct, numbers = np.unique(in_order, return_inverse=True)
        numbers = numbers.reshape(in_order.shape)
        # Number 0 may be padding, which has no vector and is never looked at.
        vectors = words.corpus.vectors_of(np.maximum(distinct, 0))
        banned = in_order < 0
        limit = np.float32(self.max_similarity)
        while True:
            steps = first_unlike(numbers, vectors, banned, limit, num_negatives)
            # Texts are read only of what vectors let through.
            taken = np.nonzero(steps >= 0)[0], steps[steps >= 0]
            set_of = np.zeros(in_order.shape, np.int64)
            set_of[taken], sets = words.of(in_order[taken])
            alike = first_alike(steps, set_of, sets.starts, sets.hashes, self.max_jaccard)
            queries = np.flatnonzero(alike >= 0)
            if not len(queries):
                break
            banned[queries, alike[queries]] = True
        places = np.take_along_axis(preferred, np.maximum(steps, 0), axis=1)
        return np.where(steps < 0, -1, places)
