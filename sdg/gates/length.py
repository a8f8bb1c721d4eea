"""A query must be neither a fragment nor an essay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from sdg.gates import GATES, Evidence, Gate, Objection, Verdict
from sdg.words import are_spaceless, count_words, split_words

if TYPE_CHECKING:
    import pyarrow as pa


@GATES.register("length")
class Length(Gate):
    """Stop queries with too few or too many words.

    In scripts without spaces between words, characters are counted instead; which rule holds is
    decided by the script in `query_language`.

    Attributes:
        min_words: At least this many words. 3 is InPars' lower bound (there: tokens).
        max_words: At most this many words. 64 is InPars' reply length (there: tokens).
        min_characters: The same for scripts without spaces; own.
        max_characters: The same for scripts without spaces; own.
    """

    min_words: int = Field(default=3, ge=1)
    max_words: int = Field(default=64, ge=1)
    min_characters: int = Field(default=4, ge=1)
    max_characters: int = Field(default=128, ge=1)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        for unit in ("words", "characters"):
            low, high = getattr(self, f"min_{unit}"), getattr(self, f"max_{unit}")
            if low > high:
                message = (
                    f"`min_{unit}` must be at most `max_{unit}` ({high}), but is {low} instead. "
                    "Lower the one or raise the other."
                )
                raise ValueError(message)
        return self

    def judge(self, queries: pa.Table, evidence: Evidence) -> Verdict:  # noqa: ARG002
        """Return which queries are shorter or longer than allowed; the detail is the count."""
        counts = count_words(split_words(queries["query"]))
        is_spaceless = are_spaceless(queries["query_language"])
        return Verdict.of(
            Objection(~is_spaceless & (counts < self.min_words), "too_few_words", counts),
            Objection(~is_spaceless & (counts > self.max_words), "too_many_words", counts),
            Objection(is_spaceless & (counts < self.min_characters), "too_few_characters", counts),
            Objection(is_spaceless & (counts > self.max_characters), "too_many_characters", counts),
        )
