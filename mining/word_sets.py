"""Texts as sets of hashed words or character runs, and how far two sets overlap, in compiled code.

A set is computed once per document and kept; comparing two is one pass over two sorted lists.
Imported where it is used and not before, as it imports the compiler.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mining.corpus import CorpusView
from mining.kernels import compiled
from sdg.ids import comparison_key

G = TypeVar("G", bound=np.generic)
Unit = Literal["word", "character"]
Rows = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

_TEXTS = 8192
_KEPT_BYTES = 256 * 2**20


class WordSets(NamedTuple):
    """Sets in one array.

    Attributes:
        starts: (R + 1,) int64; set i is `hashes[starts[i] : starts[i + 1]]`.
        hashes: (H,) uint64, ascending and different within a set.
    """

    starts: Rows
    hashes: Hashes


def word_sets(texts: Sequence[str], unit: Unit, shingle_length: int) -> WordSets:
    """Return the set of each text's words, or of its runs of `shingle_length` characters.

    Words are those of `ids.comparison_key`: case and punctuation do not count. Hashes have 64 bits.
    """
    keys = pa.array([comparison_key(text) for text in texts], pa.large_string())
    return sets_of_keys(keys, shingle_length if unit == "character" else 0)


def sets_of_keys(keys: pa.LargeStringArray, shingle_length: int = 0) -> WordSets:
    """Return the set of each text's words, or of its runs of characters.

    Args:
        keys: Texts as they are compared: in one case, words apart by white space.
        shingle_length: Characters per run; 0 gives words.
    """
    _, offsets, data = keys.buffers()
    starts = np.frombuffer(offsets, np.int64)[keys.offset : keys.offset + len(keys) + 1]
    letters = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return WordSets(*_hashed(starts, letters, shingle_length))


class CorpusWordSets:
    """The word sets of the documents asked for so far; safe to share between threads.

    Attributes:
        corpus: Whose documents.
    """

    def __init__(self, corpus: CorpusView, unit: Unit, shingle_length: int) -> None:
        """Start with none."""
        self.corpus = corpus
        self._unit: Unit = unit
        self._shingle_length = shingle_length
        self._lock = Lock()
        self._number = np.full(len(corpus), -1, np.int32)
        self._starts: Rows = np.zeros(1, np.int64)
        self._hashes: Hashes = np.empty(0, np.uint64)
        self._sets = self._used = 0

    def __deepcopy__(self, memo: dict[int, object]) -> CorpusWordSets:
        """Return itself: a copy of who keeps it finds the same sets."""
        return self

    def of(self, rows: Rows) -> tuple[Rows, WordSets]:
        """Return the number of each row's set, shape of `rows`, and the sets.

        Both stay valid when other rows are asked for later.
        """
        with self._lock:
            asked = np.unique(rows)
            new = asked[self._number[asked] < 0]
            if len(new) and self._used * 8 > _KEPT_BYTES:
                self._forget()
                new = asked
            for start in range(0, len(new), _TEXTS):
                self._add(new[start : start + _TEXTS])
            sets = WordSets(self._starts[: self._sets + 1], self._hashes[: self._used])
            return self._number[rows].astype(np.int64), sets

    def _add(self, rows: Rows) -> None:
        sets = word_sets(self.corpus.texts(rows), self._unit, self._shingle_length)
        count, used = self._sets + len(rows), self._used + len(sets.hashes)
        self._starts = _grown(self._starts, count + 1)
        self._hashes = _grown(self._hashes, used)
        self._starts[self._sets + 1 : count + 1] = sets.starts[1:] + self._used
        self._hashes[self._used : used] = sets.hashes
        self._number[rows] = np.arange(self._sets, count)
        self._sets, self._used = count, used

    def _forget(self) -> None:
        self._number = np.full(len(self.corpus), -1, np.int32)
        self._starts, self._hashes = np.zeros(1, np.int64), np.empty(0, np.uint64)
        self._sets = self._used = 0


def _grown(array: npt.NDArray[G], size: int) -> npt.NDArray[G]:
    """Return `array`, or twice the size of it if it is too small; what is handed out stays."""
    if size <= len(array):
        return array
    larger = np.empty(max(size, 2 * len(array)), array.dtype)
    larger[: len(array)] = array
    return larger


@compiled
def exceeds(left: Hashes, right: Hashes, jaccard: float) -> bool:
    """Return whether two sets share more than `jaccard` of what is in either.

    Two empty sets do, an empty one and another do not.
    """
    small, large = min(len(left), len(right)), max(len(left), len(right))
    # The similarity is at most small / large, and most pairs end here.
    if small <= jaccard * large:
        return large == 0
    shared = i = j = 0
    while i < len(left) and j < len(right):
        if left[i] == right[j]:
            shared += 1
            i += 1
            j += 1
        elif left[i] < right[j]:
            i += 1
        else:
            j += 1
        best = shared + min(len(left) - i, len(right) - j)
        if best <= jaccard * (small + large - best):
            return False
    return shared > jaccard * (small + large - shared)


@compiled
def any_exceeds(
    numbers: Rows,
    sets: WordSets,
    queries: Rows,
    other_starts: Rows,
    other_numbers: Rows,
    other_sets: WordSets,
    jaccard: float,
) -> npt.NDArray[np.bool_]:
    """Return (P,) whether each set `exceeds` one of its query's other sets.

    Args:
        numbers: (P,) numbers in `sets`.
        sets: The candidates' sets.
        queries: (P,) the query of each.
        other_starts: (Q + 1,) where each query's others start in `other_numbers`.
        other_numbers: Numbers in `other_sets`.
        other_sets: The others' sets.
        jaccard: Similarity.
    """
    out = np.zeros(len(numbers), np.bool_)
    for pair in range(len(numbers)):
        number, query = numbers[pair], queries[pair]
        own = sets.hashes[sets.starts[number] : sets.starts[number + 1]]
        for place in range(other_starts[query], other_starts[query + 1]):
            other = other_numbers[place]
            start, stop = other_sets.starts[other], other_sets.starts[other + 1]
            if exceeds(own, other_sets.hashes[start:stop], jaccard):
                out[pair] = True
                break
    return out


@compiled
def _mixed(word: np.uint64) -> np.uint64:
    """Return SplitMix64's mix: every bit of the result depends on every bit of `word`."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@compiled
