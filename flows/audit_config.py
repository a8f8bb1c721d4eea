"""The settings of `pairmill audit`."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from data_cards.audit.layouts import LAYOUTS
from flows.config import AnyEngine
from flows.judged_audit import JudgedAuditConfig


class AuditCommandConfig(JudgedAuditConfig):
    """How any data set is audited; `enabled` has no meaning here.

    Attributes:
        seed: Every draw derives from it.
        layout: Name of the layout; "" recognises it.
        generators: The LLMs, by the name that `judge` refers to.
        subset: Of a data set on the hub; "" for its default one.
        revision: On the hub; "" for the newest. What it points to is recorded.
    """

    seed: int = 0
    layout: str = ""
    generators: dict[str, AnyEngine] = Field(default={})
    subset: str = ""
    revision: str = ""

    @field_validator("layout")
    @classmethod
    def _known_layout(cls, value: str) -> str:
        return LAYOUTS[value].name if value else value

    @model_validator(mode="after")
    def _engines_exist(self) -> AuditCommandConfig:
        for name in self.judge.engines:
            if name not in self.generators:
                known = ", ".join(sorted(self.generators)) or "none"
                raise ValueError(
                    f"each engine that is used must be listed under `generators`, but {name!r} is "
                    f"not (listed: {known}). Add it there, or correct the name."
                )
        return self
