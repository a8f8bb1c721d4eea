"""Pairs that people already have -> QUERIES and POSITIVES, one row per distinct query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from sdg.errors import DataError
from sdg.ids import canonical_json, content_id, normalise_text
from sdg.lookup import ABSENT, Keys, Lookup, keys_of
from sdg.pairs.columns import Lists, lists_of, texts_of
from sdg.pairs.corpus_index import CorpusIndex
from sdg.pairs.documents import UNKNOWN_LANGUAGE, make_documents, tags_of
from sdg.pairs.pair_source import PairSource
from sdg.pairs.tables import Batch
from sdg.schemas import DOCUMENTS, GIVEN_PAIR, POSITIVES, QUERIES, REJECTIONS, table_of

STAGE = "pairs"
# Rows of the source that each query was made of, the first one first.
PAIR_ROWS = pa.schema([("query_id", pa.string()), ("pair_rows", pa.list_(pa.int64()))])

Rows = npt.NDArray[np.int64]


class ReadPairs(NamedTuple):
    """What pairs became.

    Attributes:
        queries: QUERIES, one row per distinct query, in the order of their first pairs.
        positives: POSITIVES, row for row the same queries.
        pair_rows: PAIR_ROWS, row for row the same queries.
        added: DOCUMENTS that only the pairs know, in the order of their first pairs.
        rejected: REJECTIONS, one per pair that stopped: `empty_query`, `no_positive`,
            `positive_not_in_corpus` (none of its ids is there).
        rows_in: Pairs.
        extra: `pairs_merged` into an earlier query, `ids_merged` (another id, the same query),
            `positives_added` to the corpus, `positive_ids_not_found` beside some that were.
    """

    queries: pa.Table
    positives: pa.Table
    pair_rows: pa.Table
    added: pa.Table
    rejected: pa.Table
    rows_in: int
    extra: dict[str, int]


class _Part(NamedTuple):
    """One batch of pairs: columns of R rows, and positives as (row, document) entries."""

    frame: pl.DataFrame
    rejected: list[dict[str, str]]
    not_found: int


def read_pairs(
    source: PairSource, corpus: CorpusIndex, document_language: str, *, has_corpus: bool
) -> ReadPairs:
    """Return the distinct queries and their positives.

    Pairs with the same query, language and instruction are one query with all their positives,
    whatever their ids: a positive of the one would otherwise be a negative of the other.

    Args:
        source: The pairs.
        corpus: What ids and texts refer to; documents that are missing are added behind it.
        document_language: Of documents that are added; "" is unknown.
        has_corpus: False if the positives are the corpus.

    Raises:
        DataError: If the source cannot be read, a column is missing, one query id has two queries,
            or no pair is left.
    """
    added = _Added(len(corpus))
    parts = list(_parts(source, corpus, added, has_corpus=has_corpus))
    rejected = [row for part in parts for row in part.rejected]
    frames = [part.frame for part in parts if part.frame.height]
    num_rows = sum(part.frame.height for part in parts) + len(rejected)
    if not frames:
        reasons = sorted({row["reason"] for row in rejected})
        raise DataError(
            f"`pairs.path` must hold at least one pair that can be mined, but of {num_rows} rows "
            f"of {source.path!r} all are rejected instead ({', '.join(reasons) or 'it is empty'}). "
            "Correct the path or the columns."
        )
    frame = pl.concat(frames)
    _check_ids(frame)
    merged = frame.group_by("query", "language", "instruction", maintain_order=True).agg(
        pl.col("query_id").first(),
        pl.col("query_id").n_unique().alias("num_ids"),
        pl.col("row").alias("pair_rows"),
        pl.col("documents").explode(empty_as_null=False).unique(maintain_order=True),
    )
    documents = _document_ids(merged["documents"], corpus, added)
    firsts = merged["documents"].list.first().to_numpy()
    queries = _queries(merged, documents, _languages(firsts, corpus, added, document_language))
    rows = merged["pair_rows"].to_list()
    return ReadPairs(
        queries,
        _positives(queries["query_id"], documents),
        pa.table({"query_id": queries["query_id"], "pair_rows": rows}, schema=PAIR_ROWS),
        added.table(document_language),
        table_of(rejected, REJECTIONS),
        num_rows,
        {
            "pairs_merged": frame.height - merged.height,
            "ids_merged": int((merged["num_ids"] - 1).sum()),
            "positives_added": len(added.texts),
            "positive_ids_not_found": sum(part.not_found for part in parts),
        },
    )


class _Added:
    """Positives that are in no corpus, numbered on from its last row."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.texts: list[str] = []
        self._keys = Lookup()

    def rows_of(self, texts: Sequence[str]) -> Rows:
        """Return the row of each text, giving new ones the next."""
        keys = keys_of(texts)
        found = self._keys.find(keys)
        absent = np.flatnonzero(found == ABSENT)
        if len(absent):
            new = absent[_first_occurrences(keys[absent])]
            self._keys.add(keys[new])
            self.texts.extend(texts[place] for place in new.tolist())
            found[absent] = self._keys.find(keys[absent])
        return found + self.first

    def table(self, language: str) -> pa.Table:
        """Return DOCUMENTS."""
        if not self.texts:
            return DOCUMENTS.empty_table()
        return make_documents(self.ids(), {"text": self.texts}, language, STAGE, 0)

    def ids(self) -> list[str]:
        """Return the ids of all."""
        return [content_id("d", text) for text in self.texts]


