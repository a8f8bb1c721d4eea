"""Texts as 64-bit codes by the column: equal codes are equal words.

Why not `ids.comparison_key`: that is the key of one text and decides what is published; this is the
same rule by the column, for comparing millions of texts in memory. Codes of one process only may be
compared with each other; what is kept on disk is a digest of `ids.comparison_key`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    import pyarrow as pa


def text_codes(texts: pl.Series | pa.Array | pa.ChunkedArray) -> pl.Series:
    """Return (N,) uint64 codes of texts; case, punctuation and white space do not count.

    Combining marks count, because in many scripts they are the vowels. A text without any word
    keeps its signs, so that two emoji differ; the empty text has a code as any other.

    Args:
        texts: (N,) strings, no nulls.
    """
    return folded_words(texts).hash()


def folded_words(texts: pl.Series | pa.Array | pa.ChunkedArray) -> pl.Series:
    """Return (N,) texts as their lower-case words with one space between them.

    Text without any word keeps its signs.
    """
    given: Any = texts
    series = pl.Series("text", given, dtype=pl.String)
    folded = series.str.normalize("NFKC").str.to_lowercase()
    words = folded.str.replace_all(r"[^\w]+", " ").str.strip_chars()
    return words.zip_with(words != "", folded.str.strip_chars())
