"""How many planted false negatives each rule lets by, alone and in the default chain.

    python -m benchmarks.planted_false_negatives --queries 500

First table: of the plants, the share that the rule alone would still allow as a negative, whatever
else is in the corpus. Second table: the share of plants that became one of the negatives of their
query in a corpus of all abstracts.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.abstracts import read_abstracts
from benchmarks.planting import KINDS, Plant, Planted, plant
from benchmarks.tables import Cell, render_table
from mining.corpus import CorpusView
from mining.embed import EmbeddedQueries, embed_documents
from mining.encoders import ENCODERS, Encoder
from mining.indexes import INDEXES
from mining.mine import MiningConfig, mine
from mining.vectors import VectorStore
from sdg.schemas import POSITIVES
from sdg.store import write_parquet

Chains = Mapping[str, list[dict[str, Any]]]

_DEFAULT = [rule.model_dump() | {"rule": rule.name} for rule in MiningConfig().rules]
ALONE: Chains = {
    "percent 0.95": [{"rule": "percent"}],
    "percent 0.90": [{"rule": "percent", "fraction": 0.9}],
    "margin 0.05": [{"rule": "margin"}],
    "absolute 0.7": [{"rule": "absolute"}],
    "equal text": [{"rule": "exact_duplicate"}],
    "near duplicate": [{"rule": "near_duplicate"}],
    "same entity": [{"rule": "same_entity"}],
    "same group": [{"rule": "same_group"}],
    "same parent": [{"rule": "same_parent"}],
    "default chain": _DEFAULT,
    "default without group": [rule for rule in _DEFAULT if rule["rule"] != "same_group"],
}
EMITTED: Chains = {
    "no rule": [],
    "ranks 30-100": [{"rule": "rank_window", "first": 30, "last": 100}],
    "percent 0.95": ALONE["percent 0.95"],
    "percent 0.90": ALONE["percent 0.90"],
    "default chain": _DEFAULT,
    "default without group": ALONE["default without group"],
}


class Bench:
    """A planted corpus that can be mined with one chain after another.

    Args:
        planted: Queries and plants.
        others: Schema DOCUMENTS; further documents, which may repeat those planted.
        folder: For files.
        vectors: Where vectors are kept.
    """

    def __init__(self, planted: Planted, others: pa.Table, folder: Path, vectors: Path) -> None:
        encoder = ENCODERS.build({"encoder": "use_multilingual"})
        self.planted = planted
        self.corpus = _open(_joined(planted.documents, others), encoder, folder, vectors)
        self.queries = _embed(planted, encoder)
        self._positives = pa.Table.from_pylist(
            [
                {
                    "query_id": query_id,
                    "positive_ids": [positive],
                    "original_positive_id": positive,
                    "positive_was_relabelled": False,
                }
                for query_id, positive in zip(
                    self.queries.query_ids, planted.positive_ids, strict=True
                )
            ],
            schema=POSITIVES,
        )

    def negatives(
        self, rules: list[dict[str, Any]], num_negatives: int | None
    ) -> list[frozenset[str]]:
        """Return the negatives of each query.

        Args:
            rules: Besides `known_positive`.
            num_negatives: None for every document that the rules allow.
        """
        own = [rule for rule in rules if rule["rule"] != "known_positive"]
        config = MiningConfig.model_validate(
            {
                "num_negatives": num_negatives or len(self.corpus),
                "rules": [{"rule": "known_positive"}, *own],
                "on_shortfall": "keep",
            }
        )
        index = INDEXES.build({"index": "faiss_flat"})
        kept = mine(self.queries, self._positives, self.corpus, index, config, seed=0).kept
        found = dict(
            zip(kept["query_id"].to_pylist(), kept["negative_ids"].to_pylist(), strict=True)
        )
        return [frozenset(found.get(query_id, ())) for query_id in self.queries.query_ids]


def share_by_kind(plants: Sequence[Plant], negatives: list[frozenset[str]]) -> dict[str, float]:
    """Return for each kind that was planted the share of plants among the negatives."""
    is_in: dict[str, list[bool]] = {}
    for one in plants:
        is_in.setdefault(one.kind, []).append(one.doc_id in negatives[one.query])
    return {kind: float(np.mean(is_in[kind])) for kind in KINDS if kind in is_in}


def survival_table(bench: Bench) -> list[dict[str, Cell]]:
    """Return one row per kind: how many were planted, and the share each rule alone allows."""
    plants = bench.planted.plants
    columns = {
        "corpus stage": share_by_kind(
            plants, [bench.planted.kept_by_corpus_stage] * len(bench.planted.queries)
        )
    }
    for name, rules in ALONE.items():
        columns[name] = share_by_kind(plants, bench.negatives(rules, None))
    return _rows(plants, columns)


def emission_table(bench: Bench, num_negatives: int) -> list[dict[str, Cell]]:
    """Return one row per kind: the share that became one of `num_negatives`, by chain."""
    plants = bench.planted.plants
    columns = {
        name: share_by_kind(plants, bench.negatives(rules, num_negatives))
        for name, rules in EMITTED.items()
    }
    return _rows(plants, columns)


def _rows(
    plants: Sequence[Plant], columns: Mapping[str, Mapping[str, float]]
) -> list[dict[str, Cell]]:
    counts = {kind: sum(one.kind == kind for one in plants) for kind in KINDS}
    return [
        {
            "planted": kind,
            "count": count,
            **{name: f"{shares[kind]:.1%}" for name, shares in columns.items()},
        }
        for kind, count in counts.items()
        if count
    ]


def _joined(planted: pa.Table, others: pa.Table) -> pa.Table:
    known = set(planted["doc_id"].to_pylist())
    is_new = [doc_id not in known for doc_id in others["doc_id"].to_pylist()]
    return pa.concat_tables([planted, others.filter(pa.array(is_new, pa.bool_()))])


def _open(documents: pa.Table, encoder: Encoder, folder: Path, vectors: Path) -> CorpusView:
    path = folder / "documents.parquet"
    write_parquet(path, documents)
    store = VectorStore(vectors, encoder, "document")
    embed_documents(store, [path])
    return CorpusView.open([path], store)


def _embed(planted: Planted, encoder: Encoder) -> EmbeddedQueries:
    vectors: npt.NDArray[np.float32] = encoder.encode(planted.queries, "query")
    return EmbeddedQueries(
        query_ids=[f"q{place}" for place in range(len(planted.queries))],
        texts=planted.queries,
        languages=planted.languages,
        source_doc_ids=planted.positive_ids,
        vectors=vectors,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--negatives", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--tiny", action="store_true", help="20 queries in their own corpus only")
    settings = parser.parse_args(argv)
    documents, descriptions = read_abstracts()
    num_queries = 20 if settings.tiny else settings.queries
    planted = plant(documents, descriptions, num_queries, settings.seed)
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        vectors = own / "vectors" if settings.tiny else settings.cache / "vectors"
        alone = Bench(planted, documents.slice(0, 0), own / "alone", vectors)
        print(f"{len(planted.queries)} queries, {len(planted.plants)} false negatives planted\n")
        print(f"May still become a negative:\n\n{render_table(survival_table(alone))}\n")
        others = documents.slice(0, 100) if settings.tiny else documents
        whole = Bench(planted, others, own / "whole", vectors)
        print(
            f"Became one of {settings.negatives} negatives among {len(whole.corpus):,} documents:"
            f"\n\n{render_table(emission_table(whole, settings.negatives))}"
        )


if __name__ == "__main__":
    main()
