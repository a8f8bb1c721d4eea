"""How far two judges agree, and how many false negatives are left: figures with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sdg.errors import ContractError
from sdg.ids import seed_for
from sdg.rate import Rate, rate

_RESAMPLES = 2000  # percentile intervals settle from about a thousand; own

Labels = npt.NDArray[np.int64]


class Agreement(NamedTuple):
    """How two judges of the same pairs compare.

    Attributes:
        same: Pairs on which both say the same, of all.
        first: Pairs that the first judge flags.
        second: Pairs that the second judge flags.
        kappa: Cohen's kappa (Cohen 1960); None if it is not defined: no pair, or both judges say
            one and the same of all pairs.
        kappa_low: Lower end of its 95 % percentile bootstrap interval; None with `kappa`.
        kappa_high: Upper end.
    """

    same: Rate
    first: Rate
    second: Rate
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None


def cohens_kappa(table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (..., ) kappa of (..., C, C) tables of counts; NaN where it is not defined.

    Args:
        table: Entry [i, j] counts the pairs that the first judge calls i and the second j.
    """
    total = table.sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = np.trace(table, axis1=-2, axis2=-1) / total
        rows, columns = table.sum(axis=-1), table.sum(axis=-2)
        expected = (rows * columns).sum(axis=-1) / total**2
        kappa = (observed - expected) / (1.0 - expected)
    return np.where(expected < 1.0, kappa, np.nan)


def compare_labels(first: Labels, second: Labels, seed: int) -> Agreement:
    """Return how two judges compare, or a judge and given labels.

    Args:
        first: (P,) labels: 0 not flagged, 1 flagged; or grades, of which all above 0 count as
            flagged in the rates.
        second: (P,) labels of the same pairs by the other.
        seed: Of the bootstrap; equal inputs give equal intervals.

    Raises:
        ContractError: If lengths differ, or a label is negative.
    """
    if first.shape != second.shape or min([*first, *second], default=0) < 0:
        raise ContractError(
            f"Two judges must have a label of at least 0 on each of the same pairs, but there are "
            f"{len(first)} and {len(second)}, the least being {min([*first, *second], default=0)}. "
            "Leave out pairs that one of them could not judge."
        )
    total = len(first)
    size = int(max([*first, *second], default=0)) + 1
    table = np.bincount(first * size + second, minlength=size * size).reshape(size, size)
    kappa = float(cohens_kappa(table.astype(np.float64)))
    low, high = _bootstrap(table, seed)
    is_defined = not math.isnan(kappa)
    return Agreement(
        rate(int((first == second).sum()), total),
        rate(int((first > 0).sum()), total),
        rate(int((second > 0).sum()), total),
        kappa if is_defined else None,
        low if is_defined else None,
        high if is_defined else None,
    )


def _bootstrap(table: npt.NDArray[np.int64], seed: int) -> tuple[float, float]:
    """Return the 2.5 % and 97.5 % quantiles of kappa over resampled pairs.

    Drawing pairs with replacement is drawing the table from a multinomial. A resample in which
    kappa is not defined (both say one and the same) counts as full agreement.
    """
    total = int(table.sum())
    if not total:
        return math.nan, math.nan
    generator = np.random.Generator(np.random.PCG64(seed_for(seed, "kappa")))
    shares = table.ravel() / total
    drawn = generator.multinomial(total, shares, size=_RESAMPLES)
    kappas = cohens_kappa(drawn.reshape(_RESAMPLES, *table.shape).astype(np.float64))
    kappas = np.where(np.isnan(kappas), 1.0, kappas)
    low, high = np.quantile(kappas, [0.025, 0.975])
    return float(low), float(high)


def sample_pairs(judgments: pa.Table, size: int, seed: int) -> list[tuple[str, str]]:
    """Return up to `size` judged pairs, one of each query, so that pairs are independent.

    Args:
        judgments: Columns `query_id` and `doc_id`; a pair may occur several times.
        size: Queries drawn.
        seed: The run's seed; whether a pair is drawn depends on it, the pair, and which other
            queries there are, never on their order.

    Returns:
        (query_id, doc_id), by query_id ascending.
    """
    best: dict[str, tuple[int, str]] = {}
    pairs = zip(judgments["query_id"].to_pylist(), judgments["doc_id"].to_pylist(), strict=True)
    for query_id, doc_id in pairs:
        draw = (seed_for(seed, "agreement", query_id, doc_id), doc_id)
        best[query_id] = min(best.get(query_id, draw), draw)
    ordered = sorted(best, key=lambda query_id: seed_for(seed, "agreement", query_id))
    return [(query_id, best[query_id][1]) for query_id in sorted(ordered[:size])]


def labels_of(verdicts: Sequence[bool | None]) -> Labels:
    """Return (P,) labels: 1 flagged, 0 not, -1 without a verdict."""
    return np.array([-1 if v is None else int(v) for v in verdicts], dtype=np.int64)
