"""Cut one text into chunks of whole sentences."""

from __future__ import annotations

import unicodedata

import sentencex

from sdg.corpus.contract import CorpusConfig
from sdg.language import two_letter_code


def split_text(text: str, language: str, config: CorpusConfig) -> list[str]:
    """Return the chunks of `text` in order.

    Every word of the text is in exactly one chunk; a sentence is cut only if it is longer than
    `max_characters` alone, at white space where there is any.

    Args:
        text: Normalised text.
        language: As `fra-Latn`; decides which abbreviations do not end a sentence.
        config: The bounds.

    Returns:
        At least one chunk for a text that is not blank, each without white space around it.
    """
    if not config.chunk:
        return [text] if text.strip() else []
    chunks = _joined_sentences(_sentences(text, language, config.max_characters), config)
    return _with_short_tail_joined(chunks, config)


def _sentences(text: str, language: str, max_characters: int) -> list[str]:
    """Return pieces that give `text` when joined: sentences with the white space after them."""
    pieces: list[str] = []
    for sentence in sentencex.segment(two_letter_code(language) or "en", text):
        rest = sentence
        while len(rest.rstrip()) > max_characters:
            cut = _cut_position(rest, max_characters)
            pieces.append(rest[:cut])
            rest = rest[cut:]
        if rest:
            pieces.append(rest)
    return pieces


def _cut_position(text: str, limit: int) -> int:
    """Return where to cut so that at most `limit` characters come before: 1 <= position <= limit.

    After the last white space if there is any, and never between a letter and its accents.
    """
    for position in range(limit, 0, -1):
        if text[position - 1].isspace() and text[:position].strip():
            return position
    position = limit
    while position > 1 and unicodedata.combining(text[position]):
        position -= 1
    return limit if unicodedata.combining(text[position]) else position


def _joined_sentences(sentences: list[str], config: CorpusConfig) -> list[str]:
    chunks: list[str] = []
    chunk, count = "", 0
    for sentence in sentences:
        is_full = config.max_sentences is not None and count == config.max_sentences
        is_long = len((chunk + sentence).strip()) > config.max_characters
        if sentence.strip() and chunk.strip() and (is_full or is_long):
            chunks.append(chunk)
            chunk, count = "", 0
        chunk += sentence
        count += bool(sentence.strip())
    return [*chunks, chunk] if chunk.strip() else chunks


def _with_short_tail_joined(chunks: list[str], config: CorpusConfig) -> list[str]:
    if len(chunks) > 1 and len(chunks[-1].strip()) < config.min_characters:
        joined = chunks[-2] + chunks[-1]
        if len(joined.strip()) <= config.max_characters:
            chunks = [*chunks[:-2], joined]
    return [chunk.strip() for chunk in chunks]
