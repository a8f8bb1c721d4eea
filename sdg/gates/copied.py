"""A query must not be a piece of its own source document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from sdg.gates import GATES, Evidence, Gate, Objection, Verdict
from sdg.words import are_spaceless, count_words, longest_shared_runs, share_found, split_words

if TYPE_CHECKING:
    import pyarrow as pa


@GATES.register("copied")
class Copied(Gate):
    """Stop queries that repeat the source document word for word.

    A copied query teaches an encoder to match strings. Small models copy often, and a copy passes a
    round-trip check with ease, so this gate must come first. Words are compared case folded and
    without punctuation.

    Three measures, the first that objects names the reason:
      - the whole query is one run of the document's words (InPars' check);
      - the longest shared run is at least `max_run_words` words, or more than `max_run_share` of
        the query;
      - more than `max_overlap` of the query's words occur anywhere in the document.

    Attributes:
        max_run_share: Share of the query that one shared run may be, in [0, 1]; own.
        max_run_words: Words one shared run may have; own. Long enough for titles of works.
        max_overlap: Share of the query's words that may occur in the document, in [0, 1]. 1 is off,
            the default, because a short honest question is often made of the document's words; own.
        min_words: Shorter queries are judged by the first measure only: two words such as a name
            are no copy; own.
        max_run_characters: `max_run_words` for queries in scripts without spaces between words,
            where each character counts as one; own.
        min_characters: `min_words` for those; own.
    """

    max_run_share: float = Field(default=0.8, ge=0, le=1)
    max_run_words: int = Field(default=8, ge=1)
    max_overlap: float = Field(default=1.0, ge=0, le=1)
    min_words: int = Field(default=4, ge=1)
    max_run_characters: int = Field(default=16, ge=1)
    min_characters: int = Field(default=8, ge=1)
    generated_only: bool = True

    def judge(self, queries: pa.Table, evidence: Evidence) -> Verdict:
        """Return which queries are copies; the detail is the share or the run that decided."""
        words = split_words(queries["query"])
        source_words = split_words(evidence.sources["text"])
        counts = count_words(words)
        runs = longest_shared_runs(words, source_words)
        run_shares = runs / np.maximum(counts, 1)
        overlaps = share_found(words, source_words)
        is_spaceless = are_spaceless(queries["query_language"])
        is_long = counts >= np.where(is_spaceless, self.min_characters, self.min_words)
        max_run = np.where(is_spaceless, self.max_run_characters, self.max_run_words)
        return Verdict.of(
            Objection((runs == counts) & (counts > 0), "copied_verbatim", runs),
            Objection(runs > max_run, "copied_long_run", runs),
            Objection(is_long & (run_shares > self.max_run_share), "copied_mostly", run_shares),
            Objection(is_long & (overlaps > self.max_overlap), "overlaps_source", overlaps),
        )
