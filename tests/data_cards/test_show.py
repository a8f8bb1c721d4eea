from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_cards.show import describe_row, kept_rows, rejected_content, rejected_rows
from sdg.errors import ConfigError, DataError
from sdg.schemas import EXAMPLES, REJECTIONS
from tests.data_cards import tiny


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_data_set(tmp_path_factory.mktemp("tiny"))


def test_kept_rows_go_on_into_the_next_file(directory: Path) -> None:
    rows = kept_rows(directory, limit=6)
    assert rows.schema.equals(EXAMPLES)
    assert rows["split"].to_pylist() == ["train"] * 4 + ["validation"] * 2
    assert kept_rows(directory, split="validation", limit=99).num_rows == 5


@pytest.mark.parametrize(
    ("stage", "reason", "details"),
    [
        (None, None, ["?", "eng-Latn at 0.91", "loom twice"]),
        ("gate", None, ["eng-Latn at 0.91", "loom twice"]),
        (None, "no_words", ["?"]),
        ("gate", "repeats_itself", ["loom twice"]),
        ("assemble", None, []),
    ],
)
def test_rejected_rows_are_filtered_by_stage_and_reason(
    stage: str | None, reason: str | None, details: list[str], directory: Path
) -> None:
    rows = rejected_rows(directory, stage=stage, reason=reason)
    assert rows.schema.equals(REJECTIONS)
    assert rows["detail"].to_pylist() == details


def test_unknown_names_are_refused_with_the_known_ones(directory: Path) -> None:
    with pytest.raises(ConfigError, match=r"one of generate, gate, assemble, .*mean 'gate'"):
        rejected_rows(directory, stage="gates")
    with pytest.raises(ConfigError, match="must be one of repeats_itself, wrong_language, but"):
        rejected_rows(directory, stage="gate", reason="no_words")
    with pytest.raises(ConfigError, match="`split` must be one of train, validation"):
        kept_rows(directory, split="test")
    with pytest.raises(ConfigError, match="at least 1, but is 0"):
        kept_rows(directory, limit=0)


def test_rows_of_no_data_set_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must hold manifest\.json"):
        kept_rows(tmp_path)


def test_describe_row_is_safe_for_a_terminal_and_says_what_it_cut() -> None:
    row = {
        "query": "\x1b]0;title\x07\u202eab\nc",
        "positives": ["short", "x" * 500],
        "none": [],
        "provenance": {"generator": "m", "seed": None},
    }
    assert describe_row(row).splitlines() == [
        "query: \\u{1b}]0;title\\u{7}\\u{202e}ab c",
        "positives:",
        "  [0] short",
        "  [1] " + "x" * 400 + "… (100 more characters)",
        "none: none",
        "provenance:",
        "  generator: m",
        "  seed: null",
    ]


def test_what_was_said_stands_before_where_a_rejected_row_came_from() -> None:
    said = {"candidate_index": 0, "prompt_sha256": "a" * 64, "query": "who?", "raw_reply": "{"}
    row = {
        "row_id": "c1",
        "stage": "generate",
        "reason": "invalid_json",
        "detail": "",
        "row": json.dumps(said),
    }
    lines = describe_row(row).splitlines()
    place = lines.index("row:")
    assert lines[place + 1 : place + 4] == [
        "  query: who?",
        "  raw_reply: {",
        "  candidate_index: 0",
    ]
    assert rejected_content({"query_id": "q1"}) == {}
