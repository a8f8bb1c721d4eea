"""Settings from a YAML file: read, overridden key by key, every wrong one named."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from data_cards.privacy import publishable
from flows.known_keys import known_keys
from sdg.errors import ConfigError, PairmillError
from sdg.part import Part

S = TypeVar("S", bound=Part)
_MERGE = "tag:yaml.org,2002:merge"
_LANGUAGE = "[a-z]{3}-[A-Z][a-z]{3}"


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping: YAML would keep the last one only."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:  # noqa: ANN401 - PyYAML's
        """Return the mapping as it is written; what is merged into it comes later.

        Raises:
            yaml.YAMLError: If a key stands there twice.
        """
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            line = key.start_mark.line + 1
            before = seen.setdefault((key.tag, key.value), line)
            if before != line:
                raise yaml.YAMLError(
                    f"the key `{key.value}` stands twice in one section, in lines {before} and "
                    f"{line}; merge the two"
                )
        return node


def _load(text: str) -> Any:  # noqa: ANN401 - whatever YAML says
    return yaml.load(text, _UniqueKeys)  # noqa: S506 - a safe loader


def read_settings(file: Path | None, overrides: Sequence[str]) -> dict[str, Any]:
    """Return the settings in a YAML file with overrides applied; without a file, these alone.

    Raises:
        ConfigError: If the file is missing or no mapping, or an override is malformed.
    """
    values: Any = {}
    try:
        if file is not None:
            values = _load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            f"`{file}` must be a readable YAML file, but reading it gave: {error}. "
            "Correct the file at the place named."
        ) from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"`{file}` must hold a mapping of settings, but holds {type(values).__name__} instead. "
            "Start from one of the presets: pairmill build demo."
        )
    apply_overrides(values, overrides)
    return values


def apply_overrides(values: dict[str, Any], overrides: Sequence[str]) -> None:
    """Change settings in place, as `--set KEY=VALUE` does.

    Raises:
        ConfigError: If an override is malformed.
    """
    for override in overrides:
        _apply(values, override)


def parse_settings(values: Mapping[str, Any], name: str, kind: type[S]) -> S:
    """Return settings of `kind`; `name` says in errors where they came from.

    Raises:
        ConfigError: If a key is unknown or a value cannot work; the message names each.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = error.errors()
        lines = [
            _explain(problem, kind, values)
            for problem in problems
            if not _follows(problem, problems)
        ]
        raise ConfigError(f"`{name}` cannot work:\n" + "\n".join(lines)) from error
    except PairmillError as error:
        raise ConfigError(f"`{name}` cannot work: {error}") from error


def _apply(values: dict[str, Any], override: str) -> None:
    key, sign, text = override.partition("=")
    if not sign or not key:
        raise ConfigError(
            f"`--set` must be KEY=VALUE, but is {override!r} instead. Example: --set seed=7."
        )
    *parents, last = key.split(".")
    target: Any = values
    for part in parents:
        if isinstance(target, list) and part.isdigit() and int(part) < len(target):
            target = target[int(part)]
        elif isinstance(target, dict):
            target = target.setdefault(part, {})
        else:
            raise ConfigError(
                f"`--set {override}` must name a setting, but {part!r} is not a key there. "
                "List items are named by number, from 0."
            )
    try:
        value = _load(text)
    except yaml.YAMLError as error:
        raise ConfigError(
            f"`--set {key}` must be given a YAML value, but {text!r} is none: {error}. "
            "Quote it, e.g. --set 'name=\"a b\"'."
        ) from error
    if isinstance(target, list) and last.isdigit() and int(last) < len(target):
        target[int(last)] = value
    elif isinstance(target, dict):
        target[last] = value
    else:
        raise ConfigError(
            f"`--set {override}` must name a setting, but {last!r} is not a key there. "
            "List items are named by number, from 0."
        )


def _follows(problem: Mapping[str, Any], problems: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a list is too short only because what stands in it cannot work."""
    place = problem["loc"]
    inside = (p["loc"] for p in problems if len(p["loc"]) > len(place))
    return problem["type"] == "too_short" and any(loc[: len(place)] == place for loc in inside)


def _explain(problem: Mapping[str, Any], kind: type[Part], values: Mapping[str, Any]) -> str:
    where = ".".join(str(p) for p in problem["loc"])
    if problem["type"] == "missing":
        return f"  `{where}` must be given, but is missing. The preset demo.yaml explains each key."
    value = "a section"
    if isinstance(problem["input"], str | int | float | bool | None):
        value = repr(publishable({where.rpartition(".")[2]: problem["input"]}).popitem()[1])
    if problem["type"] == "extra_forbidden":
        known = known_keys(problem["loc"][:-1], kind, values)
        close = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        hint = f" Did you mean `{close[0]}`?" if close else ""
        listing = f" Known keys there: {', '.join(known)}." if known else ""
        return f"  `{where}` is an unknown key (value {value}).{hint}{listing}"
    said = _said(problem)
    if value == "a section":
        # A section or the whole file: naming the key says more than printing all of it.
        return f"  `{where}`: {said}." if where else f"  {said}."
    return f"  `{where}` is {value}: {said}."


def _said(problem: Mapping[str, Any]) -> str:
    """Return what must hold, without the library's own words around it and a full stop."""
    if problem["type"] == "string_pattern_mismatch" and _LANGUAGE in problem["ctx"]["pattern"]:
        return "it must be an ISO 639-3 code and a script, like eng-Latn or zho-Hans"
    if problem["type"] == "tuple_type":
        return "it must be a list; in YAML each entry begins with a hyphen"
    return str(problem["msg"]).removeprefix("Value error, ").rstrip(".")
