"""A BM25 index on disk: built from a stream of texts, memory-mapped, scored by bm25s.

    terms.parquet     every term, ascending; its place is its number
    starts.npy        (T + 1,) int64, where each term's documents start
    documents.npy     (E,) int32 rows of documents, ascending inside a term
    scores.npy        (E,) float32, what the term adds to the document's score
    index.json        number of documents, and the sha256 of each file; written last

bm25s is given the arrays it would make itself (a test holds them against its own). It builds from
lists of Python numbers that hold the whole corpus; this builds from batches, and memory holds the
terms, the length of each document, and one batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from mining.miners.terms import split_terms
from mining.proposals import Floats, Rows
from sdg import store
from sdg.errors import DataError, missing_package

_MANIFEST = "index.json"
_FILES = ("terms.parquet", "starts.npy", "documents.npy", "scores.npy")
# Entries (document, term) that are put in their places at a time: about 100 MB of arrays.
_ENTRIES = 2**20
_ENTRY = np.dtype([("document", np.int32), ("term", np.int32), ("count", np.int32)])

Entries = npt.NDArray[np.void]


class Bm25Index:
    """An open index; its arrays stay on disk.

    Args:
        folder: What `build` made.

    Raises:
        DataError: If a file is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        if not is_whole(folder):
            raise DataError(
                f"`{folder}` must hold a whole BM25 index, but a file is missing or differs from "
                "its checksum. Run again: it is rebuilt."
            )
        self._terms = store.read_parquet(folder / "terms.parquet")["term"].combine_chunks()
        arrays = {
            key: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False))
            for key, name in (("indptr", "starts"), ("indices", "documents"), ("data", "scores"))
        }
        self._num_documents = int(store.read_json(folder / _MANIFEST)["documents"])
        self._scorer = _scorer({**arrays, "num_docs": self._num_documents})

    def __len__(self) -> int:
        """Return the number of documents N."""
        return self._num_documents

    def search(self, texts: Sequence[str], k: int, id_order: Rows) -> tuple[Rows, Floats]:
        """Return the best documents of Q queries among those that share a term with them.

        A term that occurs twice in a query counts twice.

        Args:
            texts: Q queries.
            k: Documents per query.
            id_order: (N,) decides between equal scores, lower first.

        Returns:
            (Q, k) rows, -1 is padding, and (Q, k) float32 scores, NaN is padding.
        """
        rows = np.full((len(texts), k), -1, np.int64)
        scores = np.full((len(texts), k), np.nan, np.float32)
        for query, terms in enumerate(self._numbers(texts)):
            if not len(terms):
                continue
            every = self._scorer.get_scores_from_ids(terms)
            best = _best(every, k, id_order)
            rows[query, : len(best)] = best
            scores[query, : len(best)] = every[best]
        return rows, scores

    def _numbers(self, texts: Sequence[str]) -> list[npt.NDArray[np.int64]]:
        """Return the numbers of the known terms of every query, ascending."""
        asked = split_terms(pa.array(texts, pa.string()))
        # The few terms asked for are looked up in the many, so nothing is built from the many.
        distinct = asked["term"].unique()
        place = pc.index_in(self._terms, value_set=distinct.to_arrow().cast(self._terms.type))
        number = np.flatnonzero(np.asarray(place.is_valid()))
        known = pl.DataFrame(
            {"term": distinct.gather(np.asarray(place.drop_null())), "number": number}
        )
        joined = asked.join(known, on="term").sort("row", "number")
        ends = np.searchsorted(joined["row"].to_numpy(), np.arange(1, len(texts)))
        return np.split(joined["number"].to_numpy(), ends)


def is_whole(folder: Path) -> bool:
    """Return whether `folder` holds an index and every file of it equals its checksum."""
    try:
        found = store.read_json(folder / _MANIFEST)
    except DataError:
        return False
    return isinstance(found, dict) and all(
        (folder / name).is_file() and store.sha256_of(folder / name) == found.get(name)
        for name in _FILES
    )


