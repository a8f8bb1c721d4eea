"""Base classes of configuration: a part of it, and a plug-in that is chosen in it by name."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A group of settings that sits next to the code it configures.

    Unknown keys are refused, values are immutable, and a part that is built in Python obeys the
    same checks as one read from a file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Plugin(Part):
    """A part that is chosen by name; its fields are its settings, its methods what it does.

    Attributes:
        name: The registered name, set by `Registry.register`.
        version: Raised by hand when the same settings give another result than before, so that
            finished work is not mistaken for current work.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1

    def __eq__(self, other: object) -> bool:
        """Return whether both are one plug-in with the same settings; what is loaded is neither."""
        if type(other) is not type(self):
            return NotImplemented
        return self._settings() == other._settings()

    def __hash__(self) -> int:
        """Return a hash that equal plug-ins share.

        Raises:
            TypeError: If a setting has none, as a dict.
        """
        return hash((type(self), self._settings()))

    def _settings(self) -> tuple[Any, ...]:
        return tuple(self.__dict__[name] for name in type(self).model_fields)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to other processes as settings; what was loaded stays behind."""
        return _rebuilt, (type(self), self.model_dump())

    def identity(self) -> dict[str, Any]:
        """Return JSON of everything here that decides a result; part of every fingerprint.

        Settings that change speed only must be left out by overriding this method.
        """
        return {"name": self.name, "version": self.version, **self.model_dump(mode="json")}

    def close(self) -> None:
        """Free what was loaded; the next use loads it again. The default loads nothing."""


def _rebuilt(kind: type[Plugin], settings: dict[str, Any]) -> Plugin:
    return kind.model_validate(settings)
