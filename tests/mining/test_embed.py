"""What embedding reports beside the vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mining.embed import EmbeddedQueries
from mining.encoders import Side
from tests.mining.visible import GivenVectors


class _ReadsFiveCharacters(GivenVectors):
    """Cuts queries, and no documents, after five characters."""

    def is_truncated(self, texts: Sequence[str], side: Side) -> npt.NDArray[np.bool_]:
        return np.array([side == "query" and len(text) > 5 for text in texts], bool)


def test_queries_that_the_encoder_cuts_are_counted() -> None:
    table = pa.table(
        {
            "query_id": ["a", "b", "c"],
            "query": ["short", "longer", "much longer"],
            "query_language": ["eng-Latn"] * 3,
            "source_doc_id": ["d1", "d2", "d3"],
        }
    )
    embedded = EmbeddedQueries.embed(table, _ReadsFiveCharacters())
    assert embedded.truncated == 2
    assert EmbeddedQueries.from_table(embedded.to_table()).query_ids == ["a", "b", "c"]
