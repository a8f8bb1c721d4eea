"""Rows of a data set in which evaluation queries or documents are: they are not trained on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from data_cards.probe.beir import EvalSet
from data_cards.probe.near_texts import find_near
from data_cards.probe.rows import TrainRows
from sdg.ids import comparison_key

Mask = npt.NDArray[np.bool_]

# In the order in which a row is given its one reason.
QUERY_EQUAL = "query_equals_eval_query"
DOCUMENT_EQUAL = "document_equals_eval_document"
DOCUMENT_NEAR = "document_nearly_equals_eval_document"
GROUP_SHARED = "group_holds_eval_document"
REASONS = (QUERY_EQUAL, DOCUMENT_EQUAL, DOCUMENT_NEAR, GROUP_SHARED)


class Leaks(NamedTuple):
    """What must stay out of training.

    Attributes:
        reasons: (R,) the first reason that holds for each row, null for clean rows.
        documents: (N,) True for documents of the corpus that no arm may use.
    """

    reasons: pl.Series
    documents: Mask

    def counts(self) -> dict[str, int]:
        """Return rows per reason, every reason named."""
        return {reason: int((self.reasons == reason).sum()) for reason in REASONS}


def find_leaks(train: TrainRows, evaluation: EvalSet, jaccard: float) -> Leaks:
    """Return what of a data set is also in an evaluation set.

    A row leaks if its query has the words of an evaluation query, if one of its positives or
    negatives has the words of an evaluation document, or nearly, or if it or one of these is in the
    group of such a document or in a group that the evaluation set names.

    Args:
        train: R rows, N documents.
        evaluation: The evaluation set.
        jaccard: Documents that share more of their words are nearly equal.
    """
    corpus = train.corpus
    texts = corpus["text"].to_list()
    keys = {comparison_key(text) for text in evaluation.documents}
    equal = np.array([comparison_key(text) in keys for text in texts], bool)
    near = find_near(texts, evaluation.documents, jaccard) & ~equal
    groups = set(corpus["group_id"].filter(pl.Series(equal | near)).to_list())
    groups = (groups | set(evaluation.groups)) - {"", None}
    in_group = _among(corpus["group_id"], groups)
    asked = {comparison_key(text) for text in evaluation.queries}
    queries = [comparison_key(text) in asked for text in train.rows["query"].to_list()]
    found = {
        QUERY_EQUAL: np.array(queries, bool),
        DOCUMENT_EQUAL: _rows_with(train, equal),
        DOCUMENT_NEAR: _rows_with(train, near),
        GROUP_SHARED: _rows_with(train, in_group) | _among(train.rows["group_id"], groups),
    }
    codes = np.full(train.rows.height, -1)
    for code in reversed(range(len(REASONS))):
        codes[found[REASONS[code]]] = code
    named = pl.Series(codes).replace_strict(
        {-1: None, **dict(enumerate(REASONS))}, return_dtype=pl.String
    )
    return Leaks(named.alias("reason"), equal | near | in_group)


def _among(values: pl.Series, wanted: set[str]) -> Mask:
    found = values.is_in(pl.Series(sorted(wanted), dtype=pl.String).implode())
    return found.fill_null(value=False).to_numpy().astype(bool)


def _rows_with(train: TrainRows, is_bad: Mask) -> Mask:
    """Return (R,) whether one of the row's documents is bad."""
    bad = train.corpus["doc_id"].filter(pl.Series(is_bad))
    listed = (
        train.rows.select(doc_id=pl.col("positive_ids").list.concat("negative_ids"))
        .with_row_index("row")
        .explode("doc_id")
    )
    rows = listed.filter(pl.col("doc_id").is_in(bad.implode()))["row"].unique().to_numpy()
    out = np.zeros(train.rows.height, bool)
    out[rows] = True
    return out
