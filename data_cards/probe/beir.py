"""A BEIR directory: corpus.jsonl, queries.jsonl and qrels/<split>.tsv.

The layout is that of Thakur et al. 2021, BEIR, arXiv 2104.08663.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from sdg import store
from sdg.errors import DataError

Ints = npt.NDArray[np.int64]
_TITLE = pl.col("title").fill_null("").str.strip_chars()


class EvalSet(NamedTuple):
    """Queries, documents, and who answers whom.

    Attributes:
        name: Of the directory.
        query_ids: (Q,) in the order of the file; only queries with a relevant document.
        queries: (Q,) texts.
        doc_ids: (N,) in ascending order.
        documents: (N,) title and text, as BEIR joins them: by a blank.
        groups: (N,) group ids; "" where the corpus says none.
        judged_query: (J,) place in `queries` of each judgment with a grade above 0.
        judged_doc: (J,) place in `documents`.
        grades: (J,) at least 1.
        queries_without_relevant: Queries with judgments, but none above 0: they cannot be measured.
    """

    name: str
    query_ids: list[str]
    queries: list[str]
    doc_ids: list[str]
    documents: list[str]
    groups: list[str]
    judged_query: Ints
    judged_doc: Ints
    grades: Ints
    queries_without_relevant: int


def read_eval_set(directory: Path, split: str = "test") -> EvalSet:
    """Return the evaluation set in a BEIR directory.

    Raises:
        DataError: If a file is missing or malformed, an id occurs twice, a judgment names what is
            not there, or no query has a relevant document.
    """
    corpus = _lines(directory / "corpus.jsonl")
    queries = _lines(directory / "queries.jsonl")
    judged = _judgments(directory / "qrels" / f"{split}.tsv")
    asked = queries.join(judged, left_on="_id", right_on="query_id", how="semi")
    for column, ids, file in (("query_id", asked, "queries"), ("doc_id", corpus, "corpus")):
        absent = judged.join(ids, left_on=column, right_on="_id", how="anti")
        if absent.height:
            raise DataError(
                f"`{directory}` must hold everything that is judged, but {absent.height} judgments "
                f"name what is not in {file}.jsonl, e.g. {absent[column][0]!r}. Complete the files."
            )
    relevant = judged.filter(pl.col("grade") > 0)
    measured = asked.join(relevant, left_on="_id", right_on="query_id", how="semi")
    if not measured.height:
        raise DataError(
            f"`{directory}` must have a query with a relevant document, but the split {split!r} "
            "has none instead. Give another `eval_split`."
        )
    corpus = corpus.sort("_id")
    places = relevant.join(
        measured.select(query_id="_id").with_row_index("q"), on="query_id", maintain_order="left"
    ).join(corpus.select(doc_id="_id").with_row_index("d"), on="doc_id", maintain_order="left")
    joined = corpus.select(pl.concat_str([_TITLE, "text"], separator=" ").str.strip_chars_start())
    return EvalSet(
        directory.resolve().name,
        measured["_id"].to_list(),
        measured["text"].to_list(),
        corpus["_id"].to_list(),
        joined.to_series().to_list(),
        corpus["group_id"].to_list(),
        places["q"].to_numpy().astype(np.int64),
        places["d"].to_numpy().astype(np.int64),
        places["grade"].to_numpy().astype(np.int64),
        asked.height - measured.height,
    )


def write_eval_set(
    directory: Path,
    corpus: Iterable[Mapping[str, Any]],
    queries: Iterable[Mapping[str, Any]],
    judgments: Sequence[tuple[str, str, int]],
    split: str,
) -> None:
    """Write a BEIR directory; the judgments come last.

    Args:
        directory: Made if it is not there.
        corpus: Rows with `_id`, `title`, `text` and `metadata`.
        queries: Rows with `_id`, `text` and `metadata`.
        judgments: (query, document, grade).
        split: Name of the judgments' file.
    """
    for name, rows in (("corpus", corpus), ("queries", queries)):
        lines = [json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows]
        store.write_text(directory / f"{name}.jsonl", "".join(lines))
    table = [f"{query}\t{document}\t{grade}\n" for query, document, grade in judgments]
    header = "query-id\tcorpus-id\tscore\n"
    store.write_text(directory / "qrels" / f"{split}.tsv", header + "".join(table))


def _lines(path: Path) -> pl.DataFrame:
    """Return `_id`, `title`, `text` and `group_id` of a JSON Lines file."""
    try:
        with path.open("rb") as lines:
            rows = [_row(json.loads(line)) for line in lines if line.strip()]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"`{path}` must be JSON Lines with `_id` and `text` as strings, but reading it gave: "
            f"{error}. Give a BEIR directory: corpus.jsonl, queries.jsonl, qrels/<split>.tsv."
        ) from error
    schema = dict.fromkeys(("_id", "title", "text", "group_id"), pl.String)
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    twice = frame.filter(pl.col("_id").is_duplicated())
    if twice.height:
        raise DataError(
            f"`{path}` must have each `_id` once, but {twice['_id'][0]!r} occurs more often. "
            "Remove the copies."
        )
    return frame


def _row(line: Mapping[str, Any]) -> tuple[str, str, str, str]:
    metadata = line.get("metadata")
    group = metadata.get("group_id") if isinstance(metadata, Mapping) else None
    own = (line.get("_id"), line.get("title") or "", line.get("text"), group or "")
    bad = next((value for value in own if not isinstance(value, str)), None)
    if bad is not None or None in own:
        raise ValueError(f"a row with `_id` {own[0]!r} lacks a text")
    return own  # type: ignore[return-value]


def _judgments(path: Path) -> pl.DataFrame:
    names = ["query_id", "doc_id", "grade"]
    try:
        frame = pl.read_csv(path, separator="\t", quote_char=None, infer_schema=False)
        frame.columns = names
        frame = frame.with_columns(pl.col("grade").cast(pl.Float64).cast(pl.Int64))
    except (OSError, pl.exceptions.PolarsError, ValueError) as error:
        raise DataError(
            f"`{path}` must be tab-separated with a header and the columns query-id, corpus-id and "
            f"score, but reading it gave: {error}. Choose the file with `eval_split`."
        ) from error
    twice = frame.filter(frame.select("query_id", "doc_id").is_duplicated())
    if twice.height:
        raise DataError(
            f"`{path}` must judge each pair once, but {twice.row(0)[:2]} occurs more often. "
            "Remove the copies."
        )
    return frame
