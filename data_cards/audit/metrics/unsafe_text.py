"""Markup, scripts, hidden characters and broken encodings inside texts."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.flagged import measure_flags
from data_cards.audit.measurement import Measurement
from data_cards.audit.metric import METRICS, AuditContext, Metric
from data_cards.audit.text_scan import scan_texts

_TAGS = (
    "a|b|body|br|button|div|em|embed|form|h[1-6]|head|html|i|iframe|img|input|li|link|meta|object|"
    "ol|p|pre|script|span|strong|style|sub|sup|svg|table|tbody|td|th|tr|u|ul|video"
)
_PATTERNS = {
    "html_tag": rf"(?i)</?(?:{_TAGS})(?:\s[^<>]{{0,500}})?/?>",
    "script": (
        r"(?i)<\s*script|\bjavascript:\S|\bvbscript:\S|\bdata:text/html"
        r"|<[^<>]{0,200}\son[a-z]{3,20}\s*="
    ),
    "template_braces": r"\{\{[^{}]{1,200}\}\}|\{%[^{}]{1,200}%\}|\$\{[^{}]{1,200}\}|<%",
    # All of category Cc but tab, line feed and carriage return.
    "control_character": r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}]",
    "bidi_control": r"[\x{202a}-\x{202e}\x{2066}-\x{2069}]",
    # Joiners are left out: Persian, Indic scripts and emoji need them.
    "zero_width_character": r"[\x{200b}\x{2060}-\x{2064}\x{feff}]",
    "replacement_character": r"\x{fffd}",
}
# The first byte of a character of several bytes, read as one character, and then a second one; or
# what Mac Roman makes of them. ftfy decides.
_BROKEN = r"[Â-ôĂ-ůАР-я√∂‚][\x{80}-\x{bf}ŒœŠšŸŽžƒˆ˜–—‘’‚“”„†‡•…‰‹›€™Ä∫©®≥†≤ºΩ°∞±¥µ]"


@METRICS.register("unsafe_text")
class UnsafeText(Metric):
    """Looks for what a page or terminal would act on, for what nobody sees, and for mojibake.

    Attributes:
        max_characters: Longer texts are named; own.
    """

    title: ClassVar[str] = "Unsafe and broken text"
    about: ClassVar[str] = (
        "Markup and mojibake are noise that an encoder learns; scripts and hidden characters act "
        "on whoever shows the text, so every share should be 0."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "query_share",
        "document_share",
        "html_tag_query_share",
        "html_tag_document_share",
        "script_query_share",
        "script_document_share",
        "template_braces_query_share",
        "template_braces_document_share",
        "control_character_query_share",
        "control_character_document_share",
        "bidi_control_query_share",
        "bidi_control_document_share",
        "zero_width_character_query_share",
        "zero_width_character_document_share",
        "replacement_character_query_share",
        "replacement_character_document_share",
        "mojibake_query_share",
        "mojibake_document_share",
        "very_long_query_share",
        "very_long_document_share",
    )
    max_characters: int = Field(default=100_000, ge=1)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return the share of rows and documents with each; all texts are looked at."""
        blank = _frame(0, np.empty(0, np.int64), "", [])
        flags = pl.concat([blank, *scan_texts(data.texts, self._look, context)])
        return measure_flags(self.name, data, flags, (*_PATTERNS, "mojibake", "very_long"), context)

    def _look(self, first: int, block: pl.Series) -> pl.DataFrame:
        """Return one line per text and kind: `place`, `kind`, `detail`."""
        found = []
        for kind, pattern in _PATTERNS.items():
            places = block.str.contains(pattern).arg_true()
            details = block.gather(places).str.extract(f"({pattern})").fill_null("")
            found.append(_frame(first, places.to_numpy(), kind, details.str.slice(0, 80)))
        sizes = block.str.len_chars()
        places = (sizes > self.max_characters).arg_true()
        details = sizes.gather(places).cast(pl.String) + " characters"
        found.append(_frame(first, places.to_numpy(), "very_long", details))
        broken, seen = _mojibake(block)
        found.append(_frame(first, broken, "mojibake", seen))
        return pl.concat(found)


def _mojibake(block: pl.Series) -> tuple[np.ndarray, list[str]]:
    """Return the places of texts that ftfy takes for wrongly decoded, and what gave them away."""
    from ftfy.badness import BADNESS_RE

    places, seen = [], []
    suspects = block.str.contains(_BROKEN).arg_true()
    for place, text in zip(suspects.to_list(), block.gather(suspects).to_list(), strict=True):
        match = BADNESS_RE.search(text)
        if match:
            places.append(place)
            seen.append(text[max(0, match.start() - 10) : match.end() + 10])
    return np.array(places, np.int64), seen


def _frame(
    first: int, places: np.ndarray, kind: str, details: pl.Series | list[str]
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "place": pl.Series(places.astype(np.int64) + first, dtype=pl.Int64),
            "detail": pl.Series(details, dtype=pl.String),
        }
    ).select("place", pl.lit(kind).alias("kind"), "detail")
