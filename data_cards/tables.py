"""The published tables: one folder, one schema."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import pyarrow as pa

from data_cards import layout
from sdg.assemble import CORPUS
from sdg.schemas import EXAMPLES, MINER_SCORES, REJECTIONS, REVIEWS


class PublishedTable(NamedTuple):
    """The Parquet files of one folder.

    Attributes:
        schema: Of each.
        meaning: What a row is, in one sentence.
        key: Column that no two rows share; "" if there is none.
        meanings: Of columns that `columns.MEANINGS` does not know, or that mean something else
            here.
    """

    schema: pa.Schema
    meaning: str
    key: str = ""
    meanings: Mapping[str, str] = MappingProxyType({})


TABLES = {
    layout.DATA: PublishedTable(
        EXAMPLES, "One row per query, with its positives and hard negatives.", "query_id"
    ),
    layout.CORPUS: PublishedTable(CORPUS, "The documents that rows refer to.", "doc_id"),
    layout.REJECTED: PublishedTable(
        REJECTIONS, "Every row that stopped on the way, with stage and reason."
    ),
    layout.MINERS: PublishedTable(MINER_SCORES, "What each miner said about a row's documents."),
    layout.REVIEWS: PublishedTable(REVIEWS, "What each reviewer said of a row, by criterion."),
}
