"""Layouts: data sets as other tools write them, one file each, found by discovery.

A layout says whether a path looks like it, and reads rows and documents block by block; that the
texts do not fit into memory is `open_source`'s business. To add one: a file here that subclasses
`Layout` and registers in `LAYOUTS`.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from data_cards.audit.source import Source
from sdg.errors import DataError
from sdg.part import Plugin
from sdg.registry import Registry


class Layout(Plugin):
    """One way in which training data lies on disk.

    Attributes:
        looks_like: What it is recognised by, as it reads after "a".
    """

    looks_like: ClassVar[str]

    @abstractmethod
    def what_is_missing(self, path: Path) -> str:
        """Return "" if `path` has this layout, else what was looked for and what is there.

        Raises:
            DataError: If a file cannot be read.
        """

    @abstractmethod
    def source(self, path: Path) -> Source:
        """Return the data set in `path`.

        Raises:
            DataError: If a file or column that the layout needs is missing, or is another's.
        """


LAYOUTS: Registry[Layout] = Registry("layout", "data_cards.audit.layouts")
"""Layouts by name; see `Layout`."""


def detect(path: Path, name: str = "") -> Layout:
    """Return the layout of `path`.

    Args:
        path: A directory or file.
        name: Of the layout, if it is known; it is then not looked for.

    Raises:
        DataError: If `path` does not exist, or has the layout of none or of several.
        UnknownNameError: If `name` is none.
    """
    if not path.exists():
        raise DataError(
            f"`{path}` must be a data set directory or file, but does not exist instead. "
            "Correct the path; a hub data set is named `owner/name`."
        )
    if name:
        return LAYOUTS[name]()
    layouts = [LAYOUTS[known]() for known in LAYOUTS]
    missing = {layout.name: layout.what_is_missing(path) for layout in layouts}
    found = [layout for layout in layouts if not missing[layout.name]]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(layout.name for layout in found)
        raise DataError(
            f"`{path}` must have one layout, but looks like {names} instead. Name the one that is "
            "meant with --set layout=NAME."
        )
    looked = "\n".join(
        f"  {layout.name}: {layout.looks_like}; {missing[layout.name]}" for layout in layouts
    )
    raise DataError(
        f"`{path}` must have one of the known layouts, but has none:\n{looked}\n"
        "Rename the columns, or name the layout with --set layout=NAME for a closer message."
    )
