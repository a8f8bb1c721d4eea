"""What a language detector must be told about texts that mix scripts, or share one.

Names and code stand in Latin letters in every language ("PythonでJSONを読む方法"), and a Japanese
title may hold no kana ("東京都人口推移"), which detectors then call Chinese. Both are usual in
queries and would stop good ones.
"""

from __future__ import annotations

import re

_LATIN_WORD = re.compile(r"[0-9A-Za-z\u00c0-\u024f][0-9A-Za-z\u00c0-\u024f.+#'’&-]*")
# Han characters, and all that a text may hold beside them to count as nothing but Han.
_HAN = re.compile(r"[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def without_latin_names(text: str, script: str) -> str:
    """Return a text of another script without the Latin words that look like names or code.

    Such a word has a capital letter ("JSON", "iPhone"). Words without one stay: a whole sentence in
    a Latin language is still seen as one. A text of names only comes back as it is.

    Args:
        text: Any text.
        script: ISO 15924 of the language it is said to be in; of "Latn" nothing is taken out.
    """
    if script == "Latn" or not text:
        return text
    rest = _LATIN_WORD.sub(lambda match: match[0] if match[0] == match[0].lower() else " ", text)
    return rest if any(map(str.isalpha, rest)) else text


def may_be_japanese(text: str) -> bool:
    """Return whether a text whose letters are all Han could be Japanese as well as Chinese.

    It could if the Japanese character set (Shift JIS) has every one of them: a Chinese question
    nearly always holds a simplified character that it lacks ("什么时候", "为什么"). False for a
    text with other letters, or without any.
    """
    letters = [letter for letter in text if letter.isalpha() or _HAN.match(letter)]
    if not letters or not all(map(_HAN.match, letters)):
        return False
    try:
        "".join(letters).encode("shift_jis")
    except UnicodeEncodeError:
        return False
    return True