def build(folder: Path, batches: Iterable[pa.Array], *, k1: float, b: float) -> None:
    """Write the index of all texts of all batches into `folder`.

    Args:
        folder: Exists and is empty.
        batches: Texts in the order of the corpus.
        k1: How soon more occurrences of a term count no more.
        b: How much longer documents are held down, in [0, 1].

    Reference: Robertson and Zaragoza 2009, The Probabilistic Relevance Framework; Lucene's variant
    as in Kamphuis et al. 2020, Which BM25 Do You Mean?
    """
    spool = folder / "entries.tmp"
    with spool.open("wb") as out:
        counted = _count(batches, out)
    order = np.array(sorted(range(len(counted.terms)), key=counted.terms.__getitem__), np.int64)
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    frequencies = counted.frequencies[order]
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(frequencies)])
    num_documents = len(counted.lengths)
    weights = np.log(1.0 + (num_documents - frequencies + 0.5) / (frequencies + 0.5))
    mean = counted.lengths.mean() if counted.lengths.any() else 1.0
    norms = k1 * (1.0 - b + b * counted.lengths / mean)
    documents = _array(folder / "documents.npy", np.int32, int(starts[-1]))
    scores = _array(folder / "scores.npy", np.float32, int(starts[-1]))
    for entries, places, term in _placed(spool, number, starts):
        count = entries["count"].astype(np.float64)
        documents[places] = entries["document"]
        scores[places] = weights[term] * count / (norms[entries["document"]] + count)
    spool.unlink()
    np.save(folder / "starts.npy", starts)
    names = pa.array(counted.terms, pa.large_string()).take(pa.array(order))
    store.write_parquet(folder / "terms.parquet", pa.table({"term": names}))
    sums = {name: store.sha256_of(folder / name) for name in _FILES}
    store.write_json(folder / _MANIFEST, {"documents": num_documents, **sums})


class _Counted(NamedTuple):
    """What one pass over the texts tells.

    Attributes:
        terms: T terms, in the order in which they were met.
        frequencies: (T,) documents that hold each.
        lengths: (N,) terms in each document.
    """

    terms: list[str]
    frequencies: Rows
    lengths: Rows


def _count(batches: Iterable[pa.Array], out: BinaryIO) -> _Counted:
    """Write an entry per document and distinct term to `out`, by document."""
    number_of: dict[str, int] = {}
    frequencies = np.zeros(0, np.int64)
    lengths = [np.zeros(0, np.int64)]
    first = 0
    for texts in batches:
        counts = split_terms(texts).group_by("row", "term").len().sort("row", "term")
        distinct = counts["term"].unique(maintain_order=True)
        numbers = [number_of.setdefault(term, len(number_of)) for term in distinct.to_list()]
        rows = counts["row"].to_numpy().astype(np.int64)
        entries = np.empty(len(rows), _ENTRY)
        entries["document"] = rows + first
        entries["term"] = counts["term"].replace_strict(
            distinct, pl.Series(numbers, dtype=pl.Int32), return_dtype=pl.Int32
        )
        entries["count"] = counts["len"]
        out.write(entries.tobytes())
        added = np.bincount(entries["term"], minlength=len(number_of))
        added[: len(frequencies)] += frequencies
        frequencies = added
        lengths.append(np.bincount(rows, counts["len"], len(texts)).astype(np.int64))
        first += len(texts)
    return _Counted(list(number_of), frequencies, np.concatenate(lengths))


def _placed(spool: Path, number: Rows, starts: Rows) -> Iterator[tuple[Entries, Rows, Rows]]:
    """Yield entries by term, then document, where each belongs, and the number of its term."""
    heads = starts[:-1].copy()
    with spool.open("rb") as stream:
        while len(entries := np.frombuffer(stream.read(_ENTRIES * _ENTRY.itemsize), _ENTRY)):
            term = number[entries["term"]]
            # Entries come by document: a stable sort leaves documents ascending inside a term.
            by_term = np.argsort(term, kind="stable")
            term = term[by_term]
            counts = np.bincount(term, minlength=len(heads))
            firsts = np.cumsum(counts) - counts
            yield entries[by_term], heads[term] + np.arange(len(term)) - firsts[term], term
            heads += counts


def _array(path: Path, dtype: type[np.generic], size: int) -> npt.NDArray[Any]:
    """Return a new array on disk."""
    return np.lib.format.open_memmap(path, "w+", dtype, (size,))


def _scorer(arrays: dict[str, Any]) -> Any:  # noqa: ANN401 - bm25s has no types
    try:
        from bm25s import BM25
    except ImportError as error:
        raise missing_package("bm25s", "cpu", "The miner `bm25`") from error
    scorer = BM25(dtype="float32", int_dtype="int32")
    scorer.scores = arrays
    scorer.nonoccurrence_array = None
    return scorer


def _best(scores: Floats, k: int, id_order: Rows) -> Rows:
    """Return the rows of the k highest positive scores, then by the order of ids."""
    rows = np.flatnonzero(scores > 0)
    if len(rows) > k:
        found = scores[rows]
        # All that tie for the last place stay until the ids decide.
        rows = rows[found >= np.partition(found, len(found) - k)[len(found) - k]]
    return rows[np.lexsort((id_order[rows], -scores[rows]))][:k]
