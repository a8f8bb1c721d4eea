"""A share of a whole with its interval: how sure a count on a sample is."""

from __future__ import annotations

import math
from typing import NamedTuple

from sdg.errors import ContractError

_Z95 = 1.959963984540054


class Rate(NamedTuple):
    """A part of a whole with the 95 % interval of its share (Wilson 1927); [0, 1] of nothing."""

    part: int
    whole: int
    low: float
    high: float


def rate(count: int, total: int) -> Rate:
    """Return `count` of `total` with its 95 % Wilson interval.

    Raises:
        ContractError: If `count` is not between 0 and `total`.
    """
    if not 0 <= count <= total:
        raise ContractError(
            f"A count must be between 0 and its total, but is {count} of {total} instead. "
            "Count the same pairs."
        )
    if not total:
        return Rate(0, 0, 0.0, 1.0)
    z2, share = _Z95 * _Z95, count / total
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    spread = _Z95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    spread /= 1 + z2 / total
    # At the ends the interval is exact; rounding must not take it past them.
    low = 0.0 if count == 0 else max(0.0, centre - spread)
    high = 1.0 if count == total else min(1.0, centre + spread)
    return Rate(count, total, low, high)
