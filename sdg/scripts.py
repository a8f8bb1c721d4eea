"""Which kind of letters a text is made of, for many texts at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

# Letters by script: "Script first-last first-last", code points in hexadecimal.
_LETTERS = """
Latn 41-5a 61-7a aa-aa ba-ba c0-d6 d8-f6 f8-2af 1e00-1eff 2c60-2c7f a722-a7ff ab30-ab6f fb00-fb06
Latn ff21-ff3a ff41-ff5a
Grek 370-37d 37f-386 388-3ff 1f00-1fff
Cyrl 400-52f 1c80-1c8f 2de0-2dff a640-a69f
Armn 531-587
Hebr 5d0-5f2 fb1d-fb4f
Arab 620-64a 66e-6d3 6d5-6d5 6ee-6ef 6fa-6ff 750-77f 8a0-8ff fb50-fdff fe70-fefc
Syrc 710-74f
Thaa 780-7bf
Deva 900-963 971-97f a8e0-a8ff
Beng 980-9e3 9f0-9ff
Guru a01-a5e a70-a76
Gujr a81-ae3 af9-aff
Orya b01-b63
Taml b82-bd7
Telu c00-c63
Knda c80-ce3
Mlym d00-d63
Sinh d81-ddf
Thai e01-e3a e40-e4e
Laoo e81-ecd
Tibt f40-fbc
Mymr 1000-103f 1050-109f
Geor 10a0-10ff 1c90-1cbf 2d00-2d2f
Hang 1100-11ff 3131-318e ac00-d7af
Ethi 1200-135a 1380-138f 2d80-2dde
Cher 13a0-13ff ab70-abbf
Khmr 1780-17d3
Mong 1820-18aa
Tfng 2d30-2d6f
Kana 3041-3096 30a1-30fa 31f0-31ff ff66-ff9d
Hani 3005-3007 3400-4dbf 4e00-9fff f900-faff 20000-3ffff
"""


# Which letters a written language is made of, where the script's name is not the letters' name.
_MIXED: dict[str, frozenset[str]] = {
    "Jpan": frozenset({"Kana", "Hani"}),
    "Kore": frozenset({"Hang", "Hani"}),
    "Hans": frozenset({"Hani"}),
    "Hant": frozenset({"Hani"}),
}


def letters_of(script: str) -> frozenset[str]:
    """Return the kinds of letters that a script (ISO 15924) is made of: of "Jpan", two."""
    return _MIXED.get(script, frozenset({script}))


@cache
def _letter_ranges() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], Any, list[str]]:
    ranges = []
    for line in _LETTERS.split("\n"):
        script, *spans = line.split() or [""]
        for span in spans:
            first, last = span.split("-")
            ranges.append((int(first, 16), int(last, 16), script))
    ranges.sort()
    names = sorted({script for _, _, script in ranges})
    return (
        np.array([r[0] for r in ranges], dtype=np.uint32),
        np.array([r[1] for r in ranges], dtype=np.uint32),
        np.array([names.index(r[2]) for r in ranges]),
        names,
    )


def shares_in(
    texts: Sequence[str], scripts: Sequence[str]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return how many letters each text has, and which share of them is of the script beside it.

    Args:
        texts: N texts.
        scripts: N scripts (ISO 15924), as in language tags: "Jpan" is kana and Chinese characters.

    Returns:
        (N,) letters of any kind in the table, and (N,) shares in [0, 1]; NaN for a text without
        letters, and where the table has no letters for the script.
    """
    names, counts = _letter_counts(texts)
    totals = counts.sum(axis=1)
    own = np.full(len(texts), np.nan)
    wanted = np.array(scripts, dtype=object)
    for script in set(scripts):
        columns = [names.index(name) for name in sorted(letters_of(script)) if name in names]
        rows = (wanted == script) & (totals > 0)
        if columns:
            own[rows] = counts[np.ix_(rows, columns)].sum(axis=1) / totals[rows]
    return totals, own


def _letter_counts(texts: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return the kinds of letters, S of them, and (N, S) how many of each a text has."""
    firsts, lasts, script_of_range, names = _letter_ranges()
    points = np.frombuffer("".join(texts).encode("utf-32-le", "replace"), dtype=np.uint32)
    rows = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    place = np.searchsorted(firsts, points, side="right") - 1
    is_letter = (place >= 0) & (points <= lasts[place])
    cell = rows[is_letter] * len(names) + script_of_range[place[is_letter]]
    counts = np.bincount(cell, minlength=len(texts) * len(names)).reshape(len(texts), len(names))
    return names, counts


def dominant_scripts(texts: Sequence[str]) -> list[str]:
    """Return the ISO 15924 code of the kind of letter that each text has most of.

    Args:
        texts: N texts; "replace" stands in for lone surrogates, which are no letters.

    Returns:
        N codes; "" for a text without letters. Of two equally frequent kinds the alphabetically
        first. Chinese characters are "Hani", both Japanese syllabaries "Kana".
    """
    names, counts = _letter_counts(texts)
    best = counts.argmax(axis=1)
    has_letters = counts.max(axis=1) > 0
    return [
        names[b] if has else "" for b, has in zip(best.tolist(), has_letters.tolist(), strict=True)
    ]
