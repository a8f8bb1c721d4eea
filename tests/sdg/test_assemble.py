from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sdg import assemble
from sdg.assemble import AssembleConfig, arrow_lists
from sdg.errors import ContractError
from sdg.schemas import EXAMPLES, NEGATIVES, POSITIVES, QUERIES, REJECTIONS, table_of
from tests.data_cards import tiny

TABLES = tiny.tables()
HALVES = AssembleConfig(splits={"train": 0.5, "validation": 0.5}, seed=3)

group_lists = st.lists(
    st.lists(st.sampled_from([f"g{i}" for i in range(12)]), min_size=1, max_size=3), max_size=12
)


def groups_of(lists: list[list[str]], prefix: str = "q") -> pa.Table:
    rows = [{"query_id": f"{prefix}{i}", "group_ids": ids} for i, ids in enumerate(lists)]
    return table_of(rows, assemble.GROUPS)


def split_by_query(groups: pa.Table, config: AssembleConfig = HALVES) -> dict[str, tuple[str, str]]:
    rows = assemble.assign_splits(groups, config).to_pylist()
    return {row["query_id"]: (row["group_id"], row["split"]) for row in rows}


def naive_components(lists: list[list[str]]) -> dict[str, str]:
    """Oracle: merge overlapping sets until nothing changes; name each after its minimum."""
    components = [set(ids) for ids in lists]
    changed = True
    while changed:
        changed = False
        for i, one in enumerate(components):
            for other in components[i + 1 :]:
                if one & other:
                    one.update(other)
                    components.remove(other)
                    changed = True
                    break
    return {group: min(component) for component in components for group in component}


def inputs() -> tuple[pa.Table, pa.Table, pa.Table, pa.Table, pa.Table]:
    used = assemble.used_ids(TABLES.queries, TABLES.positives, TABLES.negatives)
    corpus = assemble.corpus_rows(TABLES.documents, used)
    groups = assemble.group_table(TABLES.queries, TABLES.positives, corpus)
    splits = assemble.assign_splits(groups, HALVES)
    return TABLES.queries, TABLES.positives, TABLES.negatives, corpus, splits


def edited(table: pa.Table, schema: pa.Schema, row: int, **values: Any) -> pa.Table:
    rows = table.to_pylist()
    rows[row].update(values)
    return table_of(rows, schema)


@given(group_lists)
def test_assign_splits_equals_naive_components_and_no_group_spans_two_splits(
    lists: list[list[str]],
) -> None:
    result = split_by_query(groups_of(lists))
    names = naive_components(lists)
    split_of_group: dict[str, set[str]] = {}
    for i, ids in enumerate(lists):
        group, split = result[f"q{i}"]
        assert group == names[ids[0]]
        for member in ids:
            split_of_group.setdefault(member, set()).add(split)
    assert all(len(splits) == 1 for splits in split_of_group.values())


@given(group_lists, st.randoms())
def test_assign_splits_does_not_depend_on_row_order(lists: list[list[str]], random: Any) -> None:
    table = groups_of(lists)
    order = list(range(len(lists)))
    random.shuffle(order)
    shuffled = table.take(pa.array(order, pa.int64()))
    assert split_by_query(shuffled) == split_by_query(table)


@given(group_lists, st.lists(st.lists(st.sampled_from(["h1", "h2"]), min_size=1), max_size=4))
def test_assign_splits_moves_no_group_when_unrelated_rows_are_added(
    lists: list[list[str]], more: list[list[str]]
) -> None:
    alone = split_by_query(groups_of(lists))
    together = split_by_query(pa.concat_tables([groups_of(lists), groups_of(more, "r")]))
    assert {query: together[query] for query in alone} == alone


