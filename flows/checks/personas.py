"""Whether every file of personas can be read."""

from __future__ import annotations

from collections.abc import Iterator

from flows.checks import Question, Setup, Told, shortened
from flows.persona_stage import persona_configs
from sdg.personas import PersonaConfig, read_personas


def questions(setup: Setup) -> Iterator[Question]:
    """Ask each different file once."""
    found = {(own.path, own.column): own for own in persona_configs(setup.config).values()}
    for own in found.values():
        yield _file(own)


def _file(config: PersonaConfig) -> Question:
    def ask() -> Told:
        texts = read_personas(config).texts
        told = f"{len(texts):,} personas, one of them: {shortened(texts[0])}"
        return Told(told, {"personas": len(texts)})

    return Question("personas", config.path, "for its personas", ask)
