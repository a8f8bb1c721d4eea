"""How inner loops are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

F = TypeVar("F", bound=Callable[..., object])

if TYPE_CHECKING:

    def compiled(function: F) -> F:
        """Return `function`: what the compiled one is to a type checker."""

    def compiled_sum(function: F) -> F:
        """Return `function`: what the compiled one is to a type checker."""
else:
    from numba import njit

    compiled = njit(cache=True, nogil=True)
    # A sum may be made in lanes. It is one in float64 of products that float64 holds exactly, and
    # is rounded to float32 after it; or whoever uses it allows for any order.
    compiled_sum = njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
