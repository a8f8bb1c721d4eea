"""Published mining recipes by name: partial settings that a configuration is laid over.

A preset is a YAML file in `flows/presets/mining/` with a section `mining` and, where the recipe has
a judge, a section `judge`; or with a section `bitext`. `mining: {preset: NAME}` takes it; what the
configuration says itself wins, a list (`rules`, `judges`) as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mining.select import STRATEGIES, SelectionConfig
from sdg.errors import ConfigError, UnknownNameError

FOLDER = Path(__file__).parent / "presets" / "mining"
KEY = "preset"
# The command that takes recipes with a section of this name.
_COMMANDS = {"mining": "mine", "bitext": "bitext"}


def preset_names() -> list[str]:
    """Return the names of all mining presets, in alphabetical order."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read_preset(name: str, section: str = "mining") -> dict[str, Any]:
    """Return the settings of a preset; `section` says in the error where it was asked for.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    if name not in preset_names():
        raise UnknownNameError(f"{section}.preset", name, preset_names(), "flows/presets/mining")
    values: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return values


def expand_preset(values: Mapping[str, Any], section: str = "mining") -> dict[str, Any]:
    """Return settings with `<section>.preset` replaced by what it stands for.

    Args:
        values: As read from a file; without a preset they are returned as they are.
        section: "mining" or "bitext".

    Raises:
        ConfigError: If the preset is not known, or is a recipe for something else.
    """
    settings = values.get(section)
    if not isinstance(settings, Mapping) or settings.get(KEY) is None:
        return dict(values)
    name = str(settings[KEY])
    preset = read_preset(name, section)
    if section not in preset:
        other = next(iter(preset))
        raise ConfigError(
            f"`{section}.preset` must be a recipe for {section}, but {name!r} is a recipe for "
            f"{other} instead. Run `pairmill {_COMMANDS[other]} --preset {name}`, or take another."
        )
    own = {**values, section: {k: v for k, v in settings.items() if k != KEY}}
    return _laid_over(preset, own)


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both mappings as one, key by key at every depth; `above` wins."""
    below = _fitting(below, above)
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], Mapping) and isinstance(above[key], Mapping):
            merged[key] = _laid_over(below[key], above[key])
    return merged


def _fitting(below: Mapping[str, Any], above: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what of a selection stays under another strategy: the settings that it has, too."""
    name = str(above.get(STRATEGIES.key))
    if name not in STRATEGIES or below.get(STRATEGIES.key) in (None, name):
        return below
    known = {*STRATEGIES[name].model_fields, *SelectionConfig.model_fields}
    return {key: value for key, value in below.items() if key in known}
