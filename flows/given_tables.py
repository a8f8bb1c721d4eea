"""Given documents and pairs as shards: read once, cut into shards of documents and of queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from flows.mine_config import CorpusSettings, MineConfig
from flows.progress import advance
from flows.stage_shards import identity_of
from flows.workspace import Workspace
from sdg.errors import DataError
from sdg.ids import fingerprint
from sdg.lookup import keys_of
from sdg.pairs.corpus_index import CorpusIndex
from sdg.pairs.documents import CutDocuments, keys_table, read_documents
from sdg.pairs.pairs import ReadPairs, read_pairs
from sdg.shards import Counts, Outcome, Shard, finish, load

# Documents of one shard: ten million are 153 of them, each in memory while it is written.
_SHARD_DOCUMENTS = 65_536
# Where a document of the pairs has no row in the corpus.
_NO_ROW = -1
_NOT_CONTENT = {"path", "licence", "attribution"}


def read_corpus(space: Workspace, config: CorpusSettings) -> list[Shard]:
    """Read the given corpus; without one there is no shard.

    Returns:
        Shards with the tables kept, rejected, keys and, if asked for, attributes. Counts are in
        documents.
    """
    source = config.corpus
    if source is None:
        return []
    inputs = identity_of(
        "given_corpus",
        columns=source.model_dump(mode="json", exclude=_NOT_CONTENT),
        content=source.content_identity(),
    )
    found = _found(space, "corpus", inputs)
    if found is not None:
        return found[1:]
    shards = []
    for number, documents in enumerate(_in_shards(read_documents(source))):
        shards.append(_finish(space, "corpus", inputs, number, _outcome_of(documents, config)))
        advance(documents.rows_in)
    _finish_index(space, "corpus", inputs, len(shards), Outcome({}, Counts()))
    return shards


def read_given_pairs(
    space: Workspace, config: MineConfig, documents: Sequence[Shard]
) -> list[Shard]:
    """Read the given pairs, resolved against the corpus.

    Returns:
        First the shard of everything that is not cut: the table rejected, counts in pairs. Second
        the documents that only the pairs know, with tables as those of `read_corpus`. Then shards
        of queries with the tables kept (QUERIES), positives and pair_rows.

    Raises:
        DataError: If pairs and corpus do not fit together.
    """
    inputs = identity_of(
        "given_pairs",
        columns=config.pairs.model_dump(mode="json", exclude=_NOT_CONTENT),
        content=config.pairs.content_identity(),
        corpus=None if config.corpus is None else [shard.digest for shard in documents],
        language="" if config.corpus is None else config.corpus.language,
        attributes=list(attributes_of(config)),
        queries_per_shard=config.shards.queries,
    )
    found = _found(space, "pairs", inputs)
    if found is not None:
        return found
    parts = ((s.table("kept", ["doc_id", "language"]), s.table("keys")) for s in documents)
    language = "" if config.corpus is None else config.corpus.language
    read = read_pairs(
        config.pairs, CorpusIndex.of(parts), language, has_corpus=config.corpus is not None
    )
    if config.vectors is not None and read.added.num_rows:
        raise DataError(
            f"Given vectors must cover every document, but {read.added.num_rows} positives are not "
            f"in the corpus, the first: {read.added['text'][0].as_py()[:80]!r}. Add them to the "
            "corpus and embed them, or let an encoder do it."
        )
    shards = [_finish(space, "pairs", inputs, 0, _added(read, config))]
    for number, part in enumerate(_query_parts(read, config.shards.queries), start=1):
        shards.append(_finish(space, "pairs", inputs, number, part))
    rejected = dict(sorted(Counter(read.rejected["reason"].to_pylist()).items()))
    counts = Counts(read.rows_in, read.rows_in - read.rejected.num_rows, rejected, read.extra)
    outcome = Outcome({"rejected": read.rejected}, counts)
    return [_finish_index(space, "pairs", inputs, len(shards), outcome), *shards]


def attributes_of(config: CorpusSettings) -> tuple[str, ...]:
    """Return the columns that are kept beside the documents."""
    return () if config.corpus is None else config.corpus.attributes


def _outcome_of(documents: CutDocuments, config: CorpusSettings) -> Outcome:
    tables = {"kept": documents.kept, "rejected": documents.rejected, "keys": documents.keys}
    if attributes_of(config):
        tables["attributes"] = documents.attributes
    rejected = dict(sorted(Counter(documents.rejected["reason"].to_pylist()).items()))
    return Outcome(tables, Counts(documents.rows_in, documents.kept.num_rows, rejected))


def _in_shards(batches: Iterator[CutDocuments]) -> Iterator[CutDocuments]:
    """Yield batches joined to shards of at most `_SHARD_DOCUMENTS` rows of the source."""
    waiting: list[CutDocuments] = []
    for batch in batches:
        if sum(b.rows_in for b in waiting) + batch.rows_in > _SHARD_DOCUMENTS:
            yield _joined(waiting)
            waiting = []
        waiting.append(batch)
    yield _joined(waiting)


def _joined(batches: Sequence[CutDocuments]) -> CutDocuments:
    return CutDocuments(
        kept=pa.concat_tables([batch.kept for batch in batches]),
        rejected=pa.concat_tables([batch.rejected for batch in batches]),
        attributes=pa.concat_tables([batch.attributes for batch in batches]),
        keys=pa.concat_tables([batch.keys for batch in batches]),
        rows_in=sum(batch.rows_in for batch in batches),
    )


def _added(read: ReadPairs, config: MineConfig) -> Outcome:
    """Return the documents that only the pairs know, as a shard of the corpus."""
    count = read.added.num_rows
    ids, texts = read.added["doc_id"].to_pylist(), read.added["text"].to_pylist()
    keys = keys_table(np.full(count, _NO_ROW), keys_of(ids), keys_of(texts))
    tables = {"kept": read.added, "keys": keys}
    if attributes_of(config):
        empty = pa.array([""] * count, pa.string())
        tables["attributes"] = pa.table(dict.fromkeys(attributes_of(config), empty))
    return Outcome(tables, Counts(count, count))


def _query_parts(read: ReadPairs, size: int) -> Iterator[Outcome]:
    for start in range(0, read.queries.num_rows, size):
        tables = {
            "kept": read.queries.slice(start, size),
            "positives": read.positives.slice(start, size),
            "pair_rows": read.pair_rows.slice(start, size),
        }
        count = tables["kept"].num_rows
        yield Outcome(tables, Counts(count, count))


def _found(space: Workspace, stage: str, inputs: dict[str, Any]) -> list[Shard] | None:
    """Return the index and all shards of a stage if they are finished."""
    index = load(space.shared(stage, "index"), fingerprint(inputs))
    if index is None:
        return None
    shards = [
        load(space.shared(stage, f"{number:05d}"), fingerprint({**inputs, "part": number}))
        for number in range(index.facts["shards"])
    ]
    whole = [shard for shard in shards if shard is not None]
    return [index, *whole] if len(whole) == len(shards) else None


def _finish(
    space: Workspace, stage: str, inputs: dict[str, Any], number: int, outcome: Outcome
) -> Shard:
    folder = space.shared(stage, f"{number:05d}")
    return finish(folder, {**inputs, "part": number}, lambda: outcome)


def _finish_index(
    space: Workspace, stage: str, inputs: dict[str, Any], count: int, outcome: Outcome
) -> Shard:
    with_count = Outcome(outcome.tables, outcome.counts, {"shards": count})
    return finish(space.shared(stage, "index"), inputs, lambda: with_count)
