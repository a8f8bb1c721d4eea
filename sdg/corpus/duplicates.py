"""Exact and near duplicates over the whole corpus, and the groups that must share a split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdg.corpus.contract import STAGE, VERDICTS, CorpusConfig
from sdg.corpus.groups import Rows, connected_components, edges_of_equal, smallest_member
from sdg.errors import ContractError
from sdg.ids import comparison_key, content_id
from sdg.schemas import DOCUMENTS, StageResult, check_table, reject_rows
from sdg.shingles import Hashes, band_keys, real_jaccard, shingles_of

DUPLICATE_COLUMNS = ["doc_id", "text", "parent_id", "entity_key"]


@dataclass(frozen=True, slots=True)
class Rereadable:
    """Batches that are read anew each time they are iterated over.

    Attributes:
        open: Returns a fresh iterator over the same batches.
    """

    open: Callable[[], Iterator[pa.Table]]

    def __iter__(self) -> Iterator[pa.Table]:
        return self.open()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one pass keeps of N documents.

    Attributes:
        doc_ids: (N,) ids.
        parents: (N,) codes, equal for chunks of one document.
        entities: (N,) codes, equal for the same entity, -1 if unknown.
        exact: (N,) the first row with the same comparison key.
        bands: (N, B) MinHash band keys; B is 0 without near deduplication.
    """

    doc_ids: pa.Array
    parents: Rows
    entities: Rows
    exact: Rows
    bands: Hashes


def find_duplicates(documents: Iterable[pa.Table], config: CorpusConfig) -> pa.Table:
    """Return what is a duplicate of what, and which documents must share a split.

    Exact: the same words (`ids.comparison_key`); the first in source order is kept. Near: MinHash
    proposes pairs, the real Jaccard similarity of their character n-grams decides. In source order,
    a document is dropped if it is near an earlier *kept* one, so a dropped document always has a
    kept one that resembles it, and chains of small changes do not swallow each other.

    A group is everything tied together by a common parent, exact or near duplication (dropped
    documents included: one that is near two kept documents ties them) and, if
    `group_same_entity`, the same entity key. Its id depends on its members, not on their order.

    Memory is, per document, its ids, some hundred bytes of hash tables and 8 bytes per band (32
    bands at 0.8), and the n-gram hashes of those kept documents that another one may resemble;
    never the texts.

    Args:
        documents: Batches in source order with at least `DUPLICATE_COLUMNS`; read twice.
        config: Settings of the stage.

    Returns:
        Schema VERDICTS, one row per document in input order; no rows for no documents.

    Raises:
        ContractError: If `documents` can be iterated over only once, or the second reading
            differs from the first.
    """
    if isinstance(documents, Iterator):
        raise ContractError(
            "`documents` must be readable twice, but is a one-shot iterator instead. "
            "Pass a list, or wrap the function that opens it in `Rereadable`."
        )
    seen = _read_once(documents, config)
    near_of, ties = _near_duplicates(documents, seen, config)
    verdict_of = np.where(near_of[seen.exact] >= 0, near_of[seen.exact], seen.exact)
    is_kept = verdict_of == np.arange(len(verdict_of))
    reasons = np.where(
        is_kept, "", np.where(near_of[seen.exact] >= 0, "near_duplicate", "exact_duplicate")
    )
    originals = seen.doc_ids.take(pa.array(verdict_of))
    columns = {
        "doc_id": seen.doc_ids,
        "keep": is_kept,
        "reason": pa.array(reasons.tolist(), pa.string()),
        "duplicate_of": pc.if_else(pa.array(is_kept), "", originals),
        "group_id": _group_ids(seen, ties, config),
    }
    return pa.table(columns, schema=VERDICTS)


def apply_duplicates(documents: pa.Table, verdicts: pa.Table) -> StageResult:
    """Return the documents that are no duplicates, with their groups.

    Args:
        documents: Schema DOCUMENTS, N rows.
        verdicts: The N rows of `find_duplicates` for these very documents, same order.

    Returns:
        kept: Schema DOCUMENTS in input order, `group_id` set, `doc_id` unique over the corpus.
        rejected: Reasons `exact_duplicate` and `near_duplicate`; the detail names the kept
            document.
        rows_in: N.

    Raises:
        ContractError: If a schema is wrong or the rows do not belong together.
    """
    check_table(documents, DOCUMENTS, "documents")
    check_table(verdicts, VERDICTS, "verdicts")
    if documents["doc_id"].combine_chunks() != verdicts["doc_id"].combine_chunks():
        raise ContractError(
            f"`verdicts` must be about the given {documents.num_rows} documents in their order, "
            f"but hold {verdicts.num_rows} rows or other ids instead. Pass the slice of this shard."
        )
    place = documents.schema.get_field_index("group_id")
    grouped = documents.set_column(place, DOCUMENTS.field("group_id"), verdicts["group_id"])
    dropped = verdicts.filter(pc.invert(verdicts["keep"]))
    rejected = reject_rows(
        grouped.filter(pc.invert(verdicts["keep"])),
        "doc_id",
        STAGE,
        dropped["reason"].to_pylist(),
        [f"duplicate of {original}" for original in dropped["duplicate_of"].to_pylist()],
    )
    return StageResult(grouped.filter(verdicts["keep"]), rejected, documents.num_rows)


