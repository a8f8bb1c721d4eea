"""One field of a row's documents, as a list."""

from __future__ import annotations

import polars as pl

from data_cards.exports.selection import Side


def values_of(side: Side, field: str, name: str) -> pl.Expr:
    """Return the column `name`: a field of each document of one side of a row."""
    return pl.col(side).list.eval(pl.element().struct.field(field)).alias(name)


def objects_of(side: Side, fields: dict[str, str], name: str) -> pl.Expr:
    """Return the column `name`: some fields of each document, under the names that they map to."""
    columns = [pl.element().struct.field(old).alias(new) for old, new in fields.items()]
    return pl.col(side).list.eval(pl.struct(columns)).alias(name)
