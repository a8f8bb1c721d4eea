"""What a configuration must lose before it is published: secrets, server addresses, absolute paths.

A manifest with any of them would leak, and would differ between two machines that build the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

WITHHELD = "<withheld>"

_SECRET_KEY = re.compile(
    r"(api_?key|access_key|token|password|passwd|secret|credentials?|authorization)$", re.IGNORECASE
)
_SERVER_KEY = re.compile(r"(^|_)(urls?|servers?|hosts?|endpoints?)$", re.IGNORECASE)
_ABSOLUTE = re.compile(r"^(/|~|file:|[A-Za-z]:[\\/])\S")
_USER_OR_QUERY = re.compile(r"^(\w[\w+.-]*://)([^/@\s]*@)?([^?#\s]*)([?#]\S*)?$")


def publishable(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return `config` with what must not be published replaced.

    - Text under a key that names a secret, and under one that names a server, is withheld.
    - An absolute path keeps its last part only.
    - A URL loses user, password and query.

    Idempotent; everything else is unchanged.
    """
    return {key: _clean(key, value) for key, value in config.items()}


def private_values(config: Mapping[str, Any]) -> list[str]:
    """Return the dotted keys whose values `publishable` would change."""
    return list(_differences(config, publishable(config), ""))


def _clean(key: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        return {k: _clean(k, v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(key, item) for item in value]
    if not isinstance(value, str):
        return value
    if value and (_SECRET_KEY.search(key) or _SERVER_KEY.search(key)):
        return WITHHELD
    if _ABSOLUTE.match(value):
        return PurePath(value.removeprefix("file:").replace("\\", "/")).name or WITHHELD
    found = _USER_OR_QUERY.match(value)
    return found.group(1) + found.group(3) if found else value


def _differences(before: Any, after: Any, key: str) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if isinstance(before, Mapping):
        for name in before:
            yield from _differences(before[name], after[name], f"{key}.{name}" if key else name)
    elif isinstance(before, (list, tuple)):
        for number, pair in enumerate(zip(before, after, strict=True)):
            yield from _differences(*pair, f"{key}[{number}]")
    elif before != after:
        yield key