def _first_occurrences(keys: Keys) -> Rows:
    """Return the ascending places of those of (N, 2) keys that no earlier one equals."""
    # A stable sort by both words: of equal keys the first one comes first.
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    is_new = np.ones(len(keys), bool)
    is_new[1:] = (keys[order[1:]] != keys[order[:-1]]).any(axis=1)
    return np.sort(order[is_new])


def _parts(
    source: PairSource, corpus: CorpusIndex, added: _Added, *, has_corpus: bool
) -> Iterator[_Part]:
    chosen: dict[str, str] = {}

    def choose(present: Sequence[str], where: str) -> list[str]:
        chosen.clear()
        chosen.update(source.choose(present, where, has_corpus=has_corpus))
        return list(dict.fromkeys(filter(None, chosen.values())))

    for batch in source.batches(choose):
        yield _part(batch, dict(chosen), source.language, corpus, added)


def _part(
    batch: Batch, chosen: dict[str, str], language: str, corpus: CorpusIndex, added: _Added
) -> _Part:
    values = {
        key: texts_of(batch.rows, chosen[key], batch.where)
        for key in ("query", "query_id", "language", "instruction")
    }
    queries = [normalise_text(query) for query in values["query"]]
    is_empty = np.array([not query for query in queries], bool)
    if chosen["positive_ids"]:
        lists = lists_of(batch.rows, chosen["positive_ids"], batch.where)
        found = corpus.ids.find(keys_of(lists.values))
        absent_reason = "positive_not_in_corpus"
    else:
        lists = _normalised(lists_of(batch.rows, chosen["positive"], batch.where))
        found = _rows_of_texts(lists, np.repeat(is_empty, lists.counts), corpus, added)
        absent_reason = "no_positive"
    owner = np.repeat(np.arange(len(queries)), lists.counts)
    is_found = found != ABSENT
    num_found = np.bincount(owner[is_found], minlength=len(queries))
    stopped = np.flatnonzero(is_empty | (num_found == 0))
    rejected = [
        _rejection(
            batch.first_row + row,
            "empty_query"
            if is_empty[row]
            else (absent_reason if lists.counts[row] else "no_positive"),
            {key: column[row] for key, column in values.items()},
            [lists.values[i] for i in np.flatnonzero(owner == row)],
        )
        for row in stopped.tolist()
    ]
    kept = np.ones(len(queries), bool)
    kept[stopped] = False
    wanted = is_found & kept[owner]
    frame = pl.DataFrame(
        {
            "row": np.arange(batch.first_row, batch.first_row + len(queries)),
            "query": queries,
            "query_id": values["query_id"],
            "language": tags_of(values["language"], language),
            "instruction": [normalise_text(text) for text in values["instruction"]],
            "documents": _as_lists(found[wanted], np.bincount(owner[wanted], minlength=len(kept))),
        },
        schema_overrides={"query": pl.String, "query_id": pl.String},
    ).filter(pl.Series(kept))
    not_found = int((~is_found & kept[owner]).sum())
    return _Part(frame, rejected, not_found)


