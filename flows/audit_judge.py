"""The configured judges, as the audit asks them about a sample of negatives."""

from __future__ import annotations

from collections.abc import Sequence

from data_cards.audit.metric import JudgedCase
from flows.judging import held_judges
from sdg.judge import Ask, Candidate, Case
from sdg.judge.cascade import run_cascade
from sdg.judge.config import JudgeConfig

_CANDIDATE = "candidate"


class CascadeJudge:
    """A cascade that says of single negatives whether they answer their query.

    Args:
        settings: The judges; `enabled`.
        ask: Reaches the engines.
        seed: The audit's.
    """

    def __init__(self, settings: JudgeConfig, ask: Ask, seed: int) -> None:
        self._judges = held_judges(settings).judges
        self._longest = settings.max_document_characters
        self._ask = ask
        self._seed = seed

    @property
    def name(self) -> str:
        """Return the judges' names, first to last."""
        return " then ".join(judge.name for judge in self._judges)

    def judge(self, cases: Sequence[JudgedCase]) -> list[bool | None]:
        """Return one verdict per case: True if the candidate is relevant, None if unreadable."""
        shown = [
            Case(
                case.case_id,
                case.query,
                case.query_language,
                (case.positive[: self._longest],),
                (Candidate(_CANDIDATE, case.candidate[: self._longest]),),
            )
            for case in cases
        ]
        final = run_cascade(shown, self._judges, self._ask, self._seed).final
        return [final[case.case_id, _CANDIDATE].is_relevant for case in cases]
