from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from data_cards import layout
from data_cards.manifest import file_records
from data_cards.verify import verify_data_set
from sdg import store
from sdg.assemble import CORPUS
from sdg.schemas import EXAMPLES, REJECTIONS
from tests.data_cards import tiny

TRAIN = "data/train-00000-of-00001.parquet"
CORPUS_FILE = "corpus/corpus-00000-of-00001.parquet"
REJECTED_FILE = "rejected/rejected-00000-of-00001.parquet"
SCHEMAS = {TRAIN: EXAMPLES, CORPUS_FILE: CORPUS, REJECTED_FILE: REJECTIONS}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_data_set(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def directory(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "copy")
    return tmp_path / "copy"


def edit(directory: Path, name: str, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    """Change rows of one file, then write checksums and card as if that had been the build."""
    rows = store.read_parquet(directory / name).to_pylist()
    change(rows)
    store.write_parquet(directory / name, pa.Table.from_pylist(rows, schema=SCHEMAS[name]))
    manifest = store.read_json(directory / layout.MANIFEST)
    manifest["files"] = {n: r.model_dump() for n, r in file_records(directory).items()}
    store.write_json(directory / layout.MANIFEST, manifest)
    tiny.write_card(directory)


def found(directory: Path) -> list[str]:
    return [str(problem) for problem in verify_data_set(directory)]


def test_verify_finds_nothing_wrong_with_a_finished_data_set(finished: Path) -> None:
    assert found(finished) == []


def own_negative(rows: list[dict[str, Any]]) -> str:
    rows[0]["negative_ids"][1] = rows[0]["positive_ids"][0]
    rows[0]["negatives"][1] = rows[0]["positives"][0]
    return "rows: train-00000-of-00001.parquet: a positive is its own negative (1 times, first in"


def misaligned(rows: list[dict[str, Any]]) -> str:
    rows[1]["negative_scores"].pop()
    return "rows: train-00000-of-00001.parquet: `negative_ids` and `negative_scores` do not align"


def other_text(rows: list[dict[str, Any]]) -> str:
    rows[1]["negatives"][0] += " Indeed."
    return "a negative's text or language is not the corpus's (1 times"


def stranger(rows: list[dict[str, Any]]) -> str:
    rows[1]["negative_ids"][0] = "dnowhere"
    return "a negative is not in corpus/ (1 times"


def repeated_negative(rows: list[dict[str, Any]]) -> str:
    for name in ("negative_ids", "negatives"):
        rows[0][name][1] = rows[0][name][0]
    return "a negative is listed twice in one row"


def same_entity(rows: list[dict[str, Any]]) -> str:
    row = next(r for r in rows if r["positive_languages"] == ["eng-Latn"])
    topic = next(t for t, texts in tiny.TOPICS.items() if texts[0] == row["positives"][0])
    language = "spa-Latn" if topic != "loom" else "fra-Latn"
    row["negative_ids"][0] = tiny.doc_id(topic, language)
    row["negatives"][0] = tiny.TOPICS[topic][tiny.LANGUAGES.index(language)]
    row["negative_languages"][0] = language
    return "a negative is the same entity as a positive"


def wrong_split(rows: list[dict[str, Any]]) -> str:
    rows[0]["split"] = "validation"
    return "splits: train-00000-of-00001.parquet: `split` is not the file's"


def unsorted(rows: list[dict[str, Any]]) -> str:
    rows.reverse()
    return "rows: rows must ascend by query_id, but 1 blocks do not"


def no_positive(rows: list[dict[str, Any]]) -> str:
    for name in ("positive_ids", "positives", "positive_scores", "positive_languages"):
        rows[0][name] = []
    rows[0]["relevance"] = [None, None]
    return "a row has no positive"


def lost_negative(rows: list[dict[str, Any]]) -> str:
    for name in ("ids", "scores", "ranks", "sources", "languages"):
        rows[0][f"negative_{name}"].pop()
    rows[0]["negatives"].pop()
    rows[0]["relevance"].pop()
    return "conservation: data/ must hold the 18 negatives that mining selected, but holds 17"


def other_task(rows: list[dict[str, Any]]) -> str:
    rows[0]["task"] = "classify"
    return "conservation: cell classify/"


FAULTS = [
    own_negative,
    misaligned,
    other_text,
    stranger,
    repeated_negative,
    same_entity,
    wrong_split,
    unsorted,
    no_positive,
    lost_negative,
    other_task,
]


@pytest.mark.parametrize("break_it", FAULTS, ids=lambda f: f.__name__)
def test_verify_finds_a_broken_promise_in_rows(break_it: Any, directory: Path) -> None:
    message: list[str] = []
    edit(directory, TRAIN, lambda rows: message.append(break_it(rows)))
    assert any(message[0] in problem for problem in found(directory)), found(directory)


def with_texts(directory: Path, positive: str, negative: str) -> None:
    """Give the first training row a positive and a negative with these texts, in corpus too."""
    ids: list[str] = []

    def change(rows: list[dict[str, Any]]) -> None:
        rows[0]["positives"][0], rows[0]["negatives"][0] = positive, negative
        ids.extend([rows[0]["positive_ids"][0], rows[0]["negative_ids"][0]])

    edit(directory, TRAIN, change)
    texts = dict(zip(ids, (positive, negative), strict=True))
    edit(
        directory,
        CORPUS_FILE,
        lambda rows: [r.update(text=texts.get(r["doc_id"], r["text"])) for r in rows],
    )


@pytest.mark.parametrize(
    ("positive", "negative", "message"),
    [
        ("The Old Bridge.", "the old bridge", "a negative's text equals a positive's"),
        (
            " ".join(f"word{i}" for i in range(100)),
            " ".join(f"word{i}" for i in range(97)) + " other",
            "a negative's text nearly equals a positive's",
        ),
    ],
    ids=["equal", "near"],
)
def test_verify_finds_negatives_that_equal_or_nearly_equal_their_positive(
    positive: str, negative: str, message: str, directory: Path
) -> None:
    with_texts(directory, positive, negative)
    assert any(message in problem for problem in found(directory)), found(directory)


def test_verify_allows_a_negative_that_shares_most_words_with_its_positive(
    directory: Path,
) -> None:
    with_texts(directory, " ".join("abcdefghij"), " ".join("abcdefghix"))
    assert not any("nearly" in problem or "equals" in problem for problem in found(directory))


def test_verify_finds_a_group_in_two_splits(directory: Path) -> None:
    validation = store.read_parquet(directory / "data/validation-00000-of-00001.parquet")
    group = validation["group_id"][0].as_py()
    edit(directory, TRAIN, lambda rows: rows[0].update(group_id=group))
    assert any("no group must span two splits, but 1 do" in p for p in found(directory))


def test_verify_finds_positives_of_one_document_group_in_two_splits(directory: Path) -> None:
    edit(directory, CORPUS_FILE, lambda rows: [row.update(group_id="one") for row in rows])
    assert any("no group must span two splits" in p for p in found(directory))


def test_verify_finds_rejections_that_the_manifest_does_not_count(directory: Path) -> None:
    edit(directory, REJECTED_FILE, lambda rows: rows.pop())
    assert found(directory) == [
        "conservation: stage gate must have 1 rows rejected as repeats_itself, as the manifest "
        "says, but rejected/ holds 0."
    ]


def test_verify_finds_a_flipped_byte_a_missing_file_and_a_file_too_many(directory: Path) -> None:
    data = bytearray((directory / TRAIN).read_bytes())
    data[100] ^= 1
    (directory / TRAIN).write_bytes(data)
    shutil.move(directory / CORPUS_FILE, directory / "corpus/other.parquet")
    problems = found(directory)
    assert problems[0] == "files: corpus/other.parquet is not listed in the manifest."
    assert problems[1] == f"files: {CORPUS_FILE} is listed in the manifest but missing."
    assert problems[2].startswith(f"files: {TRAIN} must have sha256")
    assert len(problems) == 3


def test_verify_finds_another_schema(directory: Path) -> None:
    table = store.read_parquet(directory / CORPUS_FILE).drop_columns(["entity_key"])
    store.write_parquet(directory / CORPUS_FILE, table)
    manifest = store.read_json(directory / layout.MANIFEST)
    manifest["files"] = {n: r.model_dump() for n, r in file_records(directory).items()}
    store.write_json(directory / layout.MANIFEST, manifest)
    assert len(found(directory)) == 1
    assert "must have its schema" in found(directory)[0]


def test_verify_finds_a_card_edited_by_hand(directory: Path) -> None:
    path = directory / layout.CARD
    path.write_text(path.read_text().replace("`no_words` 1", "`no_words` 0", 1))
    assert found(directory)[0].startswith("card: line ")
    path.unlink()
    assert found(directory) == ["card: README.md is missing."]


def test_verify_finds_a_croissant_edited_by_hand(directory: Path) -> None:
    path = directory / layout.CROISSANT
    path.write_text(path.read_text().replace("Nobody assessed it.", "None at all.", 1))
    assert found(directory)[0].startswith("card: line ")
    assert "of croissant.json must be" in found(directory)[0]
    path.unlink()
    assert found(directory) == ["card: croissant.json is missing."]


def test_verify_of_no_data_set_is_one_problem(tmp_path: Path) -> None:
    assert [problem.check for problem in verify_data_set(tmp_path)] == ["manifest"]
