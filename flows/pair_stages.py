"""The stage of rules that see the whole run; see `corpus_stages`.

Verdicts are made once for all queries, then carried out shard by shard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from flows.config import RunConfig
from flows.corpus_stages import corpus_of
from flows.resources import held
from flows.stage_shards import identity_of, outcome_of
from flows.workspace import Workspace
from mining import run_pairs
from mining.pair_rules import STAGE, Originals, Pairs, judge_pairs
from mining.vectors import checked_vectors
from sdg.shards import Counts, Outcome, Shard, finish
from sdg.verdicts import apply_verdicts

# Counted per rule: queries that went on because the rule had too little to judge by.
NOT_JUDGED_BY = "not_judged_by_"


class Asked(NamedTuple):
    """What the rules may look at.

    Attributes:
        queries: The run's queries.
        found: retrieve; shard i holds candidates and vectors of the queries of shard i.
        documents: The corpus.
        written: Every query ever written, whatever became of it: where originals of paraphrases
            are looked for that are no longer among `queries`.
    """

    queries: list[Shard]
    found: list[Shard]
    documents: list[Shard]
    written: list[Shard]


def judge_run_pairs(
    space: Workspace, config: RunConfig, asked: Asked, name: str = "verdicts"
) -> Shard:
    """Judge every query of the run by `config.pair_rules`."""
    rules = config.pair_rules
    needs = {
        "vectors": any(rule.needs_vectors for rule in rules),
        "parents": any(rule.needs_parents for rule in rules),
        "originals": any(rule.needs_originals for rule in rules),
    }
    encoder = held(config.encoder) if needs["originals"] else None

    def compute() -> Outcome:
        with _opened(space, config, asked, needs) as pairs:
            judged = judge_pairs(pairs, rules)
        return Outcome(judged._asdict(), Counts())

    return finish(
        space.shard(STAGE, name),
        identity_of(
            STAGE,
            rules=[rule.identity() for rule in rules],
            best_of=config.round_trip.best_of,
            queries=[shard.digest for shard in asked.queries],
            found=[shard.digest for shard in asked.found],
            documents=[shard.digest for shard in asked.documents] if needs["parents"] else [],
            written=[shard.digest for shard in asked.written] if needs["originals"] else [],
            encoder=[] if encoder is None else [encoder.identity(), encoder.revision()],
        ),
        compute,
    )


def apply_pair_rules(space: Workspace, verdicts: Shard, queries: Shard) -> Shard:
    """Return one shard of queries without those that a rule stops; count the unjudged."""

    def compute() -> Outcome:
        table = queries.table("kept")
        unjudged = verdicts.table("unjudged")
        is_here = pc.is_in(unjudged["query_id"], value_set=table["query_id"].combine_chunks())
        counts = Counter(unjudged.filter(is_here)["rule"].to_pylist())
        return outcome_of(
            apply_verdicts(table, verdicts.table("verdicts"), STAGE),
            **{f"{NOT_JUDGED_BY}{rule}": count for rule, count in sorted(counts.items())},
        )

    return finish(
        space.shard(STAGE, queries.folder.name),
        identity_of(STAGE, verdicts=verdicts.digest, queries=queries.digest),
        compute,
    )


@contextmanager
def _opened(
    space: Workspace, config: RunConfig, asked: Asked, needs: dict[str, bool]
) -> Iterator[Pairs]:
    """Yield the run's queries, with vectors, parents and lost originals where they are needed."""
    rows = run_pairs.pair_rows(
        (shard.table("kept", run_pairs.QUERY_COLUMNS) for shard in asked.queries),
        (shard.table("candidates", ["query_id", "source_score"]) for shard in asked.found),
        best_of=config.round_trip.best_of,
    )
    if needs["parents"]:
        sources = pa.chunked_array([rows["source_doc_id"].to_arrow().cast(pa.string())])
        found = corpus_of(asked.documents).rows(sources, ["doc_id", "parent_id"])
        rows = run_pairs.with_parents(rows, found)
    originals = _lost_originals(config, asked, rows) if needs["originals"] else Originals()
    if not needs["vectors"] or rows.is_empty():
        yield Pairs(rows, None, originals)
        return
    tables = (shard.table("vectors", ["query_id", "vector"]) for shard in asked.found)
    with run_pairs.gathered_vectors(tables, rows["query_id"], space.work) as vectors:
        yield Pairs(rows, vectors, originals)


def _lost_originals(config: RunConfig, asked: Asked, rows: pl.DataFrame) -> Originals:
    """Return the originals of paraphrases that did not come so far, embedded once more."""
    lost = run_pairs.lost_originals(rows)
    if not lost:
        return Originals()
    written = (shard.table("kept", ["query_id", "query"]) for shard in asked.written)
    texts = run_pairs.texts_of(written, lost)
    vectors = checked_vectors(held(config.encoder), list(texts.values()), "query")
    return Originals(list(texts), list(texts.values()), vectors)
