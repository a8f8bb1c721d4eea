"""Manifests as files: built from fields or read back, and whole either way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from data_cards import layout
from sdg import store
from sdg.errors import ContractError, DataError
from sdg.part import Part

M = TypeVar("M", bound=Part)


def checked(kind: type[M], fields: Mapping[str, Any]) -> M:
    """Return the manifest with these fields, for code that writes one.

    Raises:
        ContractError: If a field is missing or a law does not hold; the message lists all faults.
    """
    try:
        return kind.model_validate(dict(fields))
    except ValidationError as error:
        raise ContractError(
            f"The manifest must be complete and its counts must add up, but it is not. {error}"
        ) from error


def read_manifest(kind: type[M], directory: Path, what: str, cure: str) -> M:
    """Return the manifest of the finished directory.

    Args:
        kind: Its model.
        directory: That of a data set.
        what: Which manifest it must be, for the message.
        cure: What to do if it is not.

    Raises:
        DataError: If there is none, or it is damaged, of another kind or version, or breaks a law.
    """
    layout.check_directory(directory)
    path = directory / layout.MANIFEST
    value = store.read_json(path)
    wanted = _kind_of({name: field.default for name, field in kind.model_fields.items()})
    if _kind_of(value) != wanted:
        raise DataError(
            f"`{path}` must be {what}, but is of what `pairmill {_kind_of(value) or 'build'}` and "
            f"the like write instead. {cure}"
        )
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise DataError(
            f"`{path}` must be {what}, but `{where}` is wrong: {first['msg']} "
            f"({error.error_count()} faults). {cure}"
        ) from error


def _kind_of(manifest: Any) -> str:  # noqa: ANN401 - any JSON value
    found = manifest.get("kind", "") if isinstance(manifest, Mapping) else ""
    return found if isinstance(found, str) else ""