def _normalised(lists: Lists) -> Lists:
    return Lists([normalise_text(text) for text in lists.values], lists.counts)


def _rows_of_texts(
    lists: Lists, is_idle: npt.NDArray[np.bool_], corpus: CorpusIndex, added: _Added
) -> Rows:
    """Return a row per positive; `ABSENT` for empty ones and those of queries that stop."""
    found = corpus.texts.find(keys_of(lists.values))
    is_text = np.array([bool(text) for text in lists.values], bool) & ~is_idle
    new = np.flatnonzero((found == ABSENT) & is_text)
    found[new] = added.rows_of([lists.values[place] for place in new.tolist()])
    found[~is_text] = ABSENT
    return found


def _as_lists(values: Rows, counts: Rows) -> pl.Series:
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int64())
    return pl.Series(pa.LargeListArray.from_arrays(offsets, pa.array(values, pa.int64())))


def _rejection(
    row: int, reason: str, values: dict[str, str], positives: Sequence[str]
) -> dict[str, str]:
    named = {**values, "positives": list(positives), "pair_row": row}
    shown = ", ".join(text[:80] for text in positives[:3])
    return {
        "row_id": content_id("p", str(row)),
        "stage": STAGE,
        "reason": reason,
        "detail": f"row {row}: {shown}" if shown else f"row {row}",
        "row": canonical_json(named),
    }


def _check_ids(frame: pl.DataFrame) -> None:
    named = frame.filter(pl.col("query_id") != "")
    clash = (
        named.group_by("query_id", maintain_order=True)
        .agg(pl.struct("query", "language", "instruction").n_unique().alias("n"), pl.col("row"))
        .filter(pl.col("n") > 1)
    )
    if clash.height:
        rows = clash["row"][0].to_list()[:3]
        raise DataError(
            f"Pairs of one query id must have one query, but {clash['query_id'][0]!r} has several "
            f"(rows {rows}; {clash.height} such ids). Give each query its own id, or leave the ids "
            "out: `pairs.query_id_column: '-'`."
        )


def _document_ids(documents: pl.Series, corpus: CorpusIndex, added: _Added) -> list[list[str]]:
    flat = documents.explode().to_numpy()
    ids = np.empty(len(flat), object)
    is_old = flat < added.first
    ids[is_old] = corpus.doc_ids(flat[is_old])
    new = added.ids()
    ids[~is_old] = [new[row - added.first] for row in flat[~is_old].tolist()]
    ends = np.cumsum(documents.list.len().to_numpy())
    return [part.tolist() for part in np.split(ids, ends[:-1])]


def _languages(rows: Rows, corpus: CorpusIndex, added: _Added, language: str) -> list[str]:
    tags = np.full(len(rows), language or UNKNOWN_LANGUAGE, object)
    is_old = rows < added.first
    tags[is_old] = corpus.languages(rows[is_old])
    return list(tags)


def _queries(
    merged: pl.DataFrame, documents: Sequence[Sequence[str]], document_languages: Sequence[str]
) -> pa.Table:
    texts, instructions = merged["query"].to_list(), merged["instruction"].to_list()
    languages = merged["language"].to_list()
    ids = [
        own or content_id("q", text, tag, instruction)
        for own, text, tag, instruction in zip(
            merged["query_id"].to_list(), texts, languages, instructions, strict=True
        )
    ]
    none = [""] * len(ids)
    columns = dict.fromkeys(QUERIES.names, none) | {
        "query_id": ids,
        "query": texts,
        "query_language": languages,
        "instruction": instructions,
        "task": [GIVEN_PAIR] * len(ids),
        "source_doc_id": [own[0] for own in documents],
        "document_language": document_languages,
        "candidate_index": [0] * len(ids),
        "seed": [0] * len(ids),
        "spec": ["{}"] * len(ids),
        "mean_logprob": [None] * len(ids),
    }
    return pa.table(columns, schema=QUERIES)


def _positives(query_ids: pa.ChunkedArray, documents: Sequence[Sequence[str]]) -> pa.Table:
    columns = {
        "query_id": query_ids,
        "positive_ids": documents,
        "original_positive_id": [own[0] for own in documents],
        "positive_was_relabelled": [False] * len(documents),
    }
    return pa.table(columns, schema=POSITIVES)
