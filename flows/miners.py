"""The stage of several miners: what each proposes, and how much approximate indexes find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flows.config import RunConfig
from flows.mine_config import MineConfig
from flows.mining_stages import open_corpus, open_index
from flows.progress import advance
from flows.resources import held
from flows.stage_shards import identity_of, searching
from flows.workspace import Workspace
from mining.embed import EmbeddedQueries
from mining.merge import merge
from mining.miners import CorpusFiles
from mining.proposals import Proposals
from mining.recall import Recall, measure_recall, sample_queries
from sdg.ids import fingerprint
from sdg.schemas import MINER_SCORES
from sdg.shards import Counts, Outcome, Shard, finish

AnyConfig = RunConfig | MineConfig


def corpus_files(space: Workspace, documents: Sequence[Shard]) -> CorpusFiles:
    """Return the corpus as miners take it, and where they keep what they make of it."""
    return CorpusFiles(
        documents=tuple(shard.folder / "kept.parquet" for shard in documents),
        fingerprint=fingerprint([shard.digest for shard in documents]),
        vectors=space.vectors,
        indexes=space.indexes,
    )


def check_searches(config: AnyConfig) -> None:
    """Check that the devices of all searches are there, before anything is paid for.

    Raises:
        BackendError: If one is not. On a cluster nothing is checked: the workers search.
    """
    if config.runner.kind == "threads":
        config.index.check()
        for miner in config.mining.miners:
            miner.check()


def prepare_miners(space: Workspace, config: AnyConfig, documents: Sequence[Shard]) -> Shard:
    """Let every miner embed or index the corpus; facts: what each cut, by its name."""
    files = corpus_files(space, documents)

    def compute() -> Outcome:
        miners = [held(miner) for miner in config.mining.miners]
        return Outcome({}, Counts(), {m.source: dict(m.prepare(files, advance)) for m in miners})

    return finish(
        space.shared("miners", "prepared"),
        identity_of("miners", miners=miners_identity(config), documents=files.fingerprint),
        compute,
    )


def propose_shard(
    space: Workspace,
    config: RunConfig,
    candidates: Shard,
    positives: Shard,
    documents: Sequence[Shard],
) -> Shard:
    """Ask every miner about the queries of one shard that are mined; table "proposals"."""
    files = corpus_files(space, documents)

    def compute() -> Outcome:
        asked = positives.table("positives", ["query_id"])["query_id"].combine_chunks()
        if not len(asked):
            return Outcome({"proposals": MINER_SCORES.empty_table()}, Counts())
        retrieved = _only(candidates.table("candidates"), asked)
        queries = EmbeddedQueries.from_table(_only(candidates.table("vectors"), asked))
        corpus = open_corpus(space, config, documents)
        source = retrieved["source"][0].as_py()
        found = [Proposals.from_candidates(retrieved, source, corpus)]
        cut = 0
        for miner in map(held, config.mining.miners):
            found.append(miner.propose(queries.texts, corpus, files))
            cut += miner.count_truncated(queries.texts)
        table = merge(found, corpus.id_order).table(queries.query_ids, corpus.doc_ids)
        extra = {"queries_truncated": cut} if cut else {}
        return Outcome({"proposals": table}, Counts(len(asked), len(asked), {}, extra))

    return finish(
        space.shard("propose", positives.folder.name),
        identity_of(
            "propose",
            miners=miners_identity(config),
            candidates=candidates.digest,
            positives=positives.digest,
            documents=files.fingerprint,
        ),
        searching(compute),
    )


def measure_run_recall(
    space: Workspace, config: RunConfig, found: Sequence[Shard], documents: Sequence[Shard]
) -> Shard:
    """Measure on a sample of the run's queries what each approximate index finds.

    Facts: for each miner with one, by its name, `Recall.to_json()` and the index's name.
    """

    def compute() -> Outcome:
        queries = sampled_queries(found, config.seed)
        if not queries.query_ids:
            return Outcome({}, Counts())
        facts: dict[str, Any] = {}
        corpus = open_corpus(space, config, documents)
        if not config.index.is_exact:
            index = open_index(space, config, corpus, documents)
            measured = measure_recall(queries.vectors, corpus, index, config.retrieve_depth)
            facts[corpus_source(config)] = recall_fact(index.describe(), measured)
        facts |= recall_of_miners(config, queries, corpus_files(space, documents))
        return Outcome({}, Counts(), facts)

    return finish(
        space.shard("recall", "all"),
        identity_of(
            "recall",
            seed=config.seed,
            index=config.index.identity(),
            miners=miners_identity(config),
            found=[shard.digest for shard in found],
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )


def recall_of_miners(
    config: AnyConfig, queries: EmbeddedQueries, files: CorpusFiles
) -> dict[str, Any]:
    """Return what every other miner with an approximate index finds of the exact, by its name."""
    return {
        miner.source: recall_fact(
            miner.approximate_index, miner.measure_recall(queries.texts, files)
        )
        for miner in map(held, config.mining.miners)
        if miner.approximate_index is not None
    }


def has_approximate_index(config: AnyConfig) -> bool:
    """Return whether any search of the run may miss documents."""
    miners = config.mining.miners
    return not config.index.is_exact or any(m.approximate_index is not None for m in miners)


def corpus_source(config: RunConfig) -> str:
    """Return the name under which the run's own encoder mines."""
    return f"dense:{config.encoder.name}"


