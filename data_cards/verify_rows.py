"""The promises that every example row must keep, checked block by block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from data_cards import layout
from data_cards.manifest import DataSetManifest
from data_cards.problem import Problem
from sdg.ids import MAX_WORD_JACCARD, comparison_key

_BLOCK_ROWS = 4096
_ALIGNED = {
    "positive_ids": ("positives", "positive_scores", "positive_languages"),
    "negative_ids": (
        "negatives",
        "negative_scores",
        "negative_ranks",
        "negative_sources",
        "negative_languages",
    ),
}


def check_rows(directory: Path, manifest: DataSetManifest) -> Iterator[Problem]:
    """Yield the broken promises of all rows; one problem per promise and block."""
    documents = _read_documents(directory)
    groups = []
    ids = []
    num_negatives = 0
    for path in layout.parquet_files(directory, layout.DATA):
        split = layout.split_of(path.name)
        for block in _blocks(path):
            yield from _shape(block, path.name, split)
            yield from _texts(block, documents, path.name)
            yield from _negatives(block, documents, path.name)
            num_negatives += int(block["negative_ids"].list.len().sum())
            groups.append(_groups(block, documents))
            ids.append(block["query_id"])
    yield from _order_and_repeats(ids)
    if groups:
        yield from _splits(pl.concat(groups).unique())
    if num_negatives != manifest.mining.selected:
        yield Problem(
            "conservation",
            f"data/ must hold the {manifest.mining.selected} negatives that mining selected, but "
            f"holds {num_negatives}.",
        )


def _read_documents(directory: Path) -> pl.DataFrame:
    """Return id, group, entity, and 64-bit hashes of text and comparison key of every document."""
    schema = {"doc_id": pl.String, "group_id": pl.String, "entity_key": pl.String}
    hashes = {"language": pl.String, "text_hash": pl.UInt64, "key_hash": pl.UInt64}
    parts = [pl.DataFrame(schema={**schema, **hashes})]
    for path in layout.parquet_files(directory, layout.CORPUS):
        part = pl.read_parquet(
            path, columns=["doc_id", "group_id", "entity_key", "language", "text"]
        )
        keys = pl.Series("key", [comparison_key(text) for text in part["text"]], dtype=pl.String)
        parts.append(
            part.select(*schema, "language", text_hash=pl.col("text").hash(), key_hash=keys.hash())
        )
    return pl.concat(parts)


def _blocks(path: Path) -> Iterator[pl.DataFrame]:
    for batch in pq.ParquetFile(path).iter_batches(_BLOCK_ROWS):
        block = pl.from_arrow(batch)
        if isinstance(block, pl.DataFrame):
            yield block


def _problem(rows: pl.DataFrame, file: str, text: str, check: str = "rows") -> Iterator[Problem]:
    """Yield a problem if `rows`, the offending ones, are not empty."""
    if rows.height:
        first = rows["query_id"].sort()[0]
        yield Problem(check, f"{file}: {text} ({rows.height} times, first in row {first}).")


def _shape(block: pl.DataFrame, file: str, split: str) -> Iterator[Problem]:
    yield from _problem(
        block.filter(pl.col("positive_ids").list.len() == 0), file, "a row has no positive"
    )
    for ids, others in _ALIGNED.items():
        for other in others:
            differ = pl.col(ids).list.len().ne_missing(pl.col(other).list.len())
            yield from _problem(block.filter(differ), file, f"`{ids}` and `{other}` do not align")
    graded = pl.col("positive_ids").list.len() + pl.col("negative_ids").list.len()
    differ = graded.ne_missing(pl.col("relevance").list.len())
    yield from _problem(block.filter(differ), file, "`relevance` does not align")
    yield from _problem(
        block.filter(pl.col("split").ne_missing(split)), file, "`split` is not the file's", "splits"
    )


def _entries(block: pl.DataFrame, side: str) -> pl.DataFrame:
    """Return one row per listed document: row, query_id, doc_id, text, language."""
    columns = {"doc_id": f"{side}_ids", "text": f"{side}s", "language": f"{side}_languages"}
    aligned = [pl.col(f"{side}_ids").list.len() == pl.col(n).list.len() for n in columns.values()]
    rows = block.with_row_index("row").filter(pl.all_horizontal(aligned))
    picked = rows.select("row", "query_id", **{new: pl.col(n) for new, n in columns.items()})
    return picked.explode(*columns, empty_as_null=False, keep_nulls=False)


def _texts(block: pl.DataFrame, documents: pl.DataFrame, file: str) -> Iterator[Problem]:
    for side in ("positive", "negative"):
        found = _entries(block, side).join(documents, on="doc_id", how="left", suffix="_corpus")
        missing = pl.col("text_hash").is_null()
        yield from _problem(found.filter(missing), file, f"a {side} is not in corpus/")
        differ = ~missing & (
            (pl.col("text").hash() != pl.col("text_hash"))
            | (pl.col("language") != pl.col("language_corpus"))
        )
        yield from _problem(
            found.filter(differ), file, f"a {side}'s text or language is not the corpus's"
        )


def _negatives(block: pl.DataFrame, documents: pl.DataFrame, file: str) -> Iterator[Problem]:
    known = documents.drop("language")
    negatives = _entries(block, "negative").join(known, on="doc_id", how="left")
    positives = _entries(block, "positive").join(known, on="doc_id", how="left")
    repeated = negatives.filter(pl.struct("row", "doc_id").is_duplicated())
    yield from _problem(repeated, file, "a negative is listed twice in one row")
    pairs = positives.join(negatives, on="row", suffix="_negative")
    same_id = pl.col("doc_id") == pl.col("doc_id_negative")
    same_text = pl.col("key_hash") == pl.col("key_hash_negative")
    entity = pl.col("entity_key")
    same_entity = (entity != "") & (entity == pl.col("entity_key_negative"))
    yield from _problem(pairs.filter(same_id), file, "a positive is its own negative")
    yield from _problem(
        pairs.filter(~same_id & same_text), file, "a negative's text equals a positive's"
    )
    yield from _problem(
        pairs.filter(~same_id & same_entity), file, "a negative is the same entity as a positive"
    )
    others = pairs.filter(~same_id & ~same_text).select(
        "query_id", positive="doc_id", negative="doc_id_negative"
    )
    near = _nearly_equal(others, pl.concat([positives, negatives]))
    yield from _problem(near, file, "a negative's text nearly equals a positive's")


def _nearly_equal(pairs: pl.DataFrame, entries: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of documents whose sets of words are closer than MAX_WORD_JACCARD."""
    words = pl.col("text").str.to_lowercase().str.extract_all(r"\w+").list.unique()
    hashed = entries.unique("doc_id").select("doc_id", words=words.list.eval(pl.element().hash()))
    counts = hashed.select("doc_id", count=pl.col("words").list.len())
    # Sets that differ that much in size cannot be that close: most pairs end here, cheaply.
    sized = pairs.join(counts, left_on="positive", right_on="doc_id")
    sized = sized.join(counts, left_on="negative", right_on="doc_id", suffix="_negative")
    small = pl.min_horizontal("count", "count_negative")
    sized = sized.filter(small > MAX_WORD_JACCARD * pl.max_horizontal("count", "count_negative"))
    full = sized.join(hashed, left_on="positive", right_on="doc_id")
    full = full.join(hashed, left_on="negative", right_on="doc_id", suffix="_negative")
    shared = pl.col("words").list.set_intersection("words_negative").list.len()
    union = pl.col("count") + pl.col("count_negative") - shared
    return full.filter(shared > MAX_WORD_JACCARD * union).select("query_id")


