"""Thresholds that depend on the language of the query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt


def by_language(
    value: float, per_language: Mapping[str, float], query_languages: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Return (Q,) each query's threshold: that of its language, or else the general `value`."""
    return np.array([per_language.get(tag, value) for tag in query_languages], np.float64)


def is_empty(per_language: Mapping[str, float]) -> bool:
    """Return whether no language has a threshold of its own: then the setting is not written."""
    return not per_language
