from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from sdg.duplicate_queries import DuplicateQueriesConfig, find_duplicate_queries
from sdg.verdicts import apply_verdicts
from tests.sdg.rows import queries_of, query_row, reasons


def _rows() -> pa.Table:
    return queries_of(
        query_row("q1", "American actress", source_doc_id="d1"),
        query_row("q2", "american actress!", source_doc_id="d2"),
        query_row("q3", "American actress", source_doc_id="d2", query_language="fra-Latn"),
        query_row("q5", "Who built it?", source_doc_id="d1"),
        query_row("q4", "who built it", source_doc_id="d1"),
        query_row("q6", "who built what", source_doc_id="d1"),
    )


def test_ambiguous_queries_go_and_repeated_ones_stay_once() -> None:
    verdicts = find_duplicate_queries([_rows()])
    assert verdicts.to_pydict() == {
        "query_id": ["q1", "q2", "q5"],
        "reason": ["query_of_several_documents"] * 2 + ["duplicate_of_earlier_query"],
        "detail": ["2", "2", "q4"],
    }


def test_the_first_ambiguous_query_can_stay() -> None:
    verdicts = find_duplicate_queries([_rows()], DuplicateQueriesConfig(ambiguous="keep_first"))
    assert verdicts["query_id"].to_pylist() == ["q2", "q5"]


def test_verdicts_are_carried_out_shard_by_shard() -> None:
    verdicts = find_duplicate_queries([_rows()])
    shard = _rows().slice(1, 2)
    result = apply_verdicts(shard, verdicts, "deduplicate")
    assert result.kept["query_id"].to_pylist() == ["q3"]
    assert reasons(result) == {"q2": "query_of_several_documents"}
    assert result.rejected["stage"].to_pylist() == ["deduplicate"]


def test_nothing_gives_no_verdicts() -> None:
    assert find_duplicate_queries([]).num_rows == 0
    assert find_duplicate_queries([_rows().slice(0, 0)]).num_rows == 0


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), max_size=10),
    st.integers(1, 4),
)
def test_verdicts_do_not_depend_on_shards_or_order(rows: list[tuple[str, str]], size: int) -> None:
    table = queries_of(
        *(query_row(f"q{i}", text, source_doc_id=doc) for i, (text, doc) in enumerate(rows))
    )
    cut = [table.slice(at, size) for at in range(0, table.num_rows, size)][::-1]
    verdicts = find_duplicate_queries(cut)
    assert verdicts.equals(find_duplicate_queries([table]))
    left = [r for i, r in enumerate(rows) if f"q{i}" not in verdicts["query_id"].to_pylist()]
    texts = [text for text, _ in left]
    assert len(texts) == len(set(texts))


def test_a_new_query_that_equals_one_that_stands_goes_whatever_their_ids_are() -> None:
    standing = [queries_of(query_row("q5", "who built it"), query_row("q6", "why"))]
    new = queries_of(
        query_row("q1", "Who built it?"),
        query_row("q9", "who built it"),
        query_row("q2", "Why?", source_doc_id="d2"),
        query_row("q3", "when"),
    )
    for ambiguous in ("reject_all", "keep_first"):
        config = DuplicateQueriesConfig.model_validate({"ambiguous": ambiguous})
        assert find_duplicate_queries([new], config, standing).to_pydict() == {
            "query_id": ["q1", "q2", "q9"],
            "reason": [
                "duplicate_of_earlier_query",
                "query_of_several_documents",
                "duplicate_of_earlier_query",
            ],
            "detail": ["q5", "2", "q5"],
        }
