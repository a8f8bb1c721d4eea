"""The exception tree.

    PairmillError                exit status
    ├── GateError                1   the data must change: a figure is past its limit
    ├── ConfigError              2   the configuration or the command line must change
    ├── DataError                2   the input files must change
    ├── ContractError            3   the code must change: a stage broke its promise
    └── BackendError             3   server, device or package is missing, down, or broken for good

Every message says what must hold, what is, and how to cure it. A bad *row* is never an exception:
it becomes a rejection with a reason.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PairmillError(Exception):
    """Base of every error that Pairmill raises on purpose.

    Attributes:
        exit_status: What the command line exits with.
    """

    exit_status = 3


class GateError(PairmillError):
    """A figure of an audit past the limit that a gate sets; the data set is left as it is."""

    exit_status = 1

    @classmethod
    def of(cls, failed: Iterable[str]) -> GateError:
        """Return the error for gates that are broken, one sentence each."""
        listed = list(failed)
        return cls(
            f"Every gate must hold, but {len(listed)} do not: {'; '.join(listed)}. "
            "The data set is whole; look at the rows, or change the limit."
        )


class ConfigError(PairmillError):
    """A key, value or argument that cannot work."""

    exit_status = 2


class DataError(PairmillError):
    """An input file that cannot be read as what it should be."""

    exit_status = 2


class ContractError(PairmillError):
    """A table or count that breaks a promise made by the code itself."""


class BackendError(PairmillError):
    """A model, server, device or package that does not answer.

    Attributes:
        retryable: True if the same request may succeed later without any change.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class UnknownNameError(ConfigError):
    """A name that no file in a plug-in folder registers."""

    def __init__(self, kind: str, name: str, known: Iterable[str], folder: str) -> None:
        self.name = name
        self.known = sorted(known)
        near = difflib.get_close_matches(name, self.known, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        super().__init__(
            f"`{kind}` must be one of {', '.join(self.known)}, but is {name!r} instead. {hint}"
            f"Correct the name, or add a file to {folder}/ that registers it."
        )


def missing_package(package: str, extra: str, purpose: str) -> BackendError:
    """Return the error for an optional package that is not installed.

    Args:
        package: Import name of the package.
        extra: The extra of pairmill that brings it.
        purpose: What it is needed for, as a noun phrase.

    Returns:
        An error to raise `from` the ImportError.
    """
    return BackendError(
        f"{purpose} must have the package {package!r}, which is not installed. "
        f"Install it with `pip install 'pairmill[{extra}]'` (or `uv sync --extra {extra}`)."
    )
