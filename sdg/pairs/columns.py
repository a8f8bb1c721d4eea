"""Columns of people's tables: found by name, and turned into texts, ids and lists of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sdg.errors import DataError

Counts = npt.NDArray[np.int64]


class Lists(NamedTuple):
    """One list of texts per row.

    Attributes:
        values: All entries, row after row; "" where an entry was null.
        counts: (R,) entries per row.
    """

    values: list[str]
    counts: Counts


def find_column(
    setting: str, named: str, usual: Sequence[str], present: Sequence[str], where: str
) -> str:
    """Return the column for `setting`: the configured name, or the first usual one that is there.

    Args:
        setting: Key of the configuration, for the message.
        named: The configured name; "" to look for the usual ones; "-" for none.
        usual: In order of preference.
        present: Columns that are there.
        where: What the table is called.

    Returns:
        A name in `present`, or "" if nothing was configured and no usual one is there.

    Raises:
        DataError: If the configured column is not there.
    """
    if named == "-":
        return ""
    if named and named not in present:
        raise _missing(setting, f"`{named}`", present, where)
    return named or next((name for name in usual if name in present), "")


def need_column(
    setting: str, named: str, usual: Sequence[str], present: Sequence[str], where: str
) -> str:
    """Return `find_column`'s answer; raises DataError where that is ""."""
    found = find_column(setting, named, usual, present, where)
    if not found:
        raise _missing(setting, f"one of {', '.join(usual)}", present, where)
    return found


def _missing(setting: str, wanted: str, present: Sequence[str], where: str) -> DataError:
    return DataError(
        f"`{where}` must have the column {wanted}, but has {', '.join(present) or 'none'} instead. "
        f"Set `{setting}` to one of these."
    )


def texts_of(rows: pa.Table, name: str, where: str) -> list[str]:
    """Return one text per row, "" where it is null or the column is not there.

    Whole numbers become their digits, because ids often are some.

    Raises:
        DataError: If the column holds something else, or bytes that are no UTF-8.
    """
    if name not in rows.column_names:
        return [""] * rows.num_rows
    return _texts(rows[name].combine_chunks(), name, where)


def lists_of(rows: pa.Table, name: str, where: str) -> Lists:
    """Return one list of texts per row; a text alone is a list of one, null an empty list.

    Raises:
        DataError: As `texts_of`.
    """
    if name not in rows.column_names:
        return Lists([], np.zeros(rows.num_rows, np.int64))
    column = rows[name].combine_chunks()
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        counts = np.asarray(pc.list_value_length(column).fill_null(0), np.int64)
        return Lists(_texts(column.flatten(), name, where), counts)
    present = column.drop_null()
    return Lists(_texts(present, name, where), np.asarray(column.is_valid(), np.int64))


def _texts(column: pa.Array, name: str, where: str) -> list[str]:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not (
        is_text
        or pa.types.is_string_view(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_null(kind)
    ):
        raise DataError(
            f"Column `{name}` of `{where}` must hold text, but holds {column.type} instead. "
            "Name another column."
        )
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"Column `{name}` of `{where}` must hold UTF-8, but does not: {error}. "
            "Write the file again with its encoding converted."
        ) from error
    texts: list[str] = column.cast(pa.large_string()).fill_null("").to_pylist()
    return texts
