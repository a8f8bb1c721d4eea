"""Which keys a section of a configuration may have, plug-ins that are named in it included."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BeforeValidator

from sdg.part import Part
from sdg.registry import Registry


def known_keys(location: Sequence[str | int], kind: type[Part], values: object) -> list[str]:
    """Return the keys of a section, sorted; [] if that cannot be told.

    Args:
        location: Keys and places in lists on the way to the section.
        kind: Of the whole configuration.
        values: The whole configuration; names in it decide which plug-in a section is of.
    """
    annotation: object = kind
    for part in location:
        own = _part_of(annotation, values)
        if own is not None and part in own.model_fields:
            field = own.model_fields[str(part)]
            annotation = Annotated[(field.annotation, *field.metadata, None)]
        else:
            annotation = _item_of(annotation)
        values = _child(values, part)
    found = _part_of(annotation, values)
    return [] if found is None else sorted(found.model_fields)


def _child(values: object, part: str | int) -> object:
    if isinstance(values, Mapping):
        return values.get(part)
    if isinstance(values, list | tuple) and isinstance(part, int) and part < len(values):
        return values[part]
    return None


def _part_of(annotation: object, value: object) -> type[Part] | None:
    """Return the class of a section; of a plug-in that which the value names."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    inner = typing.get_args(annotation)
    if typing.get_origin(annotation) is Annotated:
        for extra in inner[1:]:
            registry = getattr(getattr(extra, "func", None), "__self__", None)
            if isinstance(extra, BeforeValidator) and isinstance(registry, Registry):
                name = value.get(registry.key) if isinstance(value, Mapping) else None
                return registry[name] if name in set(registry) else None
        inner = inner[:1]
    elif typing.get_origin(annotation) in (tuple, list, dict):
        return None
    return next((own for one in inner if (own := _part_of(one, value)) is not None), None)


def _item_of(annotation: object) -> object:
    """Return what stands in a list or under the keys of a mapping."""
    inner = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _item_of(inner[0])
    if origin is dict:
        return inner[1]
    if origin in (tuple, list):
        return inner[0]
    return next((own for one in inner if (own := _item_of(one)) is not None), None)
