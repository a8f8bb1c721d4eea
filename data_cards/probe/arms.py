"""The negatives of each arm, for the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from data_cards.probe.beir import Ints
from data_cards.probe.ranking import Floats, best
from sdg.errors import DataError
from sdg.ids import seed_for

FEW_NEGATIVES = "fewer_negatives_than_num_negatives"
MORE_ROWS = "more_than_max_rows"
ABSENT_BEFORE = "not_in_unjudged"
LEAKS_BEFORE = "holds_eval_data_in_unjudged"
FEW_BEFORE = "fewer_negatives_in_unjudged"
# Queries compared with the pool at a time.
_BLOCK_ROWS = 1024

Encode = Callable[[list[str]], Floats]


class Pool(NamedTuple):
    """Documents that "random" and "naive" choose from, in ascending order of ids.

    Attributes:
        doc_ids: (N,)
        texts: (N,)
        groups: (N,) "" where there is none.
    """

    doc_ids: list[str]
    texts: list[str]
    groups: list[str]


class Chosen(NamedTuple):
    """Rows that every arm can use.

    Attributes:
        rows: As in `TrainRows`.
        left_out: Reason -> rows that were not chosen.
    """

    rows: pl.DataFrame
    left_out: dict[str, int]


def choose_rows(clean: pl.DataFrame, wanted: int, max_rows: int, seed: int) -> Chosen:
    """Return rows with at least `wanted` negatives, at most `max_rows` of them, drawn by the seed.

    Raises:
        DataError: If none is left.
    """
    enough = clean.filter(pl.col("negative_ids").list.len() >= wanted)
    left_out = {FEW_NEGATIVES: clean.height - enough.height}
    left_out[MORE_ROWS] = max(0, enough.height - max_rows)
    if not enough.height:
        raise DataError(
            f"Rows must have at least {wanted} negatives to be probed, but of {clean.height} rows "
            "none has instead. Lower `num_negatives`, or probe the arm `none` alone."
        )
    return Chosen(drawn(enough, max_rows, seed_for(seed, "rows")), left_out)


def pool_of(corpus: pl.DataFrame, max_pool: int, seed: int) -> Pool:
    """Return the documents to choose from, at most `max_pool`, drawn by the seed."""
    kept = drawn(corpus, max_pool, seed_for(seed, "pool"))
    groups = kept["group_id"].fill_null("").to_list()
    return Pool(kept["doc_id"].to_list(), kept["text"].to_list(), groups)


def drawn(frame: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """Return at most `count` rows in their order."""
    if frame.height <= count:
        return frame
    places = np.random.default_rng(seed).choice(frame.height, count, replace=False)
    return frame[np.sort(places)]


def stored_negatives(rows: pl.DataFrame, count: int) -> list[list[str]]:
    """Return the first `count` ids of every row's own negatives, the hardest ones."""
    return rows["negative_ids"].list.head(count).to_list()


def random_negatives(rows: pl.DataFrame, pool: Pool, count: int, seed: int) -> list[list[str]]:
    """Return `count` ids for every row, drawn evenly: no positive, no document of its group.

    Raises:
        DataError: If the pool has too few documents.
    """
    sizes = pl.Series(pool.groups, dtype=pl.String).value_counts(name="count")
    members = dict(sizes.iter_rows())
    place_of = {doc_id: place for place, doc_id in enumerate(pool.doc_ids)}
    out = []
    for query_id, positives, group in rows.select(
        "query_id", "positive_ids", pl.col("group_id").fill_null("")
    ).iter_rows():
        draws = np.random.default_rng(seed_for(seed, "random", query_id))
        excluded = {place_of.get(doc_id, -1) for doc_id in positives}
        asked = count + len(excluded) + (members.get(group, 0) if group else 0)
        places = draws.choice(len(pool.doc_ids), min(asked, len(pool.doc_ids)), replace=False)
        kept = [
            pool.doc_ids[place]
            for place in places.tolist()
            if place not in excluded and not (group and pool.groups[place] == group)
        ]
        out.append(_enough(kept, count))
    return out


def naive_negatives(
    rows: pl.DataFrame, pool: Pool, count: int, encode_queries: Encode, encode_documents: Encode
) -> list[list[str]]:
    """Return the `count` documents most similar to every query that are no positives of it.

    No other rule holds: this is what rules are there to improve on.

    Raises:
        DataError: If the pool has too few documents.
    """
    documents = encode_documents(pool.texts)
    place_of = {doc_id: place for place, doc_id in enumerate(pool.doc_ids)}
    positives = [
        {place_of.get(doc_id, -1) for doc_id in ids} for ids in rows["positive_ids"].to_list()
    ]
    depth = count + max(map(len, positives))
    queries = encode_queries(rows["query"].to_list())
    return [
        _enough([pool.doc_ids[p] for p in ranked if p not in excluded], count)
        for ranked, excluded in zip(_nearest(queries, documents, depth), positives, strict=True)
    ]


def _nearest(queries: Floats, documents: Floats, depth: int) -> Iterator[list[int]]:
    for start in range(0, len(queries), _BLOCK_ROWS):
        block = queries[start : start + _BLOCK_ROWS]
        nobody: Ints = np.full(len(block), -1, np.int64)
        found: npt.NDArray[np.int64] = best(block @ documents.T, depth, nobody)
        yield from found.tolist()


def _enough(kept: list[str], count: int) -> list[str]:
    if len(kept) < count:
        raise DataError(
            f"The corpus must have {count} documents that are no positives of a row, but has "
            f"{len(kept)} instead. Lower `num_negatives`, or leave the arms random and naive out."
        )
    return kept[:count]
