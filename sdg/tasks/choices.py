"""Tasks whose requests differ by drawn choices, which their prompts put into words.

    weights {phd: 1, ...} ─ draw_spec ─► spec {difficulty: phd} ─ the prompt's `choices` ─► words

The names stand in configurations and in each row's `spec`; the words stand in the prompt files, so
that a new language is a file and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from sdg.errors import ConfigError
from sdg.ids import seed_for
from sdg.tasks.prompted import PromptedTask

Weights = Annotated[
    dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]], Field(min_length=1)
]


def equally(*names: str) -> dict[str, float]:
    """Return equal weights."""
    return dict.fromkeys(names, 1.0)


def draw_name(weights: Mapping[str, float], seed: int) -> str:
    """Return one name, each as often as its weight says; the order of `weights` does not count."""
    names = sorted(weights)
    bounds = np.cumsum([weights[name] for name in names])
    place = seed_for(seed, "choice") / 2**63 * bounds[-1]
    return names[min(int(np.searchsorted(bounds, place, side="right")), len(names) - 1)]


class ChoosingTask(PromptedTask):
    """A task that draws choices by weight, or puts their words into its prompt."""

    def weights(self) -> Mapping[str, Mapping[str, float]]:
        """Return what is drawn for each request: name -> choice -> weight; the keys of `spec`."""
        return {}

    def described(self) -> Mapping[str, Collection[str]]:
        """Return the choices whose words the prompt of the last question must hold."""
        return self.weights()

    def draw_spec(self, seed: int, number: int) -> dict[str, Any]:  # noqa: ARG002 - no turns
        """Return one choice of each sort, drawn independently of the others."""
        return {
            name: draw_name(weights, seed_for(seed, name))
            for name, weights in self.weights().items()
        }

    def spec_of(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the request's spec; what was not drawn for it is drawn now, by its seed."""
        return {**self.draw_spec(request["seed"], 0), **json.loads(request["spec"])}

    def check(self, document_language: str, query_language: str) -> None:
        """Load every prompt of this pair of languages, and look up every choice.

        Raises:
            ConfigError: If a prompt is missing or damaged, asks for other keys than are read, or
                has no words for a choice.
        """
        super().check(document_language, query_language)
        request = {"document_language": document_language, "query_language": query_language}
        for name, choices in self.described().items():
            for choice in sorted(choices):
                self.words(request, name, choice)

    def words(self, request: Mapping[str, Any], name: str, choice: str) -> str:
        """Return what the prompt of the last question calls a choice.

        Raises:
            ConfigError: If it has no words for it.
        """
        prompt = self._prompt(None, request).prompt
        known = prompt.choices.get(name, {})
        if choice not in known:
            raise ConfigError(
                f"`{name}` of the task {self.name!r} must be among {sorted(known)}, but is "
                f"{choice!r} instead. Use one of these, or add its words under `choices` of "
                f"{prompt.task}/{prompt.language}.md in a folder of your own (`prompts`)."
            )
        return known[choice]

    def person(self, request: Mapping[str, Any], persona: str) -> str:
        """Return who asks: the persona on one line, or what the prompt calls anybody."""
        line = " ".join(persona.split())
        return line or self.words(request, "persona", "anyone")
