"""Name -> plug-in class, filled by importing the modules of a folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from sdg.errors import ConfigError, ContractError, UnknownNameError
from sdg.part import Plugin

P = TypeVar("P", bound=Plugin)


class Registry(Generic[P]):
    """The plug-ins of one kind. A new plug-in is one new file in the folder, nothing else.

    Attributes:
        key: The configuration key that names an entry ("reader", "engine", "rule").
        package: Dotted name of the folder that is imported to find entries.
    """

    def __init__(self, key: str, package: str) -> None:
        self.key = key
        self.package = package
        self._entries: dict[str, type[P]] = {}
        self._is_loaded = False

    def register(self, name: str) -> Callable[[type[P]], type[P]]:
        """Return a class decorator that files the class under `name` and sets its `name`."""

        def add(entry: type[P]) -> type[P]:
            if name in self._entries:
                raise ContractError(
                    f"`{self.key}` names must be unique, but {name!r} is registered twice in "
                    f"{self.package}. Rename one of the two."
                )
            entry.name = name
            self._entries[name] = entry
            return entry

        return add

    def __getitem__(self, name: str) -> type[P]:
        """Return the class called `name`; raises UnknownNameError with the known names."""
        self._load()
        if name not in self._entries:
            raise UnknownNameError(self.key, name, self._entries, self.package.replace(".", "/"))
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the registered names in alphabetical order."""
        self._load()
        return iter(sorted(self._entries))

    def build(self, settings: Mapping[str, Any] | Plugin) -> P:
        """Return the plug-in that `settings` describe.

        Args:
            settings: `{<key>: name, **fields}`, as read from a configuration file; an instance
                is returned as it is.

        Returns:
            A validated, immutable instance.

        Raises:
            ConfigError: If `settings` are no mapping or do not name an entry.
            UnknownNameError: If the name is not registered.
        """
        if isinstance(settings, Plugin):
            return settings  # type: ignore[return-value]
        if not isinstance(settings, Mapping) or not isinstance(settings.get(self.key), str):
            raise ConfigError(
                f"Each entry must be a mapping with the key `{self.key}`, but is {settings!r} "
                f"instead. Known names for `{self.key}`: {', '.join(self)}."
            )
        fields = {k: v for k, v in settings.items() if k != self.key}
        return self[settings[self.key]].model_validate(fields)

    def _load(self) -> None:
        if self._is_loaded:
            return
        self._is_loaded = True
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")
