"""Two versions of a data set, and every change between them counted."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_cards import layout
from data_cards.changelog import render_changes
from data_cards.diff import _COLUMNS, compare_data_sets, compare_rows
from data_cards.manifest import load_manifest
from sdg import store
from sdg.errors import DataError
from tests.data_cards import tiny
from tests.data_cards.test_evidence import figure, files_of, metrics_of


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_data_set(tmp_path_factory.mktemp("old"))


@pytest.fixture
def new(old: Path, tmp_path: Path) -> Path:
    shutil.copytree(old, tmp_path / "new")
    return tmp_path / "new"


def edit_rows(directory: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Change the rows of the first file of rows."""
    path = layout.parquet_files(directory, layout.DATA)[0]
    change(pl.read_parquet(path)).write_parquet(path)


def edit_manifest(directory: Path, change: Callable[[dict[str, Any]], None]) -> None:
    fields = store.read_json(directory / layout.MANIFEST)
    change(fields)
    store.write_json(directory / layout.MANIFEST, fields)


def test_a_data_set_does_not_differ_from_itself(old: Path) -> None:
    diff = compare_data_sets(old, old)
    assert (diff.old_rows, diff.new_rows) == (9, 9)
    assert (diff.added, diff.removed, diff.changed, diff.changed_columns) == (0, 0, 0, {})
    assert (diff.counts, diff.settings, diff.models, diff.prompts, diff.versions) == ((),) * 5
    assert (diff.documents_added, diff.documents_removed) == (0, 0)


def test_rows_added_removed_and_changed_are_counted_with_their_columns(
    old: Path, new: Path
) -> None:
    def change(rows: pl.DataFrame) -> pl.DataFrame:
        ids = rows["query_id"].to_list()
        first, second = pl.col("query_id") == ids[0], pl.col("query_id") == ids[1]
        stranger = rows[2].with_columns(query_id=pl.lit("qnew"), task=pl.lit("llm_query"))
        reversed_ids = pl.col("negative_ids").list.reverse()
        edited = rows.with_columns(
            query=pl.when(first).then(pl.lit("other")).otherwise("query"),
            negative_ids=pl.when(first | second).then(reversed_ids).otherwise("negative_ids"),
        )
        return pl.concat([edited[:-1], stranger])

    edit_rows(new, change)
    diff = compare_data_sets(old, new)
    assert (diff.added, diff.removed, diff.changed) == (1, 1, 2)
    assert diff.changed_columns == {"negative_ids": 2, "query": 1}
    assert list(diff.changed_columns) == ["negative_ids", "query"]
    assert diff.new_rows == diff.old_rows - diff.removed + diff.added == 9
    back = compare_data_sets(new, old)
    assert (back.added, back.removed, back.changed_columns) == (1, 1, diff.changed_columns)
    moved = {(c.column, c.value): (c.old, c.new) for c in diff.counts}
    assert moved["task", "llm_query"] == (0, 1)


def test_a_change_inside_provenance_and_null_grades_are_seen(old: Path, new: Path) -> None:
    def change(rows: pl.DataFrame) -> pl.DataFrame:
        grades = [[3, None, None], *rows["relevance"].to_list()[1:]]
        seed = pl.col("provenance").struct.field("seed") + 1
        return rows.with_columns(
            pl.Series("relevance", grades, pl.List(pl.Int8)),
            pl.col("provenance").struct.with_fields(seed.alias("seed")),
        )

    edit_rows(new, change)
    diff = compare_data_sets(old, new)
    num_rows = pl.read_parquet(layout.parquet_files(new, layout.DATA)[0]).height
    assert diff.changed_columns == {"provenance": num_rows, "relevance": 1}


def test_documents_are_compared_by_id(old: Path, new: Path) -> None:
    path = layout.parquet_files(new, layout.CORPUS)[0]
    documents = pl.read_parquet(path)
    added = [documents[n].with_columns(doc_id=pl.lit(f"dnew{n}")) for n in range(2)]
    pl.concat([documents[1:], *added]).write_parquet(path)
    diff = compare_data_sets(old, new)
    assert (diff.documents_added, diff.documents_removed) == (2, 1)


def test_settings_models_prompts_and_versions_are_told_old_and_new(old: Path, new: Path) -> None:
    def change(fields: dict[str, Any]) -> None:
        fields["config"] = {"corpus": {"path": "other.parquet", "jaccard": 0.8}}
        fields["models"][0]["revision"] = "def456"
        fields["prompts"][0]["sha256"] = "1" * 64
        fields["versions"]["polars"] = "2.1.0"
        fields["card"]["version"] = "2.0.0"

    edit_manifest(new, change)
    diff = compare_data_sets(old, new)
    assert [(s.name, s.old, s.new) for s in diff.settings] == [
        ("corpus.jaccard", None, 0.8),
        ("corpus.path", "tiny.parquet", "other.parquet"),
        ("seed", 5, None),
    ]
    assert [(s.name, s.old, s.new) for s in diff.models] == [
        ("generate tiny-writer", "abc123", "def456")
    ]
    assert [(s.name, s.new) for s in diff.prompts] == [("write_query/fra-Latn.md", "1" * 64)]
    assert [(s.name, s.old, s.new) for s in diff.versions] == [("polars", None, "2.1.0")]
    assert (diff.old_version, diff.new_version) == ("", "2.0.0")


