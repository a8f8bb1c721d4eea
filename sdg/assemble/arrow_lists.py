"""List columns of Arrow tables as flat values and lengths, and look-ups by id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sdg.errors import ContractError

Integers = npt.NDArray[np.int64]


class FlatLists(NamedTuple):
    """A list column: all values one after the other, and how many belong to each row."""

    values: pa.Array
    lengths: Integers


def one(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as one contiguous array."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column


def flat(column: pa.ChunkedArray | pa.Array) -> FlatLists:
    """Return a list column without nulls as values and lengths; slices are respected."""
    array = one(column)
    lengths = pc.list_value_length(array).to_numpy(zero_copy_only=False).astype(np.int64)
    return FlatLists(pc.list_flatten(array), lengths)


def lists_of(values: pa.ChunkedArray | pa.Array, lengths: Integers) -> pa.ListArray:
    """Return the list column that `flat` takes apart."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), one(values))


def interleave(columns: Sequence[pa.Array], values: pa.Array, lengths: Integers) -> pa.ListArray:
    """Return lists that hold a row's entry of each of `columns`, then its part of `values`.

    Args:
        columns: C columns of R entries.
        values: Flat values of R lists.
        lengths: (R,) their lengths.
    """
    num_rows, num_columns = len(lengths), len(columns)
    rows = [np.arange(num_rows) for _ in columns] + [np.repeat(np.arange(num_rows), lengths)]
    order = np.argsort(np.concatenate(rows), kind="stable")
    everything = pa.concat_arrays([*columns, values])
    return lists_of(everything.take(pa.array(order)), lengths + num_columns)


def encode(values: pa.Array) -> tuple[npt.NDArray[np.object_], Integers]:
    """Return the distinct values, ascending, and each value's position among them."""
    encoded = values.dictionary_encode()
    order = pc.sort_indices(encoded.dictionary)
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order.to_numpy()] = np.arange(len(order))
    names = encoded.dictionary.take(order).to_numpy(zero_copy_only=False)
    return names, ranks[encoded.indices.to_numpy()]


def positions(ids: pa.Array | pa.ChunkedArray, among: pa.ChunkedArray, name: str) -> pa.Array:
    """Return where each id stands in the column `among`.

    Args:
        ids: Ids to look up, with repeats.
        among: Distinct ids.
        name: What the table of `among` is called in the error.

    Raises:
        ContractError: If an id is missing.
    """
    places = one(pc.index_in(ids, value_set=one(among)))
    if places.null_count:
        missing = one(ids).filter(pc.is_null(places)).unique()
        raise ContractError(
            f"`{name}` must hold every id that rows refer to, but lacks {len(missing)}, first "
            f"{missing[:3].to_pylist()}. The tables come from different runs, or a part is missing."
        )
    return places


def check_same_ids(expected: pa.Table, table: pa.Table, name: str) -> None:
    """Check that both tables have the same query ids, each once, in any order.

    Raises:
        ContractError: If one lacks ids of the other, or an id repeats.
    """
    ids, others = expected["query_id"], table["query_id"]
    if len(others.unique()) != len(others) or len(ids.unique()) != len(ids):
        raise ContractError(
            f"Each query id must occur once, but `{name}` has {len(others.unique())} ids in "
            f"{len(others)} rows. A stage before emitted rows twice."
        )
    missing = ids.filter(pc.invert(pc.is_in(ids, value_set=one(others))))
    extra = others.filter(pc.invert(pc.is_in(others, value_set=one(ids))))
    if len(missing) or len(extra):
        raise ContractError(
            f"`{name}` must have the query ids of the rows to assemble, but {len(missing)} are "
            f"missing {missing[:3].to_pylist()} and {len(extra)} are extra "
            f"{extra[:3].to_pylist()}. Filter every table to the ids that survived."
        )
