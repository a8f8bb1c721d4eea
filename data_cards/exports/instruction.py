"""A row's instruction: into the query's text, into a field of its own, or left out and counted."""

from __future__ import annotations

import string
from typing import Annotated

import polars as pl
from pydantic import AfterValidator

from data_cards.exports.selection import Selection

# The form that E5-Mistral was trained with (arXiv 2401.00368, section 3.1), and many models since.
INSTRUCT_TEMPLATE = "Instruct: {instruction}\nQuery: {query}"


def _checked(template: str) -> str:
    fields = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    if sorted(fields) != ["instruction", "query"]:
        raise ValueError(
            "the template must hold {instruction} and {query} once each, but holds "
            f"{fields} instead"
        )
    return template


Template = Annotated[str, AfterValidator(_checked)]


def write_instruction(selection: Selection, how: str, template: str) -> None:
    """Put each row's instruction into its query, or leave the query as it is, and count rows.

    Args:
        selection: Its queries are changed.
        how: "prefix" fills `template` for rows that have an instruction; "omit" leaves it out; any
            other value says that the format has a field for it.
        template: With `{instruction}` and `{query}`.
    """
    has_one = pl.col("instruction") != ""
    count = int(selection.frame.select(has_one.sum()).item())
    if how == "prefix":
        filled = pl.when(has_one).then(_filled(template)).otherwise(pl.col("query"))
        selection.frame = selection.frame.with_columns(filled.alias("query"))
    note = {"prefix": "instructions_in_the_query", "omit": "instructions_omitted"}
    selection.note(note.get(how, "instructions_in_a_field"), count)


def _filled(template: str) -> pl.Expr:
    pieces = []
    for literal, name, _, _ in string.Formatter().parse(template):
        pieces.append(pl.lit(literal))
        if name is not None:
            pieces.append(pl.col(name))
    return pl.concat_str(pieces)
