"""Texts as bags of terms for BM25, in every script.

A term is a run of letters, digits and combining marks, lower-cased after NFKC. Scripts without
spaces between words (Han, Kana, Thai, Lao, Khmer, Burmese) give every pair of neighbouring
characters instead, and a character that stands alone gives itself, as Lucene's analyser for
Chinese, Japanese and Korean does. No stemming and no list of stop words: frequent terms weigh
little anyway, and nothing has to know the language.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

# Raised by hand when the same text gives other terms than before.
TERMS_VERSION = 1

# The mark of long vowels belongs to no script, and to both syllabaries.
_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\x{30FC}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_RUN = rf"[{_SPACELESS}]+|[\w--[{_SPACELESS}]]+"


def split_terms(texts: pa.Array | pa.ChunkedArray) -> pl.DataFrame:
    """Return every term of every text.

    Args:
        texts: (N,) strings, no nulls.

    Returns:
        `row` (uint32, 0-based) and `term`, one line per occurrence, in no order inside a row; rows
        without terms have no line.
    """
    runs = (
        pl.DataFrame({"term": pl.Series(texts, dtype=pl.String)})
        .with_row_index("row")
        .with_columns(_column().str.normalize("NFKC").str.to_lowercase().str.extract_all(_RUN))
        .explode("term", empty_as_null=True)
        .drop_nulls("term")
    )
    is_spaceless = _column().str.contains(rf"^[{_SPACELESS}]")
    is_single = _column().str.len_chars() == 1
    whole = runs.filter(~is_spaceless | is_single)
    longer = runs.filter(is_spaceless & ~is_single)
    # Pairs that begin at even and at odd characters.
    even = longer.with_columns(_column().str.extract_all("(?s)..")).explode("term")
    odd = longer.with_columns(_column().str.slice(1).str.extract_all("(?s).."))
    odd = odd.explode("term", empty_as_null=True).drop_nulls("term")
    return pl.concat([whole, even, odd])


def _column() -> pl.Expr:
    return pl.col("term")
