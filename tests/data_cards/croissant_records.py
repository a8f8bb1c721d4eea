"""What mlcroissant gives back, as Parquet has it."""

from __future__ import annotations

import re
from typing import Any

import mlcroissant
import numpy as np


def plain(value: Any) -> Any:
    """Return a record of mlcroissant as Parquet has it: no bytes, no NumPy, no folder in names."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {key.rsplit("/", 1)[-1]: plain(item) for key, item in value.items()}
    if isinstance(value, list | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    return None if isinstance(value, float) and np.isnan(value) else value


def issues(dataset: mlcroissant.Dataset) -> tuple[set[str], set[str]]:
    """Return errors and warnings, the latter as the properties they miss."""
    found = dataset.metadata.ctx.issues
    return set(found.errors), {re.findall(r'"\S+/(\w+)"', text)[-1] for text in found.warnings}
