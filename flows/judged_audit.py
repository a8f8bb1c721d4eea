"""The section `audit` of a build: what is measured, against what, and who judges a sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from data_cards.audit.config import AuditConfig
from sdg.evaluation_sets import EvaluationSource
from sdg.judge.config import JudgeConfig


class JudgedAuditConfig(AuditConfig):
    """An audit with a judge and evaluation sets.

    Attributes:
        against: Evaluation sets that the data must not hold anything of.
        judge: The cascade that estimates the rate of false negatives on a sample; a section that is
            given is on, unless it says `enabled: false`. Only its judges and
            `max_document_characters` have a meaning here: nothing becomes of a verdict. Judges that
            already decided what the data set holds find few faults in it; another model says more.
    """

    against: tuple[EvaluationSource, ...] = ()
    judge: JudgeConfig = JudgeConfig()

    @model_validator(mode="before")
    @classmethod
    def _given_is_on(cls, values: Any) -> Any:  # noqa: ANN401 - what the file holds
        judge = values.get("judge") if isinstance(values, Mapping) else None
        if isinstance(judge, Mapping) and "enabled" not in judge:
            return {**values, "judge": {**judge, "enabled": True}}
        return values
