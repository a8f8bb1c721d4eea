"""The stages of documents that an LLM wrote: checked, joined to the corpus, put into the rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flows.config import RunConfig
from flows.corpus_stages import corpus_of
from flows.decontamination import find_contaminated_written, identity_of_sets
from flows.judging import Rows, concat
from flows.mining_stages import open_corpus
from flows.resources import held
from flows.stage_shards import identity_of
from flows.workspace import Workspace
from mining.embed import EmbeddedQueries
from sdg.schemas import DOCUMENTS, LINKS, QUERIES
from sdg.shards import Counts, Outcome, Shard, finish
from sdg.written import check_written
from sdg.written_rows import Pair, add_written, negative_links, with_further_positives


def check_written_shard(
    space: Workspace,
    config: RunConfig,
    queries: Sequence[Shard],
    written: Sequence[Shard],
    documents: Sequence[Shard],
    name: str,
    *,
    queries_stand: bool = False,
) -> Shard:
    """Check what was written for the queries that still stand.

    Args:
        space: The run's folders.
        config: The run.
        queries: Tables "kept" (QUERIES) of one round.
        written: Shards with tables "links" and "documents".
        documents: The corpus so far.
        name: The shard's name.
        queries_stand: True if they were accepted before anything was written for them.

    Returns:
        Tables "kept" (DOCUMENTS that join the corpus), "links", "verdicts" and "rejected". Its
        unit is the link.
    """
    gates = [held(gate) for gate in config.gates if gate.reads_written]

    def compute() -> Outcome:
        links = concat(written, "links", LINKS)
        # The first request's of equal texts, however requests are cut into shards.
        found = concat(written, "documents", DOCUMENTS).sort_by([("source_key", "ascending")])
        distinct = found.take(pc.index_in(found["doc_id"].unique(), value_set=found["doc_id"]))
        asked = concat(queries, "kept", QUERIES)
        ids = [links["doc_id"], asked["source_doc_id"]]
        known = corpus_of(documents).rows(pa.chunked_array([c for i in ids for c in i.chunks]))
        blocked = find_contaminated_written(distinct, config.decontaminate)
        for gate in gates:
            # The first that objects owns the document.
            blocked = {**gate.objections(distinct), **blocked}
        done = check_written(
            asked,
            links,
            distinct,
            known,
            config.written,
            blocked=blocked,
            queries_stand=queries_stand,
        )
        tables = {
            "kept": done.documents,
            "links": done.result.kept,
            "verdicts": done.verdicts,
            "rejected": done.result.rejected,
        }
        return Outcome(tables, Counts.of(done.result))

    return finish(
        space.shard("write", name),
        identity_of(
            "write",
            config=config.written.model_dump(mode="json"),
            sets=identity_of_sets(config.decontaminate),
            gates=[gate.identity() for gate in gates],
            queries_stand=queries_stand,
            queries=[shard.digest for shard in queries],
            written=[shard.digest for shard in written],
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )


def link_shard(
    space: Workspace, config: RunConfig, queries: Shard, positives: Shard, checked: Sequence[Shard]
) -> Shard:
    """Give the queries of one shard their further positives, and those of what they paraphrase."""
    same = sorted(label for label, task in config.tasks().items() if task.keeps_meaning)

    def compute() -> Outcome:
        links = concat(checked, "links", LINKS)
        rows = queries.table("kept", ["query_id", "paraphrase_of", "task"])
        is_same = pc.is_in(rows["task"], value_set=pa.array(same, pa.string()))
        varied = rows.filter(pc.and_(is_same, pc.not_equal(rows["paraphrase_of"], "")))
        originals = zip(
            *(varied[name].to_pylist() for name in ("query_id", "paraphrase_of")), strict=True
        )
        table = with_further_positives(positives.table("positives"), links, dict(originals))
        tables = {"positives": table, "judgments": positives.table("judgments")}
        return Outcome(tables, Counts(table.num_rows, table.num_rows))

    return finish(
        space.shard("link", positives.folder.name),
        identity_of(
            "link",
            same=same,
            queries=queries.digest,
            positives=positives.digest,
            links=[shard.digest for shard in checked],
        ),
        compute,
    )


def add_written_shard(
    space: Workspace,
    config: RunConfig,
    rows: Rows,
    documents: Sequence[Shard],
    checked: Sequence[Shard],
) -> Shard:
    """Put written negatives into the rows of one shard."""
    encoder = held(config.encoder)

    def compute() -> Outcome:
        negatives = rows.negatives.table("kept")
        links = negative_links(negatives, concat(checked, "links", LINKS))
        needed = [*links["doc_id"].chunks, *pc.list_flatten(negatives["positive_ids"]).chunks]
        known = corpus_of(documents).rows(pa.chunked_array(needed, pa.string()))
        done = add_written(
            negatives,
            links,
            known,
            _scores(space, config, rows, documents, links),
            policy="instead" if config.written.negatives == "instead" else "beside",
            limit=config.mining.num_negatives,
            at_most=config.written.at_most,
        )
        count = negatives.num_rows
        return Outcome({"kept": done.negatives}, Counts(count, count, {}, done.extra))

    return finish(
        space.shard("add_written", rows.negatives.folder.name),
        identity_of(
            "add_written",
            config=config.written.model_dump(mode="json"),
            limit=config.mining.num_negatives,
            encoder=encoder.identity(),
            revision=encoder.revision(),
            found=rows.found.digest,
            negatives=rows.negatives.digest,
            links=[shard.digest for shard in checked],
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )


def _scores(
    space: Workspace,
    config: RunConfig,
    rows: Rows,
    documents: Sequence[Shard],
    links: pa.Table,
) -> dict[Pair, float]:
    """Return the cosine of every link, by the run's encoder."""
    pairs = list(zip(links["query_id"].to_pylist(), links["doc_id"].to_pylist(), strict=True))
    if not pairs:
        return {}
    queries = EmbeddedQueries.from_table(rows.found.table("vectors"))
    places = {query_id: place for place, query_id in enumerate(queries.query_ids)}
    corpus = open_corpus(space, config, documents)
    found = corpus.vectors_of(corpus.rows_of([doc_id for _, doc_id in pairs]))
    asked = queries.vectors[[places[query_id] for query_id, _ in pairs]]
    cosines = np.einsum("ij,ij->i", asked.astype(np.float64), found.astype(np.float64))
    return dict(zip(pairs, cosines.tolist(), strict=True))
