"""Both miners, from the same files to Parquet; each runs in a process of its own.

In: `documents.parquet`, `documents.npy`, `queries.parquet`, `queries.npy` in one folder. Out: a
Parquet file with query, positive, negatives and scores, as a trainer reads it. Only queries with
all their negatives are written: theirs leaves the others out of an n-tuple.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.given_model import GivenModel
from benchmarks.measure import Work
from mining.corpus import CorpusView
from mining.embed import EmbeddedQueries
from mining.given_vectors import GivenVectors
from mining.indexes import INDEXES
from mining.mine import MiningConfig, mine
from mining.vector_file import VectorFile
from sdg.schemas import POSITIVES
from sdg.store import write_parquet

_WARM_UP_DOCUMENTS = 256


def theirs(folder: str, out: str, use_faiss: bool, num_negatives: int, window: int | None) -> Work:
    """Return sentence-transformers' mining of the pairs in `folder`.

    Args:
        folder: With the four files.
        out: Parquet file.
        use_faiss: Which of their two paths.
        num_negatives: Per query.
        window: Their `range_max`; None: their default.
    """
    from datasets import Dataset, disable_progress_bars
    from sentence_transformers.util import mine_hard_negatives

    disable_progress_bars()
    logging.disable(logging.WARNING)
    choices: dict[str, Any] = {
        "range_max": window,
        "relative_margin": 0.05,
        "num_negatives": num_negatives,
        "sampling_strategy": "top",
        "output_format": "n-tuple",
        "output_scores": True,
        "use_faiss": use_faiss,
        "verbose": False,
    }

    def mined(limit: int | None) -> Any:  # noqa: ANN401 - a Dataset
        texts, queries, positives = _texts(Path(folder), limit)
        vectors = [np.load(Path(folder) / f"{name}.npy") for name in ("queries", "documents")]
        model: Any = GivenModel(queries, vectors[0], texts, vectors[1])
        pairs = {"query": queries, "positive": [texts[row] for row in positives]}
        return mine_hard_negatives(Dataset.from_dict(pairs), model, corpus=texts, **choices)

    if use_faiss:
        import faiss  # noqa: F401 - what is imported before the work is start-up

    mined(_WARM_UP_DOCUMENTS)

    def work() -> dict[str, Any]:
        found = mined(None)
        found.to_parquet(out)
        return {"filled": len(found)}

    return work


def ours(folder: str, out: str, index: dict[str, Any], num_negatives: int) -> Work:
    """Return our mining of the pairs in `folder`, with the same rules as theirs.

    Args:
        folder: With the four files.
        out: Parquet file.
        index: Settings of the back-end.
        num_negatives: Per query.
    """
    config = MiningConfig.model_validate(
        {
            "num_negatives": num_negatives,
            "rules": [{"rule": "known_positive"}, {"rule": "percent", "fraction": 0.95}],
        }
    )

    def mined(limit: int | None) -> tuple[pa.Table, CorpusView, EmbeddedQueries]:
        corpus = open_corpus(Path(folder))
        queries, positives = open_queries(Path(folder), corpus, limit)
        built = INDEXES.build(index)
        return mine(queries, positives, corpus, built, config, seed=0).kept, corpus, queries

    mined(8)

    def work() -> dict[str, Any]:
        found, corpus, queries = mined(None)
        write_parquet(Path(out), _with_texts(found, corpus, queries))
        return {"filled": found.num_rows}

    return work


def open_corpus(folder: Path) -> CorpusView:
    """Return the corpus in a folder, with its given vectors."""
    vectors = GivenVectors(VectorFile.open(folder / "documents.npy"), "given")
    return CorpusView.open([folder / "documents.parquet"], vectors)


def open_queries(
    folder: Path, corpus: CorpusView, limit: int | None = None
) -> tuple[EmbeddedQueries, pa.Table]:
    """Return the queries in a folder with their vectors, and POSITIVES."""
    table = pq.read_table(folder / "queries.parquet").slice(0, limit)
    vectors = np.load(folder / "queries.npy", mmap_mode="r")[: table.num_rows]
    positives = corpus.doc_ids.take(table["positive_row"].combine_chunks()).cast(pa.string())
    names = [f"q{place:09d}" for place in range(table.num_rows)]
    queries = EmbeddedQueries(
        query_ids=names,
        texts=table["query"].to_pylist(),
        languages=["eng-Latn"] * table.num_rows,
        source_doc_ids=positives.to_pylist(),
        vectors=np.array(vectors, np.float32),
    )
    offsets = pa.array(np.arange(table.num_rows + 1), pa.int32())
    columns = {
        "query_id": pa.array(names, pa.string()),
        "positive_ids": pa.ListArray.from_arrays(offsets, positives),
        "original_positive_id": positives,
        "positive_was_relabelled": pa.repeat(pa.scalar(False), table.num_rows),
    }
    return queries, pa.table(columns, schema=POSITIVES)


def _texts(folder: Path, limit: int | None) -> tuple[list[str], list[str], list[int]]:
    documents = pq.read_table(folder / "documents.parquet", columns=["text"])["text"]
    pairs = pq.read_table(folder / "queries.parquet")
    if limit is not None:
        # For the warm-up: a few queries, and the first documents in place of the positives.
        texts = documents.slice(0, limit).to_pylist()
        queries = pairs["query"].slice(0, 8).to_pylist()
        return texts, queries, list(range(len(queries)))
    return documents.to_pylist(), pairs["query"].to_pylist(), pairs["positive_row"].to_pylist()


def _with_texts(found: pa.Table, corpus: CorpusView, queries: EmbeddedQueries) -> pa.Table:
    """Return the negatives beside the texts of everything, a trainer's n-tuple."""
    texts = dict(zip(queries.query_ids, queries.texts, strict=True))
    ids = found["negative_ids"].combine_chunks()
    negatives = corpus.texts(corpus.rows_of(ids.flatten().to_pylist()))
    positives = found["positive_ids"].combine_chunks().flatten().to_pylist()
    columns = {
        "query": pa.array([texts[name] for name in found["query_id"].to_pylist()], pa.string()),
        "positive": pa.array(corpus.texts(corpus.rows_of(positives)), pa.string()),
        "negatives": pa.ListArray.from_arrays(ids.offsets, pa.array(negatives, pa.string())),
        **{name: found[name] for name in ("positive_ids", "negative_ids")},
        **{name: found[name] for name in ("positive_scores", "negative_scores", "negative_ranks")},
    }
    return pa.table(columns)