def test_assign_splits_gives_each_split_its_share_and_moves_groups_with_the_seed() -> None:
    table = groups_of([[f"g{i}"] for i in range(4000)])
    first = split_by_query(table, AssembleConfig(seed=1))
    counts = Counter(split for _, split in first.values())
    assert 0.88 < counts["train"] / 4000 < 0.92
    assert counts["train"] + counts["validation"] == 4000
    assert first != split_by_query(table, AssembleConfig(seed=2))


def test_assign_splits_refuses_a_query_without_a_group() -> None:
    with pytest.raises(ContractError, match="q1 joins none"):
        assemble.assign_splits(groups_of([["g"], []]), HALVES)


def test_group_table_joins_source_positives_and_the_positive_before_relabelling() -> None:
    queries, positives, *_ = inputs()
    row = positives.to_pylist()[1]
    new = [tiny.doc_id("comet", "eng-Latn"), tiny.doc_id("loom", "spa-Latn")]
    original = tiny.doc_id("river", "fra-Latn")
    positives = edited(positives, POSITIVES, 1, positive_ids=new, original_positive_id=original)
    groups = assemble.group_table(queries, positives, TABLES.documents).to_pylist()
    assert groups[1] == {
        "query_id": row["query_id"],
        "group_ids": [
            "g-bread-eng-Latn",
            "g-river-fra-Latn",
            "g-comet-eng-Latn",
            "g-loom-spa-Latn",
        ],
    }
    assert [len(g["group_ids"]) for g in groups] == [3, 4] + [3] * 7


def test_assemble_rows_joins_every_column_of_one_row() -> None:
    queries, positives, negatives, corpus, splits = inputs()
    table = assemble.assemble_rows(queries, positives, negatives, corpus, splits)
    assert table.schema.equals(EXAMPLES)
    ids = table["query_id"].to_pylist()
    assert ids == sorted(queries["query_id"].to_pylist())
    query = queries.to_pylist()[6]
    placed = next(r for r in splits.to_pylist() if r["query_id"] == query["query_id"])
    assert query["source_doc_id"] == tiny.doc_id("bread", "fra-Latn")
    row = next(r for r in table.to_pylist() if r["query_id"] == query["query_id"])
    assert row.pop("positive_scores") == pytest.approx([0.8])
    assert row.pop("negative_scores") == pytest.approx([0.5, 0.4])
    assert row == {
        "query_id": query["query_id"],
        "query": "bread fra-Latn",
        "query_language": "fra-Latn",
        "instruction": query["instruction"],
        "task": "natural_pair",
        "positive_ids": [tiny.doc_id("bread", "fra-Latn")],
        "positives": [tiny.TOPICS["bread"][1]],
        "positive_languages": ["fra-Latn"],
        "negative_ids": [tiny.doc_id("river", "fra-Latn"), tiny.doc_id("comet", "fra-Latn")],
        "negatives": [tiny.TOPICS["river"][1], tiny.TOPICS["comet"][1]],
        "negative_ranks": [1, 2],
        "negative_sources": ["dense:tiny", "dense:tiny"],
        "negative_languages": ["fra-Latn", "fra-Latn"],
        "relevance": [None, None, None],
        "group_id": "g-bread-fra-Latn",
        "split": placed["split"],
        "provenance": {
            "source_doc_id": tiny.doc_id("bread", "fra-Latn"),
            "generator": "",
            "model_revision": "",
            "prompt": "",
            "prompt_sha256": "",
            "seed": 1,
            "persona": "",
            "spec": "{}",
            "paraphrase_of": "",
            "positive_was_relabelled": False,
            "original_positive_id": tiny.doc_id("bread", "fra-Latn"),
        },
    }


@given(st.permutations(range(9)), st.integers(1, 8))
def test_assemble_rows_does_not_depend_on_order_or_chunks_of_its_inputs(
    order: list[int], cut: int
) -> None:
    queries, positives, negatives, corpus, splits = inputs()
    expected = assemble.assemble_rows(queries, positives, negatives, corpus, splits)
    shuffled = queries.take(pa.array(order))
    chunked = pa.concat_tables([shuffled.slice(0, cut), shuffled.slice(cut)])
    pieces = pa.concat_tables([negatives.slice(cut), negatives.slice(0, cut)])
    turned = pa.concat_tables([corpus.slice(3), corpus.slice(0, 3)])
    actual = assemble.assemble_rows(chunked, positives, pieces, turned, splits)
    assert actual.equals(expected)