def test_metrics_are_compared_only_where_both_audits_are_current(old: Path, new: Path) -> None:
    manifest = load_manifest(new)
    base = tmp_copy(old, new.parent / "base")
    store.write_json(base / "audit" / "metrics.json", metrics_of(manifest))
    moved = metrics_of(manifest)
    rates = [
        figure("rate", 0.3, low=0.25, high=0.4),
        figure("fresh", 3, unit="count"),
    ]
    moved["metrics"]["false_negatives"]["figures"] = rates
    store.write_json(new / "audit" / "metrics.json", moved)
    diff = compare_data_sets(base, new)
    assert diff.metrics_compared
    assert [(m.figure, m.old, m.new, m.is_beyond_chance) for m in diff.metrics] == [
        ("false_negatives.fresh", None, 3, None),
        ("false_negatives.rate", 0.1, 0.3, True),
    ]
    text = render_changes(diff)
    assert "| `false_negatives.rate` | 10.0 % | 30.0 % | yes |" in text
    assert "| `false_negatives.fresh` | none | 3 | no interval |" in text
    other = dict.fromkeys(files_of(manifest), "0" * 64)
    store.write_json(new / "audit" / "metrics.json", {**moved, "files": other})
    stale = compare_data_sets(base, new)
    assert (stale.metrics_compared, stale.metrics) == (False, ())
    assert "Not compared: not both versions" in render_changes(stale)


def tmp_copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


def test_the_section_is_ready_for_a_changelog(old: Path, new: Path) -> None:
    def change(fields: dict[str, Any]) -> None:
        fields["card"] |= {"version": "2.0.0", "date_published": "2026-11-21"}
        fields["config"] = {"colour": "blue", "seed": 5, "corpus": {"path": "tiny.parquet"}}

    edit_manifest(new, change)
    assert render_changes(compare_data_sets(old, new)) == (
        "## [2.0.0] - 2026-11-21\n"
        "\n"
        "9 rows, 9 before: 0 added, 0 removed, 0 changed since the version before. Documents: "
        "0 added, 0 removed.\n"
        "\n"
        "### Settings\n"
        "\n"
        "- `colour`: none before, now `blue`\n"
        "\n"
        "### Quality\n"
        "\n"
        "Not compared: not both versions have an audit of their present files.\n"
    )


def test_a_long_list_of_settings_is_cut_and_says_so(old: Path, new: Path) -> None:
    edit_manifest(new, lambda f: f.update(config={f"k{n:02d}": "x" * 200 for n in range(30)}))
    text = render_changes(compare_data_sets(old, new))
    # Of 32 differences (30 new keys, 2 gone), 20 are listed.
    assert text.count(" before, now ") == 20
    assert "- and 12 more, which `pairmill diff --json` lists" in text
    assert "x" * 81 not in text


@pytest.mark.parametrize("hostile", tiny.HOSTILE_TEXTS, ids=repr)
def test_hostile_settings_and_tasks_stay_text_in_the_section(
    hostile: str, old: Path, new: Path
) -> None:
    edit_manifest(new, lambda f: f.update(config={hostile: hostile}))
    edit_rows(new, lambda rows: rows.with_columns(task=pl.lit(hostile)))
    text = render_changes(compare_data_sets(old, new))
    tiny.check_inert(text)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {5}


def test_a_damaged_file_is_named(old: Path, new: Path) -> None:
    path = layout.parquet_files(new, layout.DATA)[0]
    path.write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match=re.escape(path.name)):
        compare_data_sets(old, new)
    with pytest.raises(DataError, match="must be a data set directory"):
        compare_data_sets(old, new / "nowhere")


rows_of = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2), max_size=6)


@given(rows_of, rows_of)
def test_rows_are_compared_as_dictionaries_are(old: dict[str, int], new: dict[str, int]) -> None:
    def hashed(rows: dict[str, int]) -> pl.DataFrame:
        values = pl.Series(list(rows.values()), dtype=pl.UInt64)
        columns = {name: values if name == "query" else values * 0 for name in _COLUMNS}
        return pl.DataFrame({"query_id": pl.Series(list(rows), dtype=pl.String), **columns})

    found = compare_rows(hashed(old), hashed(new))
    changed = sum(old[key] != new[key] for key in old.keys() & new.keys())
    assert found.added == len(new.keys() - old.keys())
    assert found.removed == len(old.keys() - new.keys())
    assert found.changed == changed
    assert found.changed_columns == ({"query": changed} if changed else {})
