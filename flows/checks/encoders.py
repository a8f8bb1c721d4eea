"""Whether every encoder gives vectors, of one length, in which a sentence is nearest to itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from flows.checks import Question, Setup, Told
from flows.config import RunConfig
from flows.resources import held
from mining.encoders import Encoder
from sdg.errors import BackendError, ConfigError

_SENTENCE = "The glacier above the valley loses a little more ice every summer."
_OTHER = "The town library lends books and films from nine in the morning."
# Far more than rounding in half precision moves a length.
_LENGTH_ERROR = 0.01


def questions(setup: Setup) -> Iterator[Question]:
    """Ask each different encoder for the vectors of two sentences."""
    for name, encoder in _encoders(setup.config).items():
        yield _question(setup, name, held(encoder))


def _encoders(config: RunConfig) -> dict[str, Encoder]:
    """Return where it stands in the configuration -> encoder, each encoder once."""
    found = {"encoder": config.encoder}
    for number, miner in enumerate(config.mining.miners):
        own = getattr(miner, "encoder", None)
        if isinstance(own, Encoder):
            found[f"mining.miners.{number}.encoder"] = own
    if config.audit.enabled and isinstance(config.audit.encoder, Encoder):
        found["audit.encoder"] = config.audit.encoder
    first = {id(held(encoder)): place for place, encoder in reversed(found.items())}
    return {place: found[place] for place in found if place in first.values()}


def _question(setup: Setup, name: str, encoder: Encoder) -> Question:
    def ask() -> Told:
        (query,) = encoder.encode([_SENTENCE], "query")
        documents = encoder.encode([_SENTENCE, _OTHER], "document")
        vectors = np.vstack([query, documents])
        lengths = np.linalg.norm(vectors, axis=1)
        if not np.all(np.abs(lengths - 1) < _LENGTH_ERROR):
            raise BackendError(
                f"`{name}` must give vectors of length 1, but {encoder.name} gives the lengths "
                f"{lengths.round(3).tolist()} instead. Try `dtype: float32`, or another model."
            )
        itself, other = (float(value) for value in documents @ query)
        if itself <= other:
            raise ConfigError(
                f"`{name}` must put a sentence nearer to itself than to another one, but the "
                f"cosines are {itself:.3f} and {other:.3f}. Check its prompts for queries and "
                "documents, its weights, and that it is a model for embeddings."
            )
        size, revision = encoder.dimension, encoder.revision()
        told = f"{encoder.name}, {size} dimensions, revision {revision}; a sentence is nearer to "
        told += f"itself ({itself:.3f}) than to another ({other:.3f})"
        figures = {"dimension": size, "revision": revision, "itself": itself, "other": other}
        return Told(told, figures)

    return Question("encoder", name, "for two vectors", ask, setup.seconds_for(encoder))
