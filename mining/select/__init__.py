"""Which of the surviving candidates become the negatives of a query: one strategy per file.

    selection:
      strategy: sampled       # a file here: top, sampled, uniform, stratified
      sample_from: 10         # settings of the strategy stand beside its name
      temperature: 1.0
      diverse:                # optional, with any strategy
        max_similarity: 0.95

A strategy only says in which order survivors are preferred. The first `num_negatives` of that order
are taken; with `diverse`, those that are too much like one already taken are passed over. What is
chosen is given back hardest first.

To add one: a file here that subclasses `Strategy` and registers in `STRATEGIES`. Nothing else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field, model_serializer, model_validator

from mining.corpus import CorpusView
from mining.select.diverse import Diverse
from sdg.part import Part, Plugin
from sdg.registry import Registry

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Survivors:
    """What the rules left of the candidates of Q queries, at most S each, hardest first.

    Attributes:
        rows: (Q, S) rows of the corpus, -1 is padding and stands at the end.
        scores: (Q, S) float32 cosines, descending; NaN is padding.
        ranks: (Q, S) int64, 0-based among all documents, positives included.
        miners: (Q, S) int16 code of the miner that found the candidate.
        query_ids: Q ids; they and the run's seed decide what is drawn.
        corpus: What rows refer to.
    """

    rows: Places
    scores: npt.NDArray[np.float32]
    ranks: Places
    miners: npt.NDArray[np.int16]
    query_ids: list[str]
    corpus: CorpusView

    def counts(self) -> Places:
        """Return (Q,) how many survivors each query has."""
        return np.asarray((self.rows >= 0).sum(axis=1), np.int64)


class Strategy(Plugin):
    """An order of preference among survivors.

    A strategy that has no use for one of these settings takes no notice of it, so that strategies
    can be compared by changing the name alone.

    Attributes:
        sample_from: Survivors, hardest first, that are drawn from; never fewer than
            `num_negatives`. 10 is NV-Retriever's best.
        temperature: Of a softmax over scores, in units of cosine; own.
    """

    sample_from: int = Field(default=10, ge=1)
    temperature: float = Field(default=1.0, gt=0)

    def survivors_needed(self, num_negatives: int) -> int:
        """Return how many survivors a query needs for the full choice."""
        return max(num_negatives, self.sample_from)

    @abstractmethod
    def sort_keys(
        self, survivors: Survivors, num_negatives: int, seed: int
    ) -> npt.NDArray[np.float64]:
        """Return (Q, S) keys: the lower, the more preferred; equal keys: the harder first.

        Keys of padding are not read. Infinity puts a survivor behind all that are drawn from; a
        query's keys depend on its own survivors, its id and the seed only.
        """

    def outside_pool(self, survivors: Survivors, num_negatives: int) -> npt.NDArray[np.bool_]:
        """Return (Q, S) True behind the survivors that are drawn from."""
        places = np.arange(survivors.rows.shape[1])
        is_outside = places >= self.survivors_needed(num_negatives)
        return np.broadcast_to(is_outside, survivors.rows.shape)


STRATEGIES: Registry[Strategy] = Registry("strategy", "mining.select")


class SelectionConfig(Part):
    """How negatives are chosen. In a file the strategy's settings stand beside its name.

    Attributes:
        strategy: An entry of `STRATEGIES`.
        diverse: Passes over survivors too much like one already chosen; none by default.
    """

    strategy: Annotated[Strategy, BeforeValidator(STRATEGIES.build)] = Field(
        default={"strategy": "top"}, validate_default=True
    )
    diverse: Diverse | None = None

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        if not isinstance(data, Mapping) or isinstance(data.get("strategy"), Strategy):
            return data
        settings = {"strategy": "top", **{k: v for k, v in data.items() if k != "diverse"}}
        return {"strategy": settings, "diverse": data.get("diverse")}

    @model_serializer(mode="plain")
    def _spread(self) -> dict[str, Any]:
        settings = {"strategy": self.strategy.name, **self.strategy.model_dump(mode="json")}
        return settings | ({"diverse": self.diverse.model_dump()} if self.diverse else {})

    def identity(self) -> dict[str, Any]:
        """Return JSON of everything here that decides what is chosen; part of every fingerprint."""
        return {**self.model_dump(mode="json"), "version": self.strategy.version}

    def survivors_needed(self, num_negatives: int) -> int:
        """Return how many survivors a query needs for the full choice."""
        needed = self.strategy.survivors_needed(num_negatives)
        return max(needed, self.diverse.survivors_needed(num_negatives)) if self.diverse else needed


def select(
    survivors: Survivors,
    num_negatives: int,
    config: SelectionConfig,
    seed: int,
    *,
    by_preference: bool = False,
) -> Places:
    """Return the places of the chosen survivors.

    Args:
        survivors: Of Q queries, S each.
        num_negatives: At most this many, at least 1.
        config: Strategy.
        seed: The run's seed. A query's draw depends on it, the query's id and its survivors.
        by_preference: Give them in the strategy's order, not hardest first.

    Returns:
        (Q, num_negatives) places in S, ascending, so hardest first; -1 is padding at the end, where
        a query has too few survivors or too few that differ.
    """
    preferred = _preferred(survivors, num_negatives, config.strategy, seed)
    if config.diverse is not None:
        preferred = config.diverse.choose(
            preferred, survivors.rows, survivors.corpus, num_negatives
        )
    chosen = _padded(preferred[:, :num_negatives], num_negatives)
    return chosen if by_preference else _ascending(chosen, survivors.rows.shape[1])


def _preferred(survivors: Survivors, num_negatives: int, strategy: Strategy, seed: int) -> Places:
    """Return (Q, S) places, most preferred first, -1 for padding at the end."""
    keys = strategy.sort_keys(survivors, num_negatives, seed)
    order = np.lexsort((keys, survivors.rows < 0), axis=1).astype(np.int64, copy=False)
    places = np.arange(order.shape[1])
    return np.where(places < survivors.counts()[:, None], order, -1)


def _padded(chosen: Places, num_negatives: int) -> Places:
    missing = num_negatives - chosen.shape[1]
    return np.pad(chosen, ((0, 0), (0, max(0, missing))), constant_values=-1)


def _ascending(chosen: Places, last: int) -> Places:
    ordered = np.sort(np.where(chosen < 0, last, chosen), axis=1)
    ordered[ordered == last] = -1
    return ordered
