"""Texts without case, punctuation and spaces: what counts as the same, by the column.

`sdg.ids.comparison_key` decides the same for one text in Python; this is for millions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from data_cards.audit.audited_set import Texts
from data_cards.audit.metric import AuditContext
from data_cards.audit.text_scan import scan_texts

Keys = npt.NDArray[np.uint64]

# Scripts that put no space between words: every character is a word of its own.
_SPACELESS = r"([\p{Han}\p{Hiragana}\p{Katakana}\x{30FC}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])"


def folded(texts: pl.Series) -> pl.Series:
    """Return texts in NFKC, lower case, with every run of other than word characters one space.

    A text without any word character keeps its characters, so that two emoji stay different.
    """
    plain = texts.str.normalize("NFKC").str.to_lowercase()
    words = plain.str.replace_all(r"[^\w]+", " ").str.strip_chars()
    return words.zip_with(words.str.len_bytes() > 0, plain.str.strip_chars())


def folded_words(texts: pl.Series) -> pl.Series:
    """Return `folded` texts with words between single spaces in every script."""
    spaced = folded(texts).str.replace_all(_SPACELESS, " $1 ")
    return spaced.str.replace_all(" +", " ").str.strip_chars()


def folded_keys(texts: Texts, context: AuditContext) -> Keys:
    """Return a (U,) 64-bit hash of each folded text: equal texts have equal keys.

    Two different ones among a million meet once in ten million runs.
    """
    parts = [np.empty(0, np.uint64)]
    parts.extend(
        scan_texts(texts, lambda _first, block: folded(block).hash(seed=0).to_numpy(), context)
    )
    return np.concatenate(parts)
