"""Twins by the words they share, greedy and exact; see `similar_vectors` for what a twin is.

Why not MinHash: of short texts it needs many permutations for what they hold, and misses some all
the same. Here the rarest few words of a text are enough to find every text that can be its twin
(prefix filtering, Chaudhuri et al. 2006; Bayardo et al. 2007), and each is compared in full.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from mining.kernels import compiled, exact_score
from mining.pair_rules.twins import Kin
from mining.word_sets import Hashes, WordSets, exceeds, sets_of_keys
from sdg.words import split_words

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

_TEXTS = 65_536


class Texts(NamedTuple):
    """N texts as sets.

    Attributes:
        starts: (N + 1,) int64; set i is `parts[starts[i] : starts[i + 1]]`.
        parts: Numbers of words or runs, the rarest first: ascending and different within a set.
        num_parts: Different ones in all.
        numbers: (N,) equal for texts with the same numbers in them.
    """

    starts: Rows
    parts: Hashes
    num_parts: int
    numbers: Rows

    @classmethod
    def of(cls, texts: pl.Series, run: int, *, same_numbers: bool) -> Texts:
        """Return texts as sets of words, or of runs of `run` characters if that is not 0.

        With `same_numbers` False all texts count as having the same.
        """
        sets = _sets(texts, run)
        _, part_of, counts = np.unique(sets.hashes, return_inverse=True, return_counts=True)
        rarity = np.empty(len(counts), np.uint64)
        rarity[np.argsort(counts, kind="stable")] = np.arange(len(counts))
        rows = np.repeat(np.arange(len(texts)), np.diff(sets.starts))
        parts = rarity[part_of]
        parts = parts[np.lexsort((parts, rows))]
        numbers = np.zeros(len(texts), np.int64)
        if same_numbers:
            found = texts.str.normalize("NFKC").str.extract_all(r"\p{N}+").list.unique().list.sort()
            numbers = found.list.join(" ").rank("dense").cast(pl.Int64).to_numpy(writable=True)
        return cls(sets.starts, parts, len(counts), numbers)


class Confirmed(NamedTuple):
    """Vectors that must agree that two rows are twins.

    Attributes:
        vectors: (M, D) float32 unit rows.
        places: (N,) row of `vectors` of each text.
        cosine: Rows with more than this agree.
    """

    vectors: Floats
    places: Rows
    cosine: float


def twins_by_words(texts: Texts, kin: Kin, jaccard: float, confirmed: Confirmed | None) -> Rows:
    """Return (N,) the first row that is a twin, -1 for none.

    A text without any word has no twin.

    Args:
        texts: N texts, best first.
        kin: Who is not compared.
        jaccard: In (0, 1); texts that share more than this of what is in either are twins.
        confirmed: If given, both must agree.
    """
    sizes = np.diff(texts.starts)
    # Twins share at least so many parts, hence one of the first `size - shared + 1` of either.
    shared = np.ceil(jaccard * sizes - 1e-9).astype(np.int64)
    prefixes = np.where(sizes > 0, sizes - np.maximum(shared, 1) + 1, 0)
    none = Confirmed(np.zeros((1, 1), np.float32), np.zeros(len(sizes), np.int64), -2.0)
    return _first_twins(texts, prefixes, kin, jaccard, none if confirmed is None else confirmed)


@compiled
def _first_twins(
    texts: Texts, prefixes: Rows, kin: Kin, jaccard: float, confirmed: Confirmed
) -> Rows:
    """Look each text up by its rarest parts among those that stay, which are found by theirs."""
    starts, parts = texts.starts, texts.parts
    twin = np.full(len(prefixes), -1, np.int64)
    # Lists of rows by part: the newest entry of each, and of each entry its row and the one before.
    newest = np.full(texts.num_parts, -1, np.int64)
    before = np.empty(prefixes.sum(), np.int64)
    owner = np.empty(len(before), np.int64)
    seen = np.full(len(prefixes), -1, np.int64)
    used = 0
    for row in range(len(prefixes)):
        own = parts[starts[row] : starts[row + 1]]
        for part in own[: prefixes[row]]:
            entry = newest[part]
            while entry >= 0:
                other = owner[entry]
                entry = before[entry]
                if seen[other] == row or (twin[row] >= 0 and other > twin[row]):
                    continue
                seen[other] = row
                if kin.tries[row] == kin.tries[other] or kin.families[row] == kin.families[other]:
                    continue
                if texts.numbers[row] != texts.numbers[other]:
                    continue
                if not exceeds(own, parts[starts[other] : starts[other + 1]], jaccard):
                    continue
                score = exact_score(
                    confirmed.vectors,
                    confirmed.places[row],
                    confirmed.vectors,
                    confirmed.places[other],
                )
                if score > confirmed.cosine:
                    twin[row] = other
        if twin[row] >= 0:
            continue
        for part in own[: prefixes[row]]:
            owner[used], before[used] = row, newest[part]
            newest[part] = used
            used += 1
    return twin


def _sets(texts: pl.Series, run: int) -> WordSets:
    sizes, hashes = [np.zeros(1, np.int64)], [np.empty(0, np.uint64)]
    for first in range(0, len(texts), _TEXTS):
        words = split_words(texts[first : first + _TEXTS].to_arrow()).list.join(" ")
        found = sets_of_keys(words.to_arrow().cast(pa.large_string()), run)
        # A text without words still has one run, of no characters.
        is_blank = (words == "").to_numpy() & (np.diff(found.starts) > 0)
        hashes.append(np.delete(found.hashes, found.starts[:-1][is_blank]))
        sizes.append(np.diff(found.starts) - is_blank)
    return WordSets(np.cumsum(np.concatenate(sizes)), np.concatenate(hashes))
