"""The settings of `pairmill relabel`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from data_cards.publication import Publication
from flows.config import AnyEngine, RunnerConfig
from sdg.evaluation_sets import DecontaminateConfig
from sdg.judge.config import JudgeConfig
from sdg.part import Part
from sdg.relabel.positives import RelabelConfig


class ExistingRowsConfig(Part):
    """How an existing data set is judged and relabelled.

    A section that is given is switched on, unless it says `enabled: false`. With both, positives
    are relabelled first, and the judges are shown the new ones.

    Attributes:
        card: What the publisher says of the result; None: what was said of the data set, without
            its version, date, address and citation.
        seed: The run's seed.
        generators: The LLMs, by the name that `relabel` and `judge` refer to.
        relabel: Gecko's relabelling of positives. A row's own positive and negatives are the
            candidates: whatever else was near the query is no longer known.
        judge: The false-negative cascade over each row's negatives; `pool` has no meaning here.
        decontaminate: Evaluation sets; rows that hold a text of theirs are dropped first.
        num_negatives: Wanted per row; None: what the data set was mined with.
        on_shortfall: "keep" keeps rows that lost negatives, "drop" rejects those with fewer than
            wanted. Unlike in a build nothing was mined to fill up with, so rows are kept; own.
        rows_per_shard: Rows of one task; changes no published row.
        runner: Where shards are worked on.
    """

    card: Publication | None = None
    seed: int = 0
    generators: dict[str, AnyEngine] = Field(default={})
    relabel: RelabelConfig = RelabelConfig(enabled=False)
    judge: JudgeConfig = JudgeConfig()
    decontaminate: DecontaminateConfig = DecontaminateConfig()
    num_negatives: Annotated[int, Field(ge=1)] | None = None
    on_shortfall: Literal["drop", "keep"] = "keep"
    rows_per_shard: int = Field(default=128, ge=1)
    runner: RunnerConfig = RunnerConfig()

    @model_validator(mode="before")
    @classmethod
    def _given_is_on(cls, values: Any) -> Any:  # noqa: ANN401 - what the file holds
        judge = values.get("judge") if isinstance(values, Mapping) else None
        if isinstance(judge, Mapping) and "enabled" not in judge:
            return {**values, "judge": {**judge, "enabled": True}}
        return values

    @model_validator(mode="after")
    def _can_work(self) -> ExistingRowsConfig:
        if not (self.judge.enabled or self.relabel.enabled or self.decontaminate.against):
            raise ValueError(
                "`judge`, `relabel` or `decontaminate` must be given, but none is. Write them into "
                "a file for --config, or give them with --set."
            )
        if self.relabel.enabled and self.relabel.hard_negative != "none":
            raise ValueError(
                "`relabel.hard_negative` must be none for an existing data set, but is "
                f"{self.relabel.hard_negative!r} instead: the last-ranked candidate already is one "
                "of its negatives. Leave the key out."
            )
        for name in self.engines:
            if name not in self.generators:
                known = ", ".join(sorted(self.generators)) or "none"
                raise ValueError(
                    f"each engine that is used must be listed under `generators`, but {name!r} is "
                    f"not (listed: {known}). Add it there, or correct the name."
                )
        return self

    @property
    def engines(self) -> tuple[str, ...]:
        """Return the names of the configured engines that are asked, each once, in order."""
        own = (self.relabel.engine,) if self.relabel.enabled else ()
        return tuple(dict.fromkeys((*own, *self.judge.engines)))
