"""Documents and what people wrote beside them -> an evaluation set that a data set did not use."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from data_cards.probe.config import EvalSetConfig
from sdg.errors import DataError
from sdg.ids import comparison_key, content_id, normalise_text, seed_for
from sdg.words import split_words

COLUMNS = ["doc_id", "text", "language", "group_id", "entity_key", "natural_texts"]


class Used(NamedTuple):
    """What of a data set must not come back in its evaluation set.

    Attributes:
        groups: Of its documents.
        entities: Of its documents.
        queries: Its queries, of all splits.
    """

    groups: list[str]
    entities: list[str]
    queries: list[str]


class Built(NamedTuple):
    """The rows of a BEIR directory.

    Attributes:
        corpus: Rows of corpus.jsonl, by id.
        queries: Rows of queries.jsonl, by id.
        judgments: (query, document, 1).
        counts: Documents and queries that were there, that might be taken, that were taken.
    """

    corpus: list[dict[str, Any]]
    queries: list[dict[str, Any]]
    judgments: list[tuple[str, str, int]]
    counts: dict[str, Any]


def build_eval_set(documents: pl.DataFrame, used: Used, config: EvalSetConfig) -> Built:
    """Return queries that stand beside one document each, and a corpus to find that document in.

    Nothing in a group or of an entity that the data set used is taken, in any language. Of a group
    or an entity only one document is taken: the others would be found, too, and count as wrong. A
    text that stands beside several documents is no query, nor is one that the data set asks.

    Args:
        documents: Columns `COLUMNS`, of the whole corpus.
        used: By the data set.
        config: Sizes.

    Raises:
        DataError: If no document or no query is left.
    """
    marked = _with_texts(documents, config)
    free = marked.filter(
        ~pl.col("group_id").is_in(pl.Series(used.groups, dtype=pl.String).implode())
        & ~pl.col("entity_key").is_in(pl.Series(_named(used.entities), dtype=pl.String).implode())
    )
    asked = {comparison_key(query) for query in used.queries}
    fit = free.filter(
        pl.col("words") >= config.min_words,
        pl.col("times") == 1,
        ~pl.col("key").is_in(pl.Series(sorted(asked), dtype=pl.String).implode()),
    )
    chosen = (
        _one_per_thing(fit)
        .with_columns(turn=pl.int_range(pl.len()).over("language"))
        .sort("turn", "language")
        .head(config.queries)
    )
    if not chosen.height:
        raise DataError(
            f"The corpus must hold documents with a text of the kind {config.kind!r} beside them "
            f"that the data set does not use, but of {documents.height} documents none is left. "
            "Set `kind`, or take a data set that used less of its corpus."
        )
    others = free.filter(
        ~pl.col("group_id").is_in(chosen["group_id"].implode())
        & ~pl.col("entity_key").is_in(pl.Series(_named(chosen["entity_key"].to_list())).implode())
    )
    rest = _one_per_thing(others).head(max(0, config.documents - chosen.height))
    searched = pl.concat([chosen.select(COLUMNS), rest.select(COLUMNS)]).sort("doc_id")
    counts = {
        "documents": documents.height,
        "documents_not_used": free.height,
        "queries_possible": fit.height,
        "queries": chosen.height,
        "queries_by_language": dict(sorted(chosen["language"].value_counts().iter_rows())),
        "documents_taken": searched.height,
    }
    return _rows(chosen, searched, counts)


def _rows(chosen: pl.DataFrame, searched: pl.DataFrame, counts: dict[str, Any]) -> Built:
    corpus = [
        {
            "_id": row["doc_id"],
            "title": "",
            "text": row["text"],
            "metadata": {"language": row["language"], "group_id": row["group_id"]},
        }
        for row in searched.iter_rows(named=True)
    ]
    queries, judgments = [], []
    for row in chosen.sort("doc_id").iter_rows(named=True):
        query_id = content_id("e", row["doc_id"], row["beside"])
        metadata = {"language": row["language"]}
        queries.append({"_id": query_id, "text": row["beside"], "metadata": metadata})
        judgments.append((query_id, row["doc_id"], 1))
    return Built(corpus, queries, judgments, counts)


def _with_texts(documents: pl.DataFrame, config: EvalSetConfig) -> pl.DataFrame:
    """Return documents in the order of the draw, with the text beside each, its words and key."""
    beside = [
        _beside(texts, config.kind) for texts in documents["natural_texts"].fill_null([]).to_list()
    ]
    order = [seed_for(config.seed, "eval_set", doc_id) for doc_id in documents["doc_id"].to_list()]
    return (
        documents.select(COLUMNS)
        .with_columns(
            pl.col("group_id", "entity_key", "language").fill_null(""),
            beside=pl.Series(beside, dtype=pl.String),
            key=pl.Series([comparison_key(text) for text in beside], dtype=pl.String),
            words=split_words(pl.Series(beside, dtype=pl.String).to_arrow()).list.len(),
            order=pl.Series(order, dtype=pl.Int64),
        )
        .with_columns(times=pl.len().over("key"))
        .sort("order", "doc_id")
    )


def _one_per_thing(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the first document of every group and of every entity."""
    for name in ("group_id", "entity_key"):
        own = pl.when(pl.col(name) == "").then(pl.col("doc_id")).otherwise(pl.col(name))
        frame = frame.filter(own.is_first_distinct())
    return frame


def _beside(texts: list[dict[str, str]], kind: str) -> str:
    found = next((text["text"] for text in texts if text["kind"] == kind), "")
    return " ".join(normalise_text(found).split())


def _named(entities: list[str]) -> list[str]:
    return sorted({entity for entity in entities if entity})