def miners_identity(config: AnyConfig) -> list[list[Any]]:
    """Return JSON of everything about the miners that decides what they propose."""
    return [[miner.identity(), held(miner).revision()] for miner in config.mining.miners]


def miner_scores(proposed: Sequence[Shard], negatives: pa.Table) -> pa.Table:
    """Return what every miner said about the positives and negatives of the finished rows.

    Args:
        proposed: Shards of `propose_shard`.
        negatives: NEGATIVES of the finished rows.

    Returns:
        MINER_SCORES by query, document and miner; a miner that did not propose a document has no
        row for it.
    """
    wanted = pa.concat_tables(
        [_pairs(negatives, "positive_ids"), _pairs(negatives, "negative_ids")]
    )
    kept = [
        shard.table("proposals").join(wanted, ["query_id", "doc_id"], join_type="left semi")
        for shard in proposed
    ]
    table = pa.concat_tables([MINER_SCORES.empty_table(), *(t.cast(MINER_SCORES) for t in kept)])
    keys = [("query_id", "ascending"), ("doc_id", "ascending"), ("source", "ascending")]
    return table.sort_by(keys).combine_chunks()


def recall_texts(measured: Shard) -> Iterator[str]:
    """Yield a sentence for each approximate index that was measured."""
    for source, fact in sorted(measured.facts.items()):
        yield (
            f"The index {fact['index']} of {source} is approximate: it found "
            f"{100 * fact['recall']:.2f} % of the exact {fact['k']} nearest documents of "
            f"{fact['queries']} sampled queries."
        )


def recall_fact(index: str, measured: Recall) -> dict[str, Any]:
    """Return what is remembered of one measurement."""
    return {"index": index, **measured.to_json()}


def sampled_queries(found: Sequence[Shard], seed: int) -> EmbeddedQueries:
    """Return the queries of a run on which recall is measured; shards have the table "vectors"."""
    ids = [shard.table("vectors", ["query_id"])["query_id"].to_pylist() for shard in found]
    flat = [query_id for own in ids for query_id in own]
    wanted = pa.array([flat[place] for place in sample_queries(flat, seed).tolist()], pa.string())
    tables = [_only(shard.table("vectors"), wanted) for shard in found]
    tables = [table for table in tables if table.num_rows] or [
        found[0].table("vectors").slice(0, 0)
    ]
    return EmbeddedQueries.from_table(pa.concat_tables(tables).combine_chunks())


def _only(table: pa.Table, ids: pa.Array) -> pa.Table:
    return table.filter(pc.is_in(table["query_id"], value_set=ids))


def _pairs(negatives: pa.Table, column: str) -> pa.Table:
    lists = negatives[column].combine_chunks()
    query = negatives["query_id"].combine_chunks().take(pc.list_parent_indices(lists))
    return pa.table({"query_id": query, "doc_id": lists.flatten()})
