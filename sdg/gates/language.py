"""A query must be in the language it was asked for in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from sdg.gates import GATES, Evidence, Gate, Objection, Verdict
from sdg.language import confidence_in
from sdg.words import are_spaceless, count_words, split_words

if TYPE_CHECKING:
    import pyarrow as pa


@GATES.register("language")
class LanguageOfQuery(Gate):
    """Stop queries that are not in `query_language`.

    Letters of another script always stop a query. Otherwise the detector's confidence decides, for
    queries long enough to tell: of "film de 1968" no detector is sure. A language that the detector
    does not know is judged by nothing here and passes, and so does a Japanese query without kana,
    which nobody can tell from Chinese.

    Attributes:
        min_confidence: In [0, 1]. 0.65 is datatrove's bound, made for whole documents; with `among`
            set to the few languages of a run it suits queries too.
        min_words: Queries of fewer words are judged by their script only; own.
        min_characters: The same for scripts without spaces between words; own.
        among: Languages ("fra-Latn") the detector chooses from, at least two; () is all it knows,
            too hard for short texts: name the languages of the run.
    """

    min_confidence: float = Field(default=0.65, ge=0, le=1)
    min_words: int = Field(default=3, ge=1)
    min_characters: int = Field(default=6, ge=1)
    among: tuple[str, ...] = ()

    def judge(self, queries: pa.Table, evidence: Evidence) -> Verdict:  # noqa: ARG002
        """Return which queries are in another script or language; the detail is the confidence."""
        texts = queries["query"].to_pylist()
        confidence = confidence_in(
            texts, queries["query_language"].to_pylist(), among=self.among
        ).astype(np.float64)
        is_spaceless = are_spaceless(queries["query_language"])
        needed = np.where(is_spaceless, self.min_characters, self.min_words)
        has_enough_words = count_words(split_words(queries["query"])) >= needed
        return Verdict.of(
            Objection(confidence == 0, "not_in_query_language", confidence),
            Objection(
                has_enough_words & (confidence < self.min_confidence),  # NaN compares False
                "query_language_unsure",
                confidence,
            ),
        )
