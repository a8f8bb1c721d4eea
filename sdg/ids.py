"""Text normalisation and content-hash ids: the only place where either is decided."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from typing import Any

# Category Cc without tab and line feed, lone surrogates, byte-order mark.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")
_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_WORD = re.compile(r"\w+")
_SIGN = re.compile(r"[^\w\s]")


def normalise_text(text: str) -> str:
    """Return `text` in NFC, with control characters removed and runs of white space folded.

    Line breaks are kept (at most one blank line in a row); every other control character (category
    Cc), the byte-order mark and lone surrogates are removed. Idempotent.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _CONTROLS.sub("", text)
    text = unicodedata.normalize("NFC", text)
    text = _SPACES.sub(" ", text)
    text = "\n".join(line.strip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", text).strip()


# Documents that share more than this part of their distinct words (in both / in either) are nearly
# one: CodeR's bound (arXiv 2505.12697), which every finished row is checked against.
MAX_WORD_JACCARD = 0.95


def comparison_key(text: str) -> str:
    """Return the key under which two texts count as exactly equal: words only, case folded, NFKC.

    Punctuation, case, accents' encoding and white space do not count; combining marks do, because
    in many scripts they are the vowels. Text without any word character keeps its characters, so
    that two different emoji stay different.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    marks = {sign for sign in _SIGN.findall(folded) if unicodedata.category(sign)[0] == "M"}
    if not marks:
        return " ".join(_WORD.findall(folded)) or folded.strip()
    pieces = _SIGN.sub(lambda sign: sign[0] if sign[0] in marks else " ", folded).split()
    return " ".join(piece for piece in pieces if _WORD.search(piece)) or folded.strip()


def content_id(prefix: str, *parts: str) -> str:
    """Return `prefix` + 32 hex digits that depend on every part and on where each one ends."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return prefix + digest.hexdigest()


def canonical_json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return the one JSON text of `value`: sorted keys, no spaces, UTF-8, no NaN.

    Raises:
        ValueError: If `value` holds NaN or infinity.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def fingerprint(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return the sha256 (64 hex digits) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def seed_for(seed: int, *parts: str) -> int:
    """Return a 63-bit seed that depends on the run's seed and on `parts`, and on nothing else.

    Used wherever a row needs randomness: the same row gets the same draw whatever its shard.
    """
    digest = hashlib.blake2b(digest_size=8)
    digest.update(str(seed).encode())
    for part in parts:
        digest.update(b"\x00" + part.encode("utf-8"))
    return int.from_bytes(digest.digest(), "big") >> 1
