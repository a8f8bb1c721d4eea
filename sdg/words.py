"""Texts as lists of words, vectorised: what gates count, compare and look up.

A word is a run of letters, digits and combining marks, lower-cased after NFKC. In scripts that put
no space between words (Han, Kana, Thai, Lao, Khmer, Burmese) every character is a word of its own:
a run of them then behaves like a run of words elsewhere, and no dictionary is needed.

Why not `ids.comparison_key`: it decides equality of one text; this gives lists, by the column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

# Of a regular expression: one character of a script without spaces between words. The sign that
# lengthens a kana (U+30FC) belongs to no script, but to every Japanese loan word.
SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\x{30FC}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = rf"[{SPACELESS}]|[\w--[{SPACELESS}]]+"

# ISO 15924 codes whose texts have no spaces between words.
SPACELESS_SCRIPTS = frozenset({"Hani", "Hans", "Hant", "Jpan", "Khmr", "Laoo", "Mymr", "Thai"})


def split_words(texts: pa.ChunkedArray | pa.Array) -> pl.Series:
    """Return the words of every text.

    Args:
        texts: (N,) strings, no nulls.

    Returns:
        (N,) lists of strings, in the order of the text; an empty list for a text without words.
    """
    series = pl.Series("words", texts, dtype=pl.String)
    return series.str.normalize("NFKC").str.to_lowercase().str.extract_all(_WORD)


def count_words(words: pl.Series) -> npt.NDArray[np.int64]:
    """Return the (N,) number of words in each list."""
    return words.list.len().to_numpy().astype(np.int64)


def explode_words(words: pl.Series) -> pl.DataFrame:
    """Return one row per word: `row` (uint32, 0-based), `position` (int64, 0-based), `word`.

    Rows come in text order; a text without words has none.
    """
    return (
        pl.DataFrame({"word": words})
        .with_row_index("row")
        .with_columns(position=pl.int_ranges(0, pl.col("word").list.len()))
        .explode("word", "position", empty_as_null=True)
        .drop_nulls("word")
        .select("row", "position", "word")
    )


def longest_shared_runs(left: pl.Series, right: pl.Series) -> npt.NDArray[np.int64]:
    """Return the length of the longest run of consecutive words that both lists hold.

    Every pair of equal words lies on a diagonal `left position - right position`; a shared run is a
    stretch of consecutive positions on one diagonal.

    Args:
        left: (N,) lists of words.
        right: (N,) lists of words, row i is compared with row i.

    Returns:
        (N,) run lengths in words, 0 where the two share no word.
    """
    runs = np.zeros(len(left), dtype=np.int64)
    pairs = explode_words(left).join(
        explode_words(right), on=["row", "word"], how="inner", suffix="_right"
    )
    if pairs.is_empty():
        return runs
    pairs = pairs.select(
        "row", "position", diagonal=pl.col("position") - pl.col("position_right")
    ).sort("row", "diagonal", "position")
    row, position, diagonal = (pairs[c].to_numpy().astype(np.int64) for c in pairs.columns)
    is_start = np.ones(len(row), dtype=bool)
    is_start[1:] = (
        (row[1:] != row[:-1])
        | (diagonal[1:] != diagonal[:-1])
        | (position[1:] != position[:-1] + 1)
    )
    starts = np.flatnonzero(is_start)
    lengths = np.diff(np.append(starts, len(row)))
    np.maximum.at(runs, row[starts], lengths)
    return runs


def share_found(words: pl.Series, others: pl.Series) -> npt.NDArray[np.float64]:
    """Return which share of each row's words occurs anywhere in the same row of `others`.

    Returns:
        (N,) shares in [0, 1]; 0 for a row without words.
    """
    left = explode_words(words)
    known = explode_words(others).select("row", "word").unique()
    found = left.join(known, on=["row", "word"], how="semi")["row"].to_numpy()
    hits = np.bincount(found, minlength=len(words)).astype(np.float64)
    totals = count_words(words)
    return np.divide(hits, totals, out=np.zeros(len(words)), where=totals > 0)


def are_spaceless(languages: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Return for each language tag whether its script puts no space between words.

    A bound on words made for other scripts is too tight for these, where each character counts as
    one: gates have a second one in characters, by default about twice as high.

    Args:
        languages: (N,) tags, no nulls.
    """
    codes = languages.combine_chunks().dictionary_encode()
    tags = [script_of(tag) in SPACELESS_SCRIPTS for tag in codes.dictionary.to_pylist()]
    return np.array(tags, dtype=bool)[codes.indices.to_numpy(zero_copy_only=False)]


def script_of(language: str) -> str:
    """Return the script of a language tag: "Latn" for "eng-Latn", "" for a tag without one."""
    return language.partition("-")[2]