def test_join_rows_refuses_tables_with_different_queries() -> None:
    queries, positives, negatives, _, splits = inputs()
    with pytest.raises(ContractError, match=r"`positives` must have the query ids.*1 are missing"):
        assemble.join_rows(queries, positives.slice(1), negatives, splits)
    with pytest.raises(ContractError, match=r"`queries` must have the query ids.*1 are extra"):
        assemble.join_rows(queries, positives.slice(1), negatives.slice(1), splits.slice(1))


def test_join_rows_refuses_a_query_that_occurs_twice() -> None:
    queries, positives, negatives, _, splits = inputs()
    twice = pa.concat_tables([queries, queries.slice(0, 1)])
    with pytest.raises(ContractError, match="occur once, but `queries` has 9 ids in 10 rows"):
        assemble.join_rows(twice, positives, negatives, splits)


@pytest.mark.parametrize("column", ["positive_scores", "negative_scores", "negative_sources"])
def test_join_rows_refuses_lists_that_do_not_align(column: str) -> None:
    queries, positives, negatives, _, splits = inputs()
    negatives = edited(negatives, NEGATIVES, 2, **{column: []})
    with pytest.raises(ContractError, match=f"`{column}` of a row must have the same length"):
        assemble.join_rows(queries, positives, negatives, splits)


def test_join_rows_refuses_negatives_mined_against_other_positives() -> None:
    queries, positives, negatives, _, splits = inputs()
    positives = edited(positives, POSITIVES, 2, positive_ids=[tiny.doc_id("loom", "eng-Latn")])
    with pytest.raises(ContractError, match="Mine again after relabelling"):
        assemble.join_rows(queries, positives, negatives, splits)


def test_fill_texts_refuses_a_positive_among_its_own_negatives() -> None:
    queries, positives, negatives, corpus, splits = inputs()
    own = positives["positive_ids"].to_pylist()[4]
    other = negatives["negative_ids"].to_pylist()[4][0]
    negatives = edited(negatives, NEGATIVES, 4, negative_ids=[other, *own])
    with pytest.raises(ContractError, match=queries["query_id"][4].as_py()):
        assemble.assemble_rows(queries, positives, negatives, corpus, splits)


def test_fill_texts_refuses_a_negative_whose_text_differs_in_case_and_points_only() -> None:
    queries, positives, negatives, corpus, splits = inputs()
    texts = corpus["text"].to_pylist()
    river = corpus["doc_id"].to_pylist().index(tiny.doc_id("river", "eng-Latn"))
    comet = corpus["doc_id"].to_pylist().index(tiny.doc_id("comet", "eng-Latn"))
    texts[comet] = texts[river].upper().replace(".", " !")
    corpus = corpus.set_column(1, "text", pa.array(texts, pa.string()))
    with pytest.raises(ContractError, match="differ from its positives by id and by text"):
        assemble.assemble_rows(queries, positives, negatives, corpus, splits)


def test_fill_texts_names_documents_that_are_missing() -> None:
    queries, positives, negatives, corpus, splits = inputs()
    with pytest.raises(ContractError, match=r"`documents` must hold every id.*lacks 1"):
        assemble.assemble_rows(queries, positives, negatives, corpus.slice(1), splits)


def test_assemble_rows_of_nothing_is_an_empty_table() -> None:
    queries, positives, negatives, corpus, splits = (table.slice(0, 0) for table in inputs())
    table = assemble.assemble_rows(queries, positives, negatives, corpus, splits)
    assert table.equals(EXAMPLES.empty_table())
    assert assemble.plan_files(table.select(assemble.ROWS.names), corpus, HALVES) == []