def _hash_of(letters: npt.NDArray[np.uint8], start: int, stop: int) -> np.uint64:
    """Return 64-bit FNV-1a of some bytes, mixed."""
    word = np.uint64(0xCBF29CE484222325)
    for place in range(start, stop):
        word = (word ^ np.uint64(letters[place])) * np.uint64(0x100000001B3)
    return _mixed(word)


@compiled
def _hashed(starts: Rows, letters: npt.NDArray[np.uint8], length: int) -> tuple[Rows, Hashes]:
    """Return the sets of UTF-8 texts: of words where `length` is 0, else of runs of characters."""
    out_starts = np.zeros(len(starts), np.int64)
    # Each part takes a byte of its own, but a text of no characters still has one, empty, run.
    out = np.empty(len(letters) + len(starts), np.uint64)
    used = 0
    firsts = np.empty(1, np.int64)
    for text in range(len(starts) - 1):
        start, stop = starts[text], starts[text + 1]
        if length == 0:
            found = _words(letters, start, stop, out[used:])
        else:
            if len(firsts) <= stop - start:
                firsts = np.empty(2 * (stop - start) + 1, np.int64)
            found = _runs(letters, start, stop, length, firsts, out[used:])
        used += _distinct(out[used : used + found])
        out_starts[text + 1] = used
    return out_starts, out[:used].copy()


@compiled
def _words(letters: npt.NDArray[np.uint8], start: int, stop: int, out: Hashes) -> int:
    """Write the hash of each word; return how many."""
    found = 0
    first = start
    for place in range(start, stop + 1):
        is_space = place == stop or letters[place] == 32 or 9 <= letters[place] <= 13
        if is_space:
            if place > first:
                out[found] = _hash_of(letters, first, place)
                found += 1
            first = place + 1
    return found


@compiled
def _runs(
    letters: npt.NDArray[np.uint8], start: int, stop: int, length: int, firsts: Rows, out: Hashes
) -> int:
    """Write the hash of each run of `length` characters, or of a shorter text; return how many."""
    characters = 0
    for place in range(start, stop):
        if letters[place] & 0xC0 != 0x80:
            firsts[characters] = place
            characters += 1
    firsts[characters] = stop
    found = max(1, characters - length + 1)
    for run in range(found):
        last = firsts[min(run + length, characters)]
        first = firsts[run] if characters else start
        out[run] = _hash_of(letters, first, last)
    return found


@compiled
def _distinct(hashes: Hashes) -> int:
    """Sort and make distinct in place; return how many are left."""
    hashes.sort()
    kept = 0
    for place in range(len(hashes)):
        if kept == 0 or hashes[place] != hashes[kept - 1]:
            hashes[kept] = hashes[place]
            kept += 1
    return kept
