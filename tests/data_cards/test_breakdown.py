from __future__ import annotations

import pyarrow as pa
import pytest

from data_cards import breakdown
from sdg.errors import ContractError
from sdg.schemas import REJECTIONS, table_of
from tests.data_cards import tiny

TABLES = tiny.tables()
KEPT = TABLES.queries["query_id"]


def test_count_cells_shows_requested_kept_and_rejected_per_combination() -> None:
    cells = breakdown.count_cells(TABLES.requests, TABLES.parsed, KEPT, TABLES.rejections)
    assert [tuple(cell.model_dump().values()) for cell in cells] == [
        ("natural_pair", "fra-Latn", "fra-Latn", "", 3, 3, {}),
        ("natural_pair", "spa-Latn", "spa-Latn", "", 2, 2, {}),
        ("write_query", "eng-Latn", "eng-Latn", "tiny-writer", 4, 4, {}),
        (
            "write_query",
            "fra-Latn",
            "fra-Latn",
            "tiny-writer",
            3,
            0,
            {"no_words": 1, "repeats_itself": 1, "wrong_language": 1},
        ),
    ]


def test_count_cells_finds_the_request_of_a_row_that_names_only_its_query() -> None:
    dropped = KEPT[0].as_py()
    row = {"row_id": dropped, "stage": "mine", "reason": "too_few_negatives", "detail": "1"}
    mined = table_of([row | {"row": '{"query_id":"x"}'}], REJECTIONS)
    rejections = pa.concat_tables([TABLES.rejections, mined])
    cells = breakdown.count_cells(TABLES.requests, TABLES.parsed, KEPT[1:], rejections)
    assert (cells[2].kept, cells[2].rejected) == (3, {"too_few_negatives": 1})


def test_count_cells_leaves_out_rejected_documents() -> None:
    row = {
        "row_id": "d1",
        "stage": "corpus",
        "reason": "exact_duplicate",
        "detail": "",
        "row": "{}",
    }
    rejections = pa.concat_tables([TABLES.rejections, table_of([row], REJECTIONS)])
    cells = breakdown.count_cells(TABLES.requests, TABLES.parsed, KEPT, rejections)
    assert sum(sum(cell.rejected.values()) for cell in cells) == 3


def test_count_cells_refuses_a_candidate_that_vanished() -> None:
    with pytest.raises(ContractError, match=r"of 4 of .*tiny-writer.* 3 were kept"):
        breakdown.count_cells(TABLES.requests, TABLES.parsed, KEPT[1:], TABLES.rejections)
