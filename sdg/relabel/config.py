"""The settings of relabelling."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from sdg.part import Part
from sdg.relabel import SCORERS, Scorer


def _dump(scorer: Scorer) -> dict[str, Any]:
    return {"scorer": scorer.name, **scorer.model_dump(mode="json")}


AnyScorer = Annotated[Scorer, BeforeValidator(SCORERS.build), PlainSerializer(_dump)]


class RelabelConfig(Part):
    """Which queries are relabelled, by what, and how careful a change must be.

    Attributes:
        enabled: False keeps every source document as the positive and asks nothing.
        engine: Name of the configured engine that scores; "" leaves the choice to the caller.
        apply_to_tasks: Glob patterns of tasks; the others keep their positive unjudged.
        num_candidates: Documents judged per query, the source included. 20 is Gecko's.
        max_looked_at: Nearest documents among which those in the right language are looked for;
            None is four times `num_candidates`; own.
        scorers: Entries `{scorer: name, ...}`; both of Gecko's by default.
        rrf_constant: 60, Cormack et al. 2009. Gecko does not publish its own.
        fuse_retrieval: True adds the retriever's ranking to the scorers'. False as in Gecko.
        candidate_languages: "any", or "source": only documents in the source's language are
            judged. A likelihood compares badly across languages; own.
        max_document_characters: Longer documents are cut there for scoring, and counted; own.
        hard_negative: "last_ranked" adds the candidate of the lowest fused rank to the mined
            negatives, tagged `relabel:last_ranked` (Gecko's option); "none" adds nothing.
    """

    enabled: bool = True
    engine: str = ""
    apply_to_tasks: tuple[str, ...] = ("*",)
    num_candidates: int = Field(default=20, ge=2)
    max_looked_at: int | None = Field(default=None, ge=1)
    scorers: tuple[AnyScorer, ...] = Field(
        default=({"scorer": "query_likelihood"}, {"scorer": "relevance_classification"}),
        validate_default=True,
    )
    rrf_constant: float = Field(default=60.0, gt=0)
    fuse_retrieval: bool = False
    candidate_languages: Literal["any", "source"] = "source"
    max_document_characters: int = Field(default=2000, ge=1)
    hard_negative: Literal["none", "last_ranked"] = "none"

    @model_validator(mode="after")
    def _check_scorers(self) -> Self:
        names = [scorer.name for scorer in self.scorers]
        if not names or len(set(names)) != len(names):
            message = (
                f"`scorers` must name at least one scorer and each once, but is {names} instead. "
                f"Known: {', '.join(SCORERS)}. To switch relabelling off, set `enabled: false`."
            )
            raise ValueError(message)
        return self

    @property
    def scores_per_query(self) -> int:
        """How many likelihoods a query costs at most."""
        per_pair = sum(scorer.requests_per_pair for scorer in self.scorers)
        return self.num_candidates * per_pair if self.enabled else 0

    @property
    def search_depth(self) -> int:
        """How many of a query's nearest documents are looked at."""
        return self.max_looked_at or 4 * self.num_candidates