def _groups(block: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """Return (group_id, split) of rows and of the documents that must not leak between splits."""
    source = pl.col("provenance").struct.field("source_doc_id")
    original = pl.col("provenance").struct.field("original_positive_id")
    kin = block.select("split", doc_id=pl.col("positive_ids")).explode(
        "doc_id", empty_as_null=False
    )
    others = [block.select("split", doc_id=column) for column in (source, original)]
    joined = pl.concat([kin, *others]).unique().join(documents, on="doc_id", how="left")
    return pl.concat([block.select("group_id", "split"), joined.select("group_id", "split")])


def _splits(groups: pl.DataFrame) -> Iterator[Problem]:
    missing = groups.filter(pl.col("group_id").is_null())
    if missing.height:
        yield Problem(
            "splits", "corpus/ must hold every source and positive, but some are missing."
        )
    spread = groups.drop_nulls().group_by("group_id").agg(pl.len()).filter(pl.col("len") > 1)
    if spread.height:
        first = spread["group_id"].sort()[0]
        yield Problem(
            "splits",
            f"no group must span two splits, but {spread.height} do, the first is {first}.",
        )


def _order_and_repeats(ids: list[pl.Series]) -> Iterator[Problem]:
    everything = pl.concat(ids) if ids else pl.Series("query_id", [], dtype=pl.String)
    repeats = int(everything.len() - everything.n_unique())
    if repeats:
        yield Problem("rows", f"each query id must occur once, but {repeats} rows repeat one.")
    unsorted = sum(not series.is_sorted() for series in ids)
    if unsorted:
        yield Problem("rows", f"rows must ascend by query_id, but {unsorted} blocks do not.")
