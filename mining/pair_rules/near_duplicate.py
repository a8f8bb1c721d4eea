"""Nearly the same query, anywhere in the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import polars as pl
from pydantic import Field, model_validator

from mining.pair_rules import PAIR_RULES, PairRule, Pairs, PairVerdict
from mining.pair_rules.similar_vectors import twins_everywhere
from mining.pair_rules.similar_words import Confirmed, Texts, twins_by_words
from mining.pair_rules.twins import Rows, best_first, kin_of, stopped_by

Share = Annotated[float, Field(gt=0, lt=1)]


@PAIR_RULES.register("near_duplicate")
class NearDuplicateQuery(PairRule):
    """Stop a query that nearly is another one of the run, by its words, its vector, or both.

    Greedy: a query stops if one that stays and comes before it is too close. The closer one to its
    document comes first, then the smaller id. Exact: no pair above the bounds is missed.

    Queries are short, so a bound for documents is a loose one here: one word of ten may be the name
    that is asked for. Hence words and not runs of letters by default (Iran and Iraq are one letter
    apart), `same_numbers`, and `jaccard` with `cosine` together, which takes both to agree. Two
    rules in the list, one with each, take either.

    Attributes:
        jaccard: Words or runs in common / in either; queries with more than this are twins. 0.8 is
            what NeMo Curator's bands mean, for documents. None compares no words.
        unit: "word": word order does not count; in scripts without spaces each character is a word.
            "character": runs of `run` characters; sees word order.
        run: Characters per run; own.
        same_numbers: True: queries with other numbers in them are no twins by their words; own.
        cosine: Queries whose vectors have more than this are twins, in [0, 1]; an encoder's number,
            so there is no default. None compares no vectors.
        across_languages: True compares queries of different languages too; own.
        compare_paraphrases: True compares a query with its paraphrases and those with each other
            too; own.
    """

    jaccard: Share | None = 0.8
    unit: Literal["word", "character"] = "word"
    run: int = Field(default=5, ge=1)
    same_numbers: bool = True
    cosine: float | None = Field(default=None, ge=0, le=1)
    across_languages: bool = False
    compare_paraphrases: bool = False

    @model_validator(mode="after")
    def _check_bound(self) -> NearDuplicateQuery:
        if self.jaccard is None and self.cosine is None:
            raise ValueError(
                "`jaccard` or `cosine` must be given, but both are null instead. "
                "Leave the rule out to compare nothing"
            )
        return self

    @property
    def needs_vectors(self) -> bool:
        """Return whether a cosine counts."""
        return self.cosine is not None

    def judge(self, judged: pl.DataFrame, pairs: Pairs) -> PairVerdict:
        """Return the queries with a twin; the detail is the id that stays."""
        parts = []
        for rows in self._compared(best_first(judged)):
            parts.append(stopped_by(rows, self._twins(rows, pairs), "near_duplicate_query"))
        return PairVerdict(pl.concat(parts))

    def _compared(self, rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
        if self.across_languages:
            yield rows
            return
        for language in sorted(rows["query_language"].unique()):
            yield rows.filter(pl.col("query_language") == language)

    def _twins(self, rows: pl.DataFrame, pairs: Pairs) -> Rows:
        kin = kin_of(rows, compare_paraphrases=self.compare_paraphrases)
        places = rows["place"].to_numpy(writable=True)
        if self.jaccard is None:
            cosine = 0.0 if self.cosine is None else self.cosine
            return twins_everywhere(pairs.vectors_needed(), places, kin, cosine)
        texts = Texts.of(
            rows["query"],
            self.run if self.unit == "character" else 0,
            same_numbers=self.same_numbers,
        )
        confirmed = None
        if self.cosine is not None:
            confirmed = Confirmed(pairs.vectors_needed(), places, self.cosine)
        return twins_by_words(texts, kin, self.jaccard, confirmed)
