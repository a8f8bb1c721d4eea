"""False negatives put into a corpus on purpose, so that it can be counted what a rule lets by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.paraphrases import PARAPHRASES, first_sentence, other_case_and_punctuation
from sdg.corpus.contract import CorpusConfig
from sdg.corpus.duplicates import find_duplicates
from sdg.ids import comparison_key, content_id
from sdg.schemas import DOCUMENTS

TRANSLATION = "same article, other language"
KINDS = (TRANSLATION, *PARAPHRASES)


@dataclass(frozen=True, slots=True)
class Plant:
    """One document that answers a query as well as its positive does.

    Attributes:
        query: Place of the query.
        doc_id: The document.
        kind: One of KINDS.
    """

    query: int
    doc_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Planted:
    """Queries, and a corpus in which each has false negatives.

    Attributes:
        queries: Q texts.
        languages: Q tags.
        positive_ids: Q ids.
        plants: False negatives; those of kind TRANSLATION were in the corpus before.
        documents: Schema DOCUMENTS; positives and plants, grouped as the corpus stage groups them.
        kept_by_corpus_stage: Ids of those that its deduplication would have kept.
    """

    queries: list[str]
    languages: list[str]
    positive_ids: list[str]
    plants: list[Plant]
    documents: pa.Table
    kept_by_corpus_stage: frozenset[str]


def plant(documents: pa.Table, descriptions: Sequence[str], num_queries: int, seed: int) -> Planted:
    """Return `num_queries` described documents that have a translation, and their plants.

    Args:
        documents: Schema DOCUMENTS, N rows.
        descriptions: N queries, "" where there is none.
        num_queries: At most; fewer where the corpus has no more.
        seed: Chooses the documents.
    """
    rows = documents.to_pylist()
    by_entity: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_entity.setdefault(row["entity_key"], []).append(row)
    chosen = _chosen(rows, descriptions, by_entity, num_queries, seed)
    plants: list[Plant] = []
    corpus: dict[str, dict[str, Any]] = {}
    for query, place in enumerate(chosen):
        positive = rows[place]
        corpus[positive["doc_id"]] = positive
        for other in by_entity[positive["entity_key"]]:
            if other["language"] != positive["language"]:
                corpus[other["doc_id"]] = other
                plants.append(Plant(query, other["doc_id"], TRANSLATION))
    for query, place in enumerate(chosen):
        for kind, row in _paraphrases(rows[place]):
            if row["doc_id"] not in corpus:
                corpus[row["doc_id"]] = row
                plants.append(Plant(query, row["doc_id"], kind))
    grouped, kept = _grouped(list(corpus.values()))
    return Planted(
        [descriptions[place] for place in chosen],
        [rows[place]["language"] for place in chosen],
        [rows[place]["doc_id"] for place in chosen],
        plants,
        grouped,
        kept,
    )


def _chosen(
    rows: list[dict[str, Any]],
    descriptions: Sequence[str],
    by_entity: dict[str, list[dict[str, Any]]],
    num_queries: int,
    seed: int,
) -> list[int]:
    """Return places of documents with a description of their own and a translation."""
    fit: dict[str, int] = {}
    for place in np.random.default_rng(seed).permutation(len(rows)).tolist():
        languages = {other["language"] for other in by_entity[rows[place]["entity_key"]]}
        if descriptions[place] and len(languages) > 1:
            fit.setdefault(descriptions[place], place)
    return list(fit.values())[:num_queries]


def _paraphrases(positive: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the plants that differ from the positive; a rule without effect plants nothing."""
    own = comparison_key(positive["text"])
    planted: list[tuple[str, dict[str, Any]]] = []
    for kind, rule in PARAPHRASES.items():
        text = rule(positive["text"], positive["language"])
        if (comparison_key(text) == own) != (rule is other_case_and_punctuation):
            continue
        doc_id = content_id("d", text)
        # A copy from elsewhere: nothing but its text says what it is about. A chunk has a parent.
        parent = positive["parent_id"] if rule is first_sentence else doc_id
        planted.append(
            (
                kind,
                {
                    **positive,
                    "doc_id": doc_id,
                    "text": text,
                    "parent_id": parent,
                    "entity_key": "",
                    "group_id": parent,
                    "natural_texts": [],
                },
            )
        )
    return planted


def _grouped(rows: list[dict[str, Any]]) -> tuple[pa.Table, frozenset[str]]:
    table = pa.Table.from_pylist(rows, schema=DOCUMENTS)
    verdicts = find_duplicates([table], CorpusConfig())
    place = table.schema.get_field_index("group_id")
    grouped = table.set_column(place, DOCUMENTS.field("group_id"), verdicts["group_id"])
    return grouped, frozenset(verdicts.filter(verdicts["keep"])["doc_id"].to_pylist())
