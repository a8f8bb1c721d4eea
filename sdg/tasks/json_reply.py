"""Replies in JSON: the schemas that tasks ask for, and reading what came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sdg.llm import Candidate

STRING: Final[Mapping[str, Any]] = {"type": "string"}


def object_of(**properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of an object with exactly these keys, in this order."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def list_of(items: Mapping[str, Any], least: int, most: int) -> dict[str, Any]:
    """Return the JSON schema of a list of `least` to `most` items."""
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def any_list_of(items: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of a list of any length."""
    return {"type": "array", "items": items}


def whole_number(least: int, most: int) -> dict[str, Any]:
    """Return the JSON schema of an integer from `least` to `most`."""
    return {"type": "integer", "minimum": least, "maximum": most}


def one_of(*values: str) -> dict[str, Any]:
    """Return the JSON schema of one of these strings."""
    return {"type": "string", "enum": list(values)}


def read_object(candidate: Candidate, schema: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the JSON object in a reply and "", or nothing and a reason.

    Strings, numbers, lists and objects are checked against the schema; a reply cut by
    `max_tokens` never counts. Half of a surrogate pair, which JSON can spell and neither a table
    nor a prompt can hold, is left out.

    Reasons: `truncated`, `empty_reply`, `invalid_json`, `wrong_json_schema`.
    """
    if candidate.finish_reason == "length":
        return {}, "truncated"
    text = candidate.text.strip()
    if not text:
        return {}, "empty_reply"
    try:
        value = json.loads(text)
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "ignore"))
    except (ValueError, RecursionError):
        return {}, "invalid_json"
    if not isinstance(value, dict) or not obeys(value, schema):
        return {}, "wrong_json_schema"
    return value, ""


def obeys(value: Any, schema: Mapping[str, Any]) -> bool:  # noqa: ANN401 - a JSON value
    """Return whether a value is as the schemas made here can say; everything obeys {}."""
    if not schema:
        return True
    kind = schema["type"]
    if kind == "object":
        properties = schema["properties"]
        return (
            isinstance(value, dict)
            and value.keys() == properties.keys()
            and all(obeys(value[name], part) for name, part in properties.items())
        )
    if kind == "array":
        return (
            isinstance(value, list)
            and schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
            and all(obeys(item, schema["items"]) for item in value)
        )
    if kind == "integer":
        # True and False are numbers to Python.
        low, high = schema.get("minimum"), schema.get("maximum")
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return is_number and (low is None or value >= low) and (high is None or value <= high)
    return isinstance(value, str) and value in schema.get("enum", (value,))
