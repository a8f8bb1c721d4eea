"""Every text within a JSON value: where something that must not be published may hide."""

from __future__ import annotations

import json
from collections.abc import Iterator


def text_leaves(value: object) -> Iterator[str]:
    """Yield every text within a JSON value; a text that is JSON itself is opened as well."""
    if isinstance(value, str):
        yield value
        if value.lstrip()[:1] in {"{", "[", '"'}:
            try:
                inner = json.loads(value)
            except (ValueError, RecursionError):
                return  # not JSON after all, as a reply may be
            yield from text_leaves(inner)
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from text_leaves(part)
