"""`pairmill card`: what describes a finished data set, rendered again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data_cards import descriptions, layout, manifest, verify
from data_cards.publication import Publication
from flows.settings import apply_overrides, parse_settings
from sdg import store
from sdg.errors import DataError


def render_again(directory: Path, overrides: Sequence[str] = ()) -> Path:
    """Check a finished data set and render what describes it again; return the card's path.

    Args:
        directory: Of the data set.
        overrides: `KEY=VALUE` of the section `card`, kept in the manifest: what is only known when
            a data set is published, such as its date, needs no build.

    Raises:
        ConfigError: If an override cannot work.
        DataError: If the data set is damaged.
    """
    found = manifest.load_manifest(directory)
    if overrides:
        stated = {"card": found.card.model_dump(mode="json")}
        apply_overrides(stated, [f"card.{text}" for text in overrides])
        card = parse_settings(stated["card"], "--set", Publication)
        found = found.model_copy(update={"card": card})
    _check(directory)
    rendered = descriptions.describe(directory, found)
    if overrides:
        store.write_json(directory / layout.MANIFEST, found.to_json())
    for name, text in rendered.items():
        store.write_text(directory / name, text)
    return directory / layout.CARD


def describe_again(directory: Path) -> None:
    """Render what describes a finished data set again, without checking its rows.

    Raises:
        DataError: If there is no manifest, or a file cannot be read.
    """
    for name, text in descriptions.describe(directory, manifest.load_manifest(directory)).items():
        store.write_text(directory / name, text)


def _check(directory: Path) -> None:
    # A card that is out of date is what the command is for.
    problems = [p for p in verify.verify_data_set(directory) if p.check != "card"]
    if problems:
        listed = "; ".join(f"{p.check}: {p.message}" for p in problems[:5])
        raise DataError(
            f"`{directory}` must be a whole data set, but {len(problems)} checks fail: {listed}. "
            "Run the command that wrote it again: it mends what is damaged."
        )
