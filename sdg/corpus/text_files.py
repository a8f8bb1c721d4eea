"""What all readers of text files share: encodings and what is said when one is wrong."""

from __future__ import annotations

import codecs

from sdg.errors import ConfigError, DataError


def check_encoding(encoding: str) -> str:
    """Return `encoding` if Python knows it.

    Raises:
        ConfigError: If it does not.
    """
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise ConfigError(
            f"`encoding` must be the name of a text encoding, but is {encoding!r} instead. "
            "Usual ones: utf-8, utf-16, latin-1, cp1252, shift_jis, gb18030."
        ) from error
    return encoding


def not_in_encoding(source_key: str, encoding: str) -> DataError:
    """Return the error for a document whose bytes are not text in `encoding`."""
    return DataError(
        f"Document `{source_key}` must be text in `encoding` = {encoding!r}, but is not. Set "
        "`encoding` to what the file is written in, write it again as UTF-8, or set "
        "`on_bad_text: reject` to go on without such documents."
    )
