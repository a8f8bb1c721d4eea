"""A query must be one its own generator finds likely."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from sdg.gates import GATES, Evidence, Gate, Objection, Verdict

if TYPE_CHECKING:
    import pyarrow as pa


@GATES.register("likelihood")
class Likelihood(Gate):
    """Stop queries whose mean token log-probability is below a bound.

    InPars keeps the best tenth of its queries by this number; a fixed bound does the same without
    looking at other rows. It depends on model, prompt and temperature: calibrate it on a preview.
    A row without the number (a natural pair, an engine that gives none) passes.

    Attributes:
        min_mean_logprob: Natural logarithm per token, <= 0. -1.5 is own.
    """

    min_mean_logprob: float = Field(default=-1.5, le=0)
    generated_only: bool = True

    def judge(self, queries: pa.Table, evidence: Evidence) -> Verdict:  # noqa: ARG002
        """Return which queries are too unlikely; the detail is the mean log-probability."""
        values = queries["mean_logprob"].combine_chunks().to_numpy(zero_copy_only=False)
        values = np.asarray(values, dtype=np.float64)  # null becomes NaN, which compares False
        return Verdict.of(
            Objection(values < self.min_mean_logprob, "mean_logprob_below_minimum", values)
        )
