"""A query must be made of words that people have written."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from sdg.gates import GATES, Evidence, Gate, Objection, Verdict
from sdg.words import explode_words, split_words

if TYPE_CHECKING:
    import pyarrow as pa


@GATES.register("vocabulary")
class Vocabulary(Gate):
    """Stop queries with invented words, and with rare words that their source does not hold.

    A small model garbles names ("solstax") and mixes in names it half remembers. A word is attested
    if it occurs in the source document, or in at least `min_documents` documents of the corpus in
    the query's language. A *rare* word (in at most `max_rare_documents` of them) names something
    particular; in a query about this document it should stand in this document, be it in another
    form: two words that begin with the same `prefix_letters` letters count as one.

    Words of fewer than `min_letters` letters and words with digits are not judged: so no query in
    a script without spaces between words, where each character counts as a word. Meant for small
    generators and for corpora large enough to know the language; leave it out for large models,
    which may rightly use words that the corpus does not.

    Attributes:
        min_letters: Shortest word that is judged; own.
        min_documents: Documents that must hold a word for it to count as attested; own.
        max_rare_documents: A word in at most this many documents must stand in the source; 0 is
            off; own.
        prefix_letters: Letters that make two words forms of one, for rare words only, because
            invented words often begin like real ones; 0 is off; own.
        max_unattested: Words per query that may be unattested; own.
        generated_only: True; natural pairs are human-written.
    """

    needs_vocabulary: ClassVar[bool] = True

    min_letters: int = Field(default=3, ge=1)
    min_documents: int = Field(default=2, ge=1)
    max_rare_documents: int = Field(default=0, ge=0)
    prefix_letters: int = Field(default=5, ge=0)
    max_unattested: int = Field(default=0, ge=0)
    generated_only: bool = True

    def judge(self, queries: pa.Table, evidence: Evidence) -> Verdict:
        """Return which queries hold such words; the detail is the words."""
        words = self._words_not_in_source(queries, evidence)
        counts = self._num_documents(words, queries, evidence)
        num_rows = queries.num_rows
        unattested = _by_row(words.filter(counts < self.min_documents), num_rows)
        is_rare = (counts >= self.min_documents) & (counts <= self.max_rare_documents)
        rare = _by_row(self._without_forms(words.filter(is_rare), evidence), num_rows)
        return Verdict.of(
            Objection(
                np.array([len(found) > self.max_unattested for found in unattested]),
                "words_unknown_to_corpus",
                [" ".join(found) for found in unattested],
            ),
            Objection(
                np.array([bool(found) for found in rare]),
                "rare_words_not_in_source",
                [" ".join(found) for found in rare],
            ),
        )

    def _words_not_in_source(self, queries: pa.Table, evidence: Evidence) -> pl.DataFrame:
        words = explode_words(split_words(queries["query"])).filter(
            pl.col("word").str.contains(rf"^[\p{{L}}\p{{M}}]{{{self.min_letters},}}$")
        )
        known = _source_words(evidence)
        return words.join(known, on=["row", "word"], how="anti").sort("row", "position")

    def _without_forms(self, words: pl.DataFrame, evidence: Evidence) -> pl.DataFrame:
        """Return the words that begin like no word of their source document."""
        if not self.prefix_letters:
            return words
        start = pl.col("word").str.slice(0, self.prefix_letters).alias("start")
        is_long = pl.col("word").str.len_chars() >= self.prefix_letters
        known = _source_words(evidence).filter(is_long).select("row", start).unique()
        return words.with_columns(start).join(
            known, on=["row", "start"], how="anti", maintain_order="left"
        )

    def _num_documents(
        self, words: pl.DataFrame, queries: pa.Table, evidence: Evidence
    ) -> pl.Series:
        tags = pl.Series("language", queries["query_language"], dtype=pl.String)
        languages = pl.DataFrame({"language": tags}).with_row_index("row")
        asked = words.join(languages, on="row", how="left", maintain_order="left")
        known = [
            pl.DataFrame(evidence.vocabularies[tag]).with_columns(language=pl.lit(tag))
            for tag in tags.unique().to_list()
            if tag in evidence.vocabularies
        ]
        if not known:
            return pl.Series(np.zeros(len(words), dtype=np.int64))
        found = asked.join(
            pl.concat(known), on=["language", "word"], how="left", maintain_order="left"
        )
        return found["num_documents"].fill_null(0)


def _source_words(evidence: Evidence) -> pl.DataFrame:
    columns = [evidence.sources[name] for name in ("text", "title")]
    words = [explode_words(split_words(column)).select("row", "word") for column in columns]
    return pl.concat(words).unique()


def _by_row(words: pl.DataFrame, num_rows: int) -> list[list[str]]:
    lists: list[list[str]] = [[] for _ in range(num_rows)]
    for row, word in words.select("row", "word").iter_rows():
        lists[row].append(word)
    return lists
