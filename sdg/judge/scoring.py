"""Judges that score query and document together: the candidate is held against its positive."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from sdg.errors import ContractError
from sdg.judge import Ask, Case, Judge, Verdict


class ScoringJudge(Judge):
    """Flags a candidate that scores above a bound; exactly one of three bounds is given.

    The bound of a query with several positives is taken from the lowest scoring one. No default:
    the scale of scores is the model's own, and no published value holds for all.

    Attributes:
        fraction: Bound is positive - |positive| * (1 - fraction): a fraction of the positive's
            score that still lies below it where scores are negative (logits).
        margin: Bound is the positive's score minus this; negative: above it.
        threshold: Bound is this score, whatever the positive's, which is not asked for.
    """

    fraction: float | None = Field(default=None, gt=0, le=1)
    margin: float | None = None
    threshold: float | None = None

    @model_validator(mode="after")
    def _check_bound(self) -> Self:
        given = [k for k in ("fraction", "margin", "threshold") if getattr(self, k) is not None]
        if len(given) != 1:
            raise ValueError(
                f"`fraction`, `margin` and `threshold` must be given one at a time, but "
                f"{given or 'none'} are given instead. Keep the one that fits the model's scores."
            )
        return self

    @abstractmethod
    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return one score per (query, document), higher is more relevant; NaN if it has none."""

    def are_cut(self, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        """Return whether of each pair only a beginning is read; the default is never."""
        return [False] * len(pairs)

    def judge(self, cases: Sequence[Case], ask: Ask, seed: int) -> list[Verdict]:  # noqa: ARG002
        """Return whether each candidate's score is above its query's bound.

        A candidate, or a query, whose scores are not all numbers has the failure `no_score`. A
        verdict rests on its own pair and, but for `threshold`, on the positives', so any of them
        may have been cut.
        """
        anchors = [case.positives if self.threshold is None else () for case in cases]
        pairs = [
            (case.query, text)
            for case, own in zip(cases, anchors, strict=True)
            for text in (*own, *(c.text for c in case.candidates))
        ]
        scores = self.scores(pairs) if pairs else []
        cut = self.are_cut(pairs) if pairs else []
        if len(scores) != len(pairs):
            raise ContractError(
                f"Every pair must have one score, but {len(pairs)} pairs have {len(scores)}. "
                f"The judge {self.name!r} loses scores."
            )
        verdicts: list[Verdict] = []
        at = 0
        for case, positives in zip(cases, anchors, strict=True):
            own = scores[at : at + len(positives)]
            is_bound_cut = any(cut[at : at + len(positives)])
            at += len(positives)
            bound = self.bound(own)
            for candidate in case.candidates:
                found = _verdict(case.query_id, candidate.doc_id, scores[at], bound)
                verdicts.append(found._replace(was_cut=is_bound_cut or cut[at]))
                at += 1
        return verdicts

    def bound(self, positives: Sequence[float]) -> float:
        """Return the score above which a candidate is a false negative; NaN if it is not known.

        Args:
            positives: Scores of the query's positives; not looked at with `threshold`.
        """
        if self.threshold is not None:
            return self.threshold
        if any(map(math.isnan, positives)):
            return math.nan
        positive = min(positives)
        if self.margin is not None:
            return positive - self.margin
        return positive - abs(positive) * (1 - (self.fraction or 1.0))


def _verdict(query_id: str, doc_id: str, score: float, bound: float) -> Verdict:
    if math.isnan(score) or math.isnan(bound):
        return Verdict(query_id, doc_id, None, failure="no_score")
    return Verdict(query_id, doc_id, score > bound, score=score)
