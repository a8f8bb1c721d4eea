"""A data set on disk -> `AuditedSet`, in two passes: memory holds numbers and ids, never the texts.

pass 1   rows and links without texts; two hashes of every text and id
         equal texts and documents found, and where each occurs first
pass 2   ids and texts of first occurrences, the texts into a mapped file
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from data_cards.audit.audited_set import DOCUMENTS, LINKS, ROWS, AuditedSet, Texts
from data_cards.audit.first_places import Keys, first_places, hash_texts
from data_cards.audit.source import BLOCK_ROWS, GIVEN_DOCUMENTS, Source
from data_cards.audit.text_file import TextWriter
from sdg.errors import DataError
from sdg.ids import content_id

Report = Callable[[int, int], None]
Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_NONE = -1
_NO_KEYS: Keys = np.empty((2, 0), np.uint64)


@dataclass(frozen=True)
class _Gathered:
    """What pass 1 keeps: R rows, L links that have a document, C documents of the corpus.

    Attributes:
        rows: ROWS without `query`.
        queries: (2, R) keys of the queries.
        pairs: (2, R) keys of split and query; only if rows are merged by query.
        links: LINKS without `document`; `row` counts over all blocks.
        ids: (2, L) keys of the documents' ids, of their texts where they have none.
        texts: (2, L) keys of the texts.
        has_text: (L,) whether the link carries the text.
        is_kept: (all links,) False for empty places and unknown documents.
        empty_places: Links without id and text.
        unknown: Links to documents that the corpus lacks.
        corpus: GIVEN_DOCUMENTS without `text`.
        corpus_ids: (2, C) keys.
        corpus_texts: (2, C) keys.
    """

    rows: pl.DataFrame
    queries: Keys
    pairs: Keys
    links: pl.DataFrame
    ids: Keys
    texts: Keys
    has_text: Mask
    is_kept: Mask
    empty_places: int
    unknown: int
    corpus: pl.DataFrame
    corpus_ids: Keys
    corpus_texts: Keys


class _Plan(NamedTuple):
    """What pass 2 fetches. N documents: those of links by first link, then the corpus's others.

    Attributes:
        document: (L,) place of each link's document.
        first_link: (used,) first link of each used document.
        corpus_row: (N,) row of the corpus of each document, or -1.
        query_text: (R,) place of each query's text.
        document_text: (N,) place of each document's text.
        is_new_query: (R,) whether the text is written with this query.
        is_new_link: (used,) whether it is written with this document's first link.
        is_new_corpus: (C,) whether it is written with this row of the corpus.
    """

    document: npt.NDArray[np.int32]
    first_link: Places
    corpus_row: Places
    query_text: npt.NDArray[np.int32]
    document_text: npt.NDArray[np.int32]
    is_new_query: Mask
    is_new_link: Mask
    is_new_corpus: Mask


def open_source(
    source: Source,
    scratch: Path,
    *,
    block_rows: int = BLOCK_ROWS,
    report: Report = lambda _done, _total: None,
) -> AuditedSet:
    """Return the data set of `source`; its texts lie in `scratch`.

    A document has the text of its first occurrence in the rows, and that of the corpus only if the
    rows have none. Nothing depends on `block_rows`.

    Args:
        source: What a layout found.
        scratch: A folder; it may be removed while the result is in use.
        block_rows: Rows held at once.
        report: Called with (rows read, 0); the second pass counts on.

    Raises:
        DataError: If the files cannot be read as their layout says, or hold no row or document.
    """
    gathered = _with_known_documents(_gather(source, block_rows, report), source)
    plan = _plan(gathered)
    texts, used = _fetch(source, gathered, plan, scratch, (block_rows, report))
    rows = gathered.rows.with_columns(query=pl.Series(plan.query_text))
    opened = AuditedSet(
        name=source.name,
        layout=source.layout,
        rows=rows.select(pl.col(name).cast(kind) for name, kind in ROWS.items()),
        links=gathered.links.with_columns(document=pl.Series(plan.document)).select(list(LINKS)),
        documents=_documents(gathered, plan, used),
        texts=texts,
        manifest=source.manifest,
        folder=source.folder,
        notes=(*source.notes, *_notes(gathered)),
    )
    if source.merges_queries:
        return _merged(opened, gathered.pairs)
    # Places are counted anew where some fell out.
    is_whole = not (gathered.empty_places or gathered.unknown)
    return opened if is_whole else replace(opened, links=_placed(opened.links))


def _gather(source: Source, block_rows: int, report: Report) -> _Gathered:
    rows, links, queries, pairs, ids, texts = [], [], [_NO_KEYS], [_NO_KEYS], [_NO_KEYS], [_NO_KEYS]
    has_text, is_kept, done = [np.empty(0, bool)], [np.empty(0, bool)], 0
    for block in source.blocks(block_rows):
        kept = block.links["text"].is_not_null() | block.links["doc_id"].is_not_null()
        own = block.links.filter(kept)
        rows.append(block.rows.drop("query"))
        queries.append(hash_texts(block.rows["query"]))
        if source.merges_queries:
            both = block.rows.select(pl.concat_str("split", "query", separator="\0")).to_series()
            pairs.append(hash_texts(both))
        text_keys = hash_texts(own["text"])
        has_no_id = own["doc_id"].is_null().to_numpy()
        ids.append(np.where(has_no_id, text_keys, hash_texts(own["doc_id"])))
        texts.append(text_keys)
        has_text.append(own["text"].is_not_null().to_numpy())
        is_kept.append(kept.to_numpy())
        links.append(
            own.drop("doc_id", "text", "language").with_columns(
                pl.col("row") + done, pl.col("source").cast(pl.Categorical)
            )
        )
        done += block.rows.height
        report(done, 0)
    if not done:
        raise DataError(
            f"`{source.name}` must hold at least one row, but the files "
            f"{list(source.paths())[:5]} hold none instead. Check that they were written whole."
        )
    corpus, corpus_ids, corpus_texts = _gather_corpus(source, block_rows)
    kept_links = np.concatenate(is_kept)
    return _Gathered(
        rows=pl.concat(rows),
        queries=np.concatenate(queries, axis=1),
        pairs=np.concatenate(pairs, axis=1),
        links=pl.concat(links),
        ids=np.concatenate(ids, axis=1),
        texts=np.concatenate(texts, axis=1),
        has_text=np.concatenate(has_text),
        is_kept=kept_links,
        empty_places=int((~kept_links).sum()),
        unknown=0,
        corpus=corpus,
        corpus_ids=corpus_ids,
        corpus_texts=corpus_texts,
    )


def _gather_corpus(source: Source, block_rows: int) -> tuple[pl.DataFrame, Keys, Keys]:
    fields = {name: kind for name, kind in GIVEN_DOCUMENTS.items() if name != "text"}
    frames, ids, texts = [pl.DataFrame(schema=fields)], [_NO_KEYS], [_NO_KEYS]
    for block in source.documents(block_rows):
        frames.append(block.drop("text"))
        ids.append(hash_texts(block["doc_id"]))
        texts.append(hash_texts(block["text"]))
    return pl.concat(frames), np.concatenate(ids, axis=1), np.concatenate(texts, axis=1)


def _with_known_documents(gathered: _Gathered, source: Source) -> _Gathered:
    """Return `gathered` without links to documents whose text is nowhere."""
    if not gathered.has_text.all():
        num_links = len(gathered.has_text)
        every = np.concatenate([gathered.ids, gathered.corpus_ids], axis=1)
        codes, firsts = first_places(every)
        is_known = np.zeros(len(firsts), bool)
        is_known[codes[num_links:]] = True
        first_link = firsts[firsts < num_links]
        is_known[codes[first_link[gathered.has_text[first_link]]]] = True
        kept = is_known[codes[:num_links]]
        if not kept.all():
            is_kept = gathered.is_kept.copy()
            is_kept[np.flatnonzero(is_kept)[~kept]] = False
            gathered = replace(
                gathered,
                links=gathered.links.filter(pl.Series(kept)),
                ids=gathered.ids[:, kept],
                texts=gathered.texts[:, kept],
                has_text=gathered.has_text[kept],
                is_kept=is_kept,
                unknown=int((~kept).sum()),
            )
    if not gathered.links.height:
        raise DataError(
            f"The rows of `{source.name}` must refer to documents, but none of "
            f"{len(gathered.is_kept):,} references has a text: {gathered.unknown:,} name a "
            f"document that is not in the corpus, {gathered.empty_places:,} are null instead. "
            "Check that no columns or files were swapped."
        )
    return gathered


def _plan(gathered: _Gathered) -> _Plan:
    num_links, num_rows = gathered.links.height, gathered.rows.height
    codes, firsts = first_places(np.concatenate([gathered.ids, gathered.corpus_ids], axis=1))
    first_link = firsts[firsts < num_links]
    in_corpus = codes[num_links:]
    corpus_row = np.full(len(firsts), _NONE, np.int64)
    # Backwards, so that of equal ids the first row stays.
    corpus_row[in_corpus[::-1]] = np.arange(len(in_corpus))[::-1]

    by_link = np.flatnonzero(gathered.has_text[first_link])
    by_corpus = np.setdiff1d(np.arange(len(firsts)), by_link, assume_unique=True)
    by_corpus = by_corpus[np.argsort(corpus_row[by_corpus])]
    of_queries, of_links, of_corpus = (
        gathered.queries,
        gathered.texts[:, first_link[by_link]],
        gathered.corpus_texts[:, corpus_row[by_corpus]],
    )
    texts = first_places(np.concatenate([of_queries, of_links, of_corpus], axis=1))
    is_new = np.zeros(len(texts.codes), bool)
    is_new[texts.firsts] = True
    document_text = np.empty(len(firsts), np.int32)
    document_text[np.concatenate([by_link, by_corpus])] = texts.codes[num_rows:]
    is_new_link = np.zeros(len(first_link), bool)
    is_new_link[by_link] = is_new[num_rows : num_rows + len(by_link)]
    is_new_corpus = np.zeros(gathered.corpus.height, bool)
    is_new_corpus[corpus_row[by_corpus]] = is_new[num_rows + len(by_link) :]
    return _Plan(
        document=codes[:num_links],
        first_link=first_link,
        corpus_row=corpus_row,
        query_text=texts.codes[:num_rows],
        document_text=document_text,
        is_new_query=is_new[:num_rows],
        is_new_link=is_new_link,
        is_new_corpus=is_new_corpus,
    )


def _fetch(
    source: Source,
    gathered: _Gathered,
    plan: _Plan,
    scratch: Path,
    how: tuple[int, Report],
) -> tuple[Texts, pl.DataFrame]:
    """Return all texts, and `doc_id` and `language` of the used documents in their order."""
    block_rows, report = how
    used = [pl.DataFrame(schema={"doc_id": pl.String, "language": pl.String})]
    row = link = document = raw = 0
    queries = TextWriter(scratch / "texts.bytes")
    documents = TextWriter(scratch / "documents.bytes")
    with queries, documents:
        for block in source.blocks(block_rows):
            stop = row + block.rows.height
            queries.add(block.rows["query"].filter(pl.Series(plan.is_new_query[row:stop])))
            own = block.links.filter(pl.Series(gathered.is_kept[raw : raw + block.links.height]))
            end = int(np.searchsorted(plan.first_link, link + own.height))
            firsts = own[plan.first_link[document:end] - link]
            documents.add(firsts["text"].filter(pl.Series(plan.is_new_link[document:end])))
            used.append(firsts.select(_named(firsts["doc_id"], firsts["text"]), "language"))
            row, raw, link, document = stop, raw + block.links.height, link + own.height, end
            report(gathered.rows.height + row, 0)
        for texts in _new_corpus_texts(source, plan, block_rows):
            documents.add(texts)
        queries.append(documents)
        return queries.finish(), pl.concat(used)


def _named(ids: pl.Series, texts: pl.Series) -> pl.Series:
    """Return ids; documents that have none are named by their content."""
    if not ids.null_count():
        return ids
    named = [content_id("d", text) for text in texts.filter(ids.is_null())]
    places = pl.Series(np.flatnonzero(ids.is_null().to_numpy()))
    return ids.scatter(places, pl.Series(named, dtype=pl.String))


def _new_corpus_texts(source: Source, plan: _Plan, block_rows: int) -> Iterator[pl.Series]:
    if not plan.is_new_corpus.any():
        return
    start = 0
    for block in source.documents(block_rows):
        is_new = plan.is_new_corpus[start : start + block.height]
        yield block["text"].filter(pl.Series(is_new))
        start += block.height


def _documents(gathered: _Gathered, plan: _Plan, used: pl.DataFrame) -> pl.DataFrame:
    """Return DOCUMENTS: the corpus's fields where it has the document, else the first link's."""
    known = pl.Series("place", plan.corpus_row).replace(_NONE, None)
    # A null place takes a null row.
    fields = gathered.corpus.select(pl.all().gather(known.cast(pl.UInt32)))
    others = pl.DataFrame(schema=used.schema)
    num_others = fields.height - used.height
    own = pl.concat([used, others.clear(num_others)])
    frame = fields.with_columns(
        doc_id=pl.coalesce(own["doc_id"], fields["doc_id"]),
        language=pl.coalesce(fields["language"], own["language"]),
        text=pl.Series(plan.document_text),
    )
    return frame.select(
        pl.col(name).cast(kind) if kind != pl.String else pl.col(name).fill_null("")
        for name, kind in DOCUMENTS.items()
    )


def _merged(opened: AuditedSet, pairs: Keys) -> AuditedSet:
    """Return the data set with one row per split and query, at its first row."""
    codes, firsts = first_places(pairs)
    links = opened.links.with_columns(row=pl.Series(codes)[opened.links["row"]])
    rows = opened.rows[firsts]
    links = links.sort("row", "role", maintain_order=True)
    return replace(opened, rows=rows, links=_placed(links))


def _placed(links: pl.DataFrame) -> pl.DataFrame:
    """Return links with `place` counted from 0 within each row and role, as they lie."""
    row, role = links["row"].to_numpy(), links["role"].to_numpy()
    starts = np.ones(len(row), bool)
    starts[1:] = (row[1:] != row[:-1]) | (role[1:] != role[:-1])
    begin = np.flatnonzero(starts)[np.cumsum(starts) - 1]
    place = (np.arange(len(row)) - begin).astype(np.int32)
    return links.with_columns(place=pl.Series(place))


def _notes(gathered: _Gathered) -> Iterator[str]:
    if gathered.empty_places:
        yield f"{gathered.empty_places:,} places for documents are null and were left out"
    if gathered.unknown:
        yield (
            f"{gathered.unknown:,} references name a document that is not in the corpus and were "
            "left out"
        )
