"""What a language is called in English; the only file that knows Babel, whose names are CLDR's."""

from __future__ import annotations

import re
from functools import cache

from babel import Locale
from babel.core import get_global

from sdg.errors import ConfigError

_TAG = re.compile(r"([a-z]{3})-([A-Z][a-z]{3})")
_SCRIPT_LENGTH = 4


@cache
def english_name(language: str) -> str:
    """Return the English name of a language: "Thai" for "tha-Thai".

    A script is named only where it is not the language's usual one ("Serbian in Latin script"), or
    where English has a name for the two together ("Simplified Chinese").

    Args:
        language: ISO 639-3 + script.

    Raises:
        ConfigError: If the tag is malformed, or CLDR has no English name for a part of it.
    """
    match = _TAG.fullmatch(language)
    if match is None:
        raise ConfigError(
            f"A language must be ISO 639-3 with ISO 15924, like 'tha-Thai', but is {language!r} "
            "instead. Write the language in that form."
        )
    english = Locale("en")
    code, script = _cldr_code(match[1]), match[2]
    together = english.languages.get(f"{code}_{script}")
    if together:
        return together
    name, script_name = english.languages.get(code), english.scripts.get(script)
    if not name or not script_name:
        raise ConfigError(
            f"A language must have an English name in CLDR's list, but {language!r} has none. "
            "Correct the code, or add a prompt in that language, which names it itself."
        )
    return name if script == _usual_script(code) else f"{name} in {script_name} script"


def _cldr_code(code: str) -> str:
    """Return the code that CLDR files a language under: "de" for "deu", "ceb" for "ceb"."""
    aliases: dict[str, str] = dict(get_global("language_aliases"))
    return aliases.get(code, code)


def _usual_script(code: str) -> str:
    """Return the script CLDR thinks likeliest: "Latn" for "de", which it spells de_Latn_DE."""
    likely = str(get_global("likely_subtags").get(code, ""))
    return next((part for part in likely.split("_") if len(part) == _SCRIPT_LENGTH), "")
