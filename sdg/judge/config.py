"""The settings of judging."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from sdg.ids import MAX_WORD_JACCARD
from sdg.judge import JUDGES, Judge
from sdg.part import Part


def _dump(judge: Judge) -> dict[str, Any]:
    return {JUDGES.key: judge.name, **judge.model_dump(mode="json")}


AnyJudge = Annotated[Judge, BeforeValidator(JUDGES.build), PlainSerializer(_dump)]


class AgreementConfig(Part):
    """A second opinion on a sample, from which the card states how far judges agree.

    Attributes:
        judge: Who is asked; decides nothing about any row. Another model than the cascade's says
            more than the same one again.
        sample: Queries drawn, one judged candidate of each, so that pairs are independent; own.
    """

    judge: AnyJudge
    sample: int = Field(default=200, ge=1)


class JudgeConfig(Part):
    """Who judges mined negatives, and what follows from it.

    Attributes:
        enabled: False judges nothing and asks nobody.
        judges: The cascade, entries `{judge: name, ...}`: the first sees every candidate, each
            later one what those before flagged or could not be read on.
        apply_to_tasks: Glob patterns of tasks; rows of others keep their negatives unjudged.
        pool: Candidates mined and judged per query, of which the first `mining.num_negatives`
            that stay are published; 24 is what F2LLM stores. Rows stay full although some are
            dropped. Never fewer than `mining.num_negatives`.
        policy: What a flagged negative does, as in RLHN: "remove" drops its query, "hn_remove" the
            negative, "relabel" makes it a positive.
        max_flags: A query with more flagged negatives is dropped, whatever the policy; 8 is
            RLHN's: such a query is too vague to have negatives.
        on_unreadable: What happens where the verdict on a candidate could not be read (server
            failed, reply malformed or contradictory): "reject" drops the query with its reason,
            "drop" takes those negatives out of the row and counts them, and drops a query none of
            whose verdicts could be read; "keep" keeps them unjudged and counts them.
        max_document_characters: Longer texts are cut there for judging, and counted; own.
        near_duplicate: With "relabel", a negative that shares more than this part of its words
            with a new positive leaves, too; 0.95 is CodeR's bound, and the most.
        agreement: A second opinion on a sample; None asks for none.
    """

    enabled: bool = False
    judges: tuple[AnyJudge, ...] = ()
    apply_to_tasks: tuple[str, ...] = ("*",)
    pool: int = Field(default=24, ge=1)
    policy: Literal["remove", "hn_remove", "relabel"] = "hn_remove"
    max_flags: int = Field(default=8, ge=0)
    on_unreadable: Literal["reject", "drop", "keep"] = "reject"
    max_document_characters: int = Field(default=2000, ge=1)
    near_duplicate: float = Field(default=MAX_WORD_JACCARD, gt=0, le=MAX_WORD_JACCARD)
    agreement: AgreementConfig | None = None

    @model_validator(mode="after")
    def _check_judges(self) -> Self:
        if self.enabled and not self.judges:
            raise ValueError(
                f"`judges` must name at least one judge, but is empty. Known: {', '.join(JUDGES)}. "
                "To judge nothing, set `enabled: false`."
            )
        return self

    @property
    def everyone(self) -> tuple[Judge, ...]:
        """Return every judge that is asked, the second opinion last; () if judging is off."""
        if not self.enabled:
            return ()
        return self.judges if self.agreement is None else (*self.judges, self.agreement.judge)

    @property
    def engines(self) -> tuple[str, ...]:
        """Return the names of the configured engines that are asked, each once, in order."""
        return tuple(dict.fromkeys(j.engine_name for j in self.everyone if j.engine_name))

    def requests_at_most(self, num_queries: int, num_negatives: int) -> int:
        """Return how many requests so many queries cost at most.

        Args:
            num_queries: Mined queries.
            num_negatives: Negatives of a finished row, of which `pool` are mined if that is more.
        """
        if not self.enabled:
            return 0
        pool = max(self.pool, num_negatives)
        per_query = sum(judge.requests_at_most(pool) for judge in self.judges)
        sampled = 0
        if self.agreement is not None:
            asked = min(self.agreement.sample, num_queries)
            sampled = asked * self.agreement.judge.requests_at_most(1)
        return num_queries * per_query + sampled
