"""Which words a corpus knows, and in how many documents each occurs, by language."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import pyarrow as pa

from sdg.words import explode_words, split_words

VOCABULARY = pa.schema([("word", pa.string()), ("num_documents", pa.int64())])


def build_vocabularies(
    batches: Iterable[pa.Table], *, min_documents: int = 1
) -> dict[str, pa.Table]:
    """Return the vocabulary of every language that occurs.

    A document's words are those of its text, its title and its natural texts: what people wrote.

    Args:
        batches: DOCUMENTS tables; memory holds one batch and the words seen so far.
        min_documents: Leave out words of fewer documents (typing errors of a large corpus).

    Returns:
        Language -> table of VOCABULARY, `word` unique and ascending. Depends neither on the order
        nor on the cut of the batches.
    """
    counts: pl.DataFrame | None = None
    for batch in batches:
        new = _count_words(batch)
        counts = new if counts is None else _add(pl.concat([counts, new]))
    if counts is None:
        return {}
    counts = counts.filter(pl.col("num_documents") >= min_documents).sort("language", "word")
    return {
        str(language): rows.select("word", "num_documents").to_arrow().cast(VOCABULARY)
        for (language,), rows in counts.group_by("language", maintain_order=True)
    }


def _count_words(batch: pa.Table) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "language": pl.Series(batch["language"], dtype=pl.String),
            "title": pl.Series(batch["title"], dtype=pl.String),
            "text": pl.Series(batch["text"], dtype=pl.String),
            "natural": pl.Series(batch["natural_texts"]),
        }
    )
    frame = frame.with_columns(
        natural=pl.col("natural").list.eval(pl.element().struct.field("text")).list.join(" ")
    ).with_columns(
        all=pl.concat_str(
            pl.col("title").fill_null(""),
            pl.col("text"),
            pl.col("natural").fill_null(""),
            separator=" ",
        )
    )
    words = explode_words(split_words(frame["all"].to_arrow()))
    languages = frame.select("language").with_row_index("row")
    pairs = words.select("row", "word").unique().join(languages, on="row")
    return _add(pairs.select("language", "word", num_documents=pl.lit(1, pl.Int64)))


def _add(counts: pl.DataFrame) -> pl.DataFrame:
    return counts.group_by("language", "word").agg(pl.col("num_documents").sum())