def _read_once(documents: Iterable[pa.Table], config: CorpusConfig) -> _Seen:
    doc_ids: list[pa.Array] = []
    codes: dict[str, list[Rows]] = {"parent_id": [], "entity_key": [], "key": []}
    bands: list[Hashes] = []
    code_of: dict[str, dict[bytes, int]] = {name: {} for name in codes}
    for batch in documents:
        doc_ids.extend(batch["doc_id"].chunks)
        keys = _compared_texts(batch, config)
        for name in ("parent_id", "entity_key"):
            codes[name].append(_codes(batch[name].to_pylist(), code_of[name]))
        codes["key"].append(_codes(keys, code_of["key"]))
        if config.deduplicate:
            bands.append(band_keys(shingles_of(keys, config.shingle_characters), config.jaccard))
    exact = _joined(codes["key"])
    first = np.unique(exact, return_index=True)[1]
    no_bands = np.empty((len(exact), 0), dtype=np.uint64)
    return _Seen(
        doc_ids=pa.concat_arrays([*doc_ids, pa.array([], pa.string())]),
        parents=_joined(codes["parent_id"]),
        entities=_joined(codes["entity_key"]),
        exact=first[exact] if len(exact) else exact,
        bands=np.concatenate(bands) if bands else no_bands,
    )


def _compared_texts(batch: pa.Table, config: CorpusConfig) -> list[str]:
    """Return what two documents must have in common to be the same."""
    texts: list[str] = batch["text"].to_pylist()
    return [comparison_key(text) for text in texts] if config.deduplicate else texts


def _codes(values: list[str], code_of: dict[bytes, int]) -> Rows:
    """Return consecutive numbers in order of first appearance; only hashes are kept.

    "" means unknown and is -1. A comparison key is never "": no document is without characters.
    """
    codes = np.empty(len(values), dtype=np.int64)
    for row, value in enumerate(values):
        digest = hashlib.blake2b(value.encode("utf-8"), digest_size=16).digest()
        codes[row] = code_of.setdefault(digest, len(code_of)) if value else -1
    return codes


def _joined(parts: list[Rows]) -> Rows:
    return np.concatenate([*parts, np.empty(0, dtype=np.int64)])


def _near_duplicates(
    documents: Iterable[pa.Table], seen: _Seen, config: CorpusConfig
) -> tuple[Rows, Rows]:
    """Return near duplicates among the first rows of each comparison key.

    Returns:
        (N,) the kept row that stands for each row, -1 if it is no near duplicate; and (E, 2) pairs
        of rows whose similarity was verified.
    """
    near_of = np.full(len(seen.exact), -1, dtype=np.int64)
    ties: list[tuple[int, int]] = []
    buckets = _shared_buckets(seen)
    kept_in: dict[int, list[int]] = {}
    kept_shingles: dict[int, Hashes] = {}
    for row, shingles in _shingles_of_rows(documents, seen, buckets, config):
        partners = {p for bucket in buckets[row] for p in kept_in.get(bucket, ())}
        similar = [
            partner
            for partner in sorted(partners)
            if _is_near(kept_shingles[partner], shingles, config.jaccard)
        ]
        ties.extend((partner, row) for partner in similar)
        if similar:
            near_of[row] = similar[0]
            continue
        kept_shingles[row] = shingles
        for bucket in buckets[row]:
            kept_in.setdefault(bucket, []).append(row)
    return near_of, np.array(ties, dtype=np.int64).reshape(-1, 2)


def _shared_buckets(seen: _Seen) -> dict[int, list[int]]:
    """Return, for every first row that shares a band key with another, its shared buckets."""
    buckets: dict[int, list[int]] = {}
    firsts = np.flatnonzero(seen.exact == np.arange(len(seen.exact)))
    start = 0
    for band in range(seen.bands.shape[1]):
        _, inverse, counts = np.unique(
            seen.bands[firsts, band], return_inverse=True, return_counts=True
        )
        for place in np.flatnonzero(counts[inverse] > 1).tolist():
            buckets.setdefault(int(firsts[place]), []).append(start + int(inverse[place]))
        start += len(counts)
    return buckets


def _shingles_of_rows(
    documents: Iterable[pa.Table], seen: _Seen, wanted: dict[int, list[int]], config: CorpusConfig
) -> Iterator[tuple[int, Hashes]]:
    """Yield the n-gram set of every wanted row in ascending order: the second reading."""
    if not wanted:
        return
    start = 0
    for batch in documents:
        ids = seen.doc_ids.slice(start, batch.num_rows)
        if batch["doc_id"].combine_chunks() != ids:
            raise ContractError(
                "`documents` must give the same batches each time they are read, but the second "
                f"reading differs from document {start} on instead. Read from finished files."
            )
        rows = [row for row in range(batch.num_rows) if start + row in wanted]
        texts = batch["text"].take(pa.array(rows, pa.int64())).to_pylist()
        shingles = shingles_of([comparison_key(t) for t in texts], config.shingle_characters)
        for place, row in enumerate(rows):
            yield start + row, shingles.as_set(place)
        start += batch.num_rows


def _is_near(left: Hashes, right: Hashes, jaccard: float) -> bool:
    sizes = sorted((len(left), len(right)))
    return sizes[0] >= jaccard * sizes[1] and real_jaccard(left, right) >= jaccard


def _group_ids(seen: _Seen, ties: Rows, config: CorpusConfig) -> list[str]:
    edges = [edges_of_equal(seen.parents), (np.arange(len(seen.exact)), seen.exact)]
    edges.append((ties[:, 0], ties[:, 1]))
    if config.group_same_entity:
        edges.append(edges_of_equal(seen.entities))
    labels = connected_components(
        len(seen.exact),
        np.concatenate([left for left, _ in edges]),
        np.concatenate([right for _, right in edges]),
    )
    members: list[str] = seen.doc_ids.to_pylist()
    return [content_id("g", member) for member in smallest_member(labels, members)]
