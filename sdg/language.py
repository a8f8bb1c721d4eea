"""Which language a text is written in; the only file that knows lingua.

A language is written `fra-Latn`: ISO 639-3, then ISO 15924. lingua names the language; the script
is counted from the letters themselves, because lingua does not tell it.

lingua adds up its logarithms in an order that differs between processes, so the last bits of a
score do too. Scores are rounded to four decimals before anyone sees or compares them.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sdg.errors import ConfigError
from sdg.mixed_scripts import may_be_japanese, without_latin_names
from sdg.scripts import dominant_scripts, letters_of

UNDETERMINED = "und"
_DECIMALS = 4
_PIECE_CHARACTERS = 100
_MAX_PIECES = 20
_FULL_TAG = re.compile(r"[a-z]{3}-[A-Z][a-z]{3}")

_SCRIPT_OF_LETTERS = {"Kana": "Jpan", "Hang": "Kore"}

_USUAL_SCRIPT = {
    **dict.fromkeys(("ara", "fas", "urd"), "Arab"),
    **dict.fromkeys(("bel", "bul", "kaz", "mkd", "mon", "rus", "srp", "ukr"), "Cyrl"),
    **dict.fromkeys(("hin", "mar"), "Deva"),
    "ben": "Beng",
    "ell": "Grek",
    "guj": "Gujr",
    "heb": "Hebr",
    "hye": "Armn",
    "jpn": "Jpan",
    "kat": "Geor",
    "kor": "Kore",
    "pan": "Guru",
    "tam": "Taml",
    "tel": "Telu",
    "tha": "Thai",
    "zho": "Hans",
}


class Identified(NamedTuple):
    """What the detector says about one text.

    Attributes:
        language: `fra-Latn`, or `und` if the text has no letters or is in no language it knows.
        score: Confidence in [0, 1], higher is surer; 0 for `und`.
    """

    language: str
    score: float


class Verified(NamedTuple):
    """What the detector says about one text and about the language it is said to be in.

    Attributes:
        detected: As `identify_languages` gives it.
        claimed_score: Confidence in [0, 1] that the claim is right; NaN if there is no claim or
            the detector does not know the claimed language or cannot tell; see `confidence_in`.
    """

    detected: Identified
    claimed_score: float


def identify_languages(
    texts: Sequence[str], max_characters: int = 300, among: Sequence[str] = ()
) -> list[Identified]:
    """Return the most likely language of every text.

    Fast rather than sure: from 120 letters on lingua looks at trigrams only, and then takes about
    one English, French or Spanish encyclopaedia text in eighty for another language, mostly Latin.
    Where a language is claimed, `verify_languages` looks twice.

    Args:
        texts: N texts.
        max_characters: Only so many characters from the start of each text are looked at.
        among: If given, at least two languages, the only ones considered: faster, surer on short
            texts, and wrong on any text in another language.

    Returns:
        N results in the order of `texts`; an empty list for no texts.

    Raises:
        ConfigError: If `among` holds a language that the detector does not know.
    """
    claims = [""] * len(texts)
    return [verified.detected for verified in _look(texts, claims, max_characters, among)]


def confidence_in(
    texts: Sequence[str],
    languages: Sequence[str],
    max_characters: int = 300,
    among: Sequence[str] = (),
) -> npt.NDArray[np.float32]:
    """Return how sure the detector is that each text is written in the language beside it.

    A short query is hard: over all 75 languages even a right one often gets less than 0.5. With
    `among` set to the languages that can occur, the score tells those apart only.

    Args:
        texts: N texts.
        languages: N languages, as `fra-Latn`.
        max_characters: As for `identify_languages`.
        among: As for `identify_languages`.

    Returns:
        (N,) float32 in [0, 1]; 0 where the letters are of another script or there are none; NaN
        where the detector does not know the language, or `among` leaves it out, and for a claim of
        Japanese about Chinese characters that both languages use. Where the claim is in another
        script than Latin, Latin words with a capital (names, code) are not looked at.

    Raises:
        ConfigError: If `among` holds a language that the detector does not know.
    """
    looks = _look(texts, languages, max_characters, among)
    return np.array([look.claimed_score for look in looks], dtype=np.float32)


def verify_languages(
    texts: Sequence[str],
    claims: Sequence[str],
    max_characters: int = 300,
    among: Sequence[str] = (),
) -> list[Verified]:
    """Return what each text is written in and how sure the claim about it is.

    A text whose claim loses the first look is looked at again in pieces of 100 characters, on
    which lingua uses n-grams up to five: the mean over the pieces counts. Without this, 2 % of
    Wikipedia's abstracts would be taken for Latin or Tagalog because of the names in them.

    Args:
        texts: N texts.
        claims: N languages as `fra-Latn`, "" where nothing is claimed.
        max_characters: As for `identify_languages`; the second look reads up to 2,000 characters.
        among: As for `identify_languages`.

    Returns:
        N results in the order of `texts`.

    Raises:
        ConfigError: If `among` holds a language that the detector does not know.
    """
    looks = _look(texts, claims, max_characters, among)
    lost = [row for row, look in enumerate(looks) if look.claimed_score < look.detected.score]
    again = _look_closely([texts[row] for row in lost], [claims[row] for row in lost], among)
    for row, look in zip(lost, again, strict=True):
        looks[row] = look
    return looks


def _look(
    texts: Sequence[str], claims: Sequence[str], max_characters: int, among: Sequence[str]
) -> list[Verified]:
    """Return one result per text after one call of the detector."""
    if not texts:
        return []
    starts = [
        without_latin_names(text[:max_characters], _script(claim))
        for text, claim in zip(texts, claims, strict=True)
    ]
    scripts = dominant_scripts(starts)
    codes = _known_codes(among)
    return [
        _verified(scores, script, claim, codes, start)
        for scores, script, claim, start in zip(
            _scores(starts, codes), scripts, claims, starts, strict=True
        )
    ]


def _look_closely(
    texts: Sequence[str], claims: Sequence[str], among: Sequence[str]
) -> list[Verified]:
    """Return one result per text from the mean scores of its pieces."""
    codes = _known_codes(among)
    pieces = [
        textwrap.wrap(without_latin_names(text, _script(claim)), _PIECE_CHARACTERS)[:_MAX_PIECES]
        for text, claim in zip(texts, claims, strict=True)
    ]
    scores = _scores([piece for own in pieces for piece in own], codes)
    scripts = dominant_scripts(["".join(own) for own in pieces])
    results = []
    for own, script, claim in zip(pieces, scripts, claims, strict=True):
        totals: Counter[str] = Counter()
        for _ in own:
            totals.update(next(scores))
        means = {code: round(total / len(own), _DECIMALS) for code, total in totals.items()}
        results.append(_verified(means, script, claim, codes, "".join(own)))
    return results


def _scores(texts: Sequence[str], codes: tuple[str, ...]) -> Iterator[dict[str, float]]:
    """Yield per text the languages that score above 0, rounded."""
    detector, names = _detector(codes)
    for answer in detector.compute_language_confidence_values_in_parallel(list(texts)):
        scores: dict[str, float] = {}
        for entry in answer:
            score = round(entry.value, _DECIMALS)
            if score == 0:
                break
            scores[names[entry.language]] = score
        yield scores


def _verified(
    scores: Mapping[str, float], script: str, claim: str, codes: tuple[str, ...], text: str
) -> Verified:
    # Equal scores: the alphabetically first language, so that no order of the detector's decides.
    best = min(scores, key=lambda code: (-scores[code], code), default="")
    is_known = bool(best and script)
    detected = Identified(
        _tag(best, script) if is_known else UNDETERMINED, scores[best] if is_known else 0.0
    )
    if _code(claim) == "jpn" and script == "Hani" and may_be_japanese(text):
        return Verified(detected, float("nan"))
    return Verified(detected, _claimed_score(scores, script, claim, codes))


def language_tag(value: str) -> str:
    """Return a language written in any usual way as ISO 639-3 + script: "fr", "fra", "fr-FR".

    Raises:
        ConfigError: If `value` is not in full and not a language that the detector knows.
    """
    if value == UNDETERMINED or _FULL_TAG.fullmatch(value):
        return value
    first = re.split("[-_]", value.strip().lower(), maxsplit=1)[0]
    code = _codes_by_name().get(first)
    if code is None:
        raise ConfigError(
            f"A language must be ISO 639-3 with ISO 15924, like 'fra-Latn', but is {value!r} "
            "instead. Short forms ('fr', 'fra') are known for the detector's 75 languages only; "
            "write the language in full."
        )
    return f"{code}-{_USUAL_SCRIPT.get(code, 'Latn')}"


def two_letter_code(language: str) -> str:
    """Return the ISO 639-1 code of `fra-Latn`, "" if the detector does not know the language."""
    return _two_letter_codes().get(_code(language), "")


def unload_models() -> None:
    """Give back the memory of lingua's models (up to 0.5 GB); they load again when needed."""
    _detector(())[0].unload_language_models()