def test_corpus_rows_are_the_used_documents_by_id_without_heavy_columns() -> None:
    used = assemble.used_ids(TABLES.queries, TABLES.positives, TABLES.negatives).to_pylist()
    corpus = assemble.corpus_rows(TABLES.documents, pa.array(used))
    assert used == sorted(set(used))
    assert corpus["doc_id"].to_pylist() == used
    unused = {tiny.doc_id(t, lang) for t in tiny.TOPICS for lang in tiny.LANGUAGES} - set(used)
    assert unused == {tiny.doc_id("loom", "fra-Latn"), tiny.doc_id("loom", "spa-Latn")}
    assert "natural_texts" not in corpus.column_names
    columns = (TABLES.documents[name].to_pylist() for name in ("doc_id", "text"))
    text_of = dict(zip(*columns, strict=True))
    assert corpus["text"].to_pylist() == [text_of[i] for i in used]


def test_plan_files_names_files_by_split_and_loses_no_row() -> None:
    queries, positives, negatives, corpus, splits = inputs()
    rows = assemble.join_rows(queries, positives, negatives, splits)
    files = assemble.plan_files(rows, corpus, HALVES)
    assert [f.name for f in files] == [
        "train-00000-of-00001.parquet",
        "validation-00000-of-00001.parquet",
    ]
    for file in files:
        assert set(file.rows["split"].to_pylist()) == {file.name.split("-")[0]}
    ids = [i for f in files for i in f.rows["query_id"].to_pylist()]
    assert sorted(ids) == rows["query_id"].to_pylist()


@given(st.integers(1, 20_000))
def test_plan_files_keeps_files_below_the_limit_unless_they_hold_one_row(limit: int) -> None:
    queries, positives, negatives, corpus, splits = inputs()
    config = AssembleConfig(splits={"train": 1.0}, max_shard_bytes=limit)
    splits = splits.set_column(2, "split", pa.array(["train"] * splits.num_rows))
    rows = assemble.join_rows(queries, positives, negatives, splits)
    files = assemble.plan_files(rows, corpus, config)
    assert pa.concat_tables([f.rows for f in files]).equals(rows)
    for number, file in enumerate(files):
        assert file.name == f"train-{number:05d}-of-{len(files):05d}.parquet"
        size = assemble.fill_texts(file.rows, corpus).nbytes
        assert file.rows.num_rows == 1 or size <= limit


def test_plan_rejected_files_keeps_the_order_given() -> None:
    config = AssembleConfig(max_shard_bytes=2048)
    files = assemble.plan_rejected_files(TABLES.rejections, config)
    assert len(files) > 1
    assert pa.concat_tables([f.rows for f in files]).equals(TABLES.rejections)
    assert assemble.plan_rejected_files(REJECTIONS.empty_table(), config) == []


@pytest.mark.parametrize(
    ("splits", "fault"),
    [
        ({"train": 0.5}, "sum to 1"),
        ({"train": 1.0, "test": 0.0}, "sum to 1"),
        ({}, "sum to 1"),
        ({"../train": 1.0}, "names of a-z"),
        ({"train-a": 1.0}, "names of a-z"),
    ],
)
def test_assemble_config_refuses_splits_that_cannot_work(
    splits: dict[str, float], fault: str
) -> None:
    with pytest.raises(ValidationError, match=fault):
        AssembleConfig(splits=splits)


@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "c"]), max_size=3), min_size=1, max_size=6),
    st.integers(0, 5),
)
def test_flat_and_lists_of_undo_each_other_on_slices(lists: list[list[str]], start: int) -> None:
    column = pa.array(lists, pa.list_(pa.string())).slice(start)
    values, lengths = arrow_lists.flat(column)
    assert arrow_lists.lists_of(values, lengths).to_pylist() == lists[start:]
    assert QUERIES.field("query_id").type == values.type