def _claimed_score(
    scores: Mapping[str, float], script: str, claim: str, codes: tuple[str, ...]
) -> float:
    code, _, wanted = claim.partition("-")
    if code not in (codes or _two_letter_codes()):
        return float("nan")
    if script not in letters_of(wanted):
        return 0.0
    return scores.get(code, 0.0)


def _tag(code: str, letters: str) -> str:
    """Return the language with its script; Japanese, Korean and Chinese mix kinds of letters."""
    usual = _USUAL_SCRIPT.get(code, "Latn")
    if letters in letters_of(usual):
        return f"{code}-{usual}"
    return f"{code}-{_SCRIPT_OF_LETTERS.get(letters, letters)}"


def _known_codes(languages: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({_code(language_tag(language)) for language in languages}))


def _code(language: str) -> str:
    return language.partition("-")[0]


def _script(language: str) -> str:
    """Return the script of a tag; "Latn" of none, for which no name is taken out."""
    return language.partition("-")[2] or "Latn"


@cache
def _detector(codes: tuple[str, ...]) -> tuple[Any, dict[Any, str]]:
    """Return lingua's detector for `codes`, for all languages if empty; built once per process."""
    from lingua import LanguageDetectorBuilder

    names = _all_languages()
    unknown = sorted(set(codes) - set(names.values()))
    if unknown or len(codes) == 1:
        raise ConfigError(
            f"`among` must hold at least two languages that the detector knows, but is {codes} "
            f"instead. Known: {', '.join(sorted(names.values()))}."
        )
    chosen = {k: v for k, v in names.items() if not codes or v in codes}
    detector = LanguageDetectorBuilder.from_languages(
        *sorted(chosen, key=names.__getitem__)
    ).build()
    return detector, chosen


@cache
def _all_languages() -> dict[Any, str]:
    from lingua import Language

    return {language: language.iso_code_639_3.name.lower() for language in Language.all()}


@cache
def _two_letter_codes() -> dict[str, str]:
    return {
        code: language.iso_code_639_1.name.lower() for language, code in _all_languages().items()
    }


@cache
def _codes_by_name() -> dict[str, str]:
    short = {two: three for three, two in _two_letter_codes().items()}
    return short | {three: three for three in _two_letter_codes()}
