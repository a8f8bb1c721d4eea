"""`pairmill bitext`: two sets of sentences become pairs that trainers and `pairmill mine` read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import mlcroissant
import numpy as np
import polars as pl
import pytest

from data_cards.bitext_manifest import load_bitext_manifest
from data_cards.manifest import file_records
from flows.bitext import mine_translations
from flows.bitext_config import BitextRunConfig, load_bitext_config
from flows.mine import mine_pairs
from flows.mine_config import load_mine_config
from flows.settings import parse_settings
from mining.bitext import ArrayBlocks, BitextConfig, mine_bitext
from mining.indexes.exact import ExactIndex
from mining.vector_file import Floats
from sdg.errors import ConfigError, DataError
from tests.data_cards.croissant_records import issues, plain
from tests.flows.pairs import save, write_jsonl
from tests.flows.small import pairmill, published

# A sentence's vector is an axis. Alone on its axis a translation has the neighbours 1 and 0 from
# both sides, and so the margin 1 / 0.5; where two sentences of a side share one, 1 / 1.
AXES = {
    "source": {"s0": 0, "s1": 1, "s2": 2, "s3": 2, "s4": 5},
    "target": {"t0": 1, "t1": 0, "t2": 2, "t3": 2},
}
LANGUAGES = {"source": "eng-Latn", "target": "fra-Latn"}


def _write(folder: Path, side: str, rows: list[dict[str, Any]], vectors: Floats) -> None:
    write_jsonl(folder / f"{side}.jsonl", rows)
    save(folder / f"{side}.npy", vectors)


def _write_axes(folder: Path) -> Path:
    for side, axes in AXES.items():
        rows = [
            {"id": own, "text": f"{side} {own}", "language": LANGUAGES[side][:3]} for own in axes
        ]
        _write(folder, side, rows, np.eye(6, dtype=np.float32)[list(axes.values())])
    rows = [json.loads(line) for line in (folder / "source.jsonl").read_text().splitlines()]
    # Rows that are not read, in front of others whose vectors must stay with them.
    rows[1:1] = [{**rows[1], "id": "empty", "text": " "}, rows[0]]
    vectors = np.load(folder / "source.npy")
    _write(folder, "source", rows, np.insert(vectors, [1, 1], vectors[[3, 0]], axis=0))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with sentences and vectors of both sides."""
    return _write_axes(tmp_path)


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the finished pairs of the same sentences, which lie beside them; only to be read."""
    folder = _write_axes(tmp_path_factory.mktemp("mined"))
    mine_translations(_config(folder), folder / "out")
    return folder / "out"


def _config(folder: Path, **changes: Any) -> BitextRunConfig:
    values = {
        "licence": "cc0-1.0",
        "source": {"path": str(folder / "source.jsonl")},
        "target": {"path": str(folder / "target.jsonl")},
        "vectors": {"source": str(folder / "source.npy"), "target": str(folder / "target.npy")},
        "index": {"index": "exact"},
        "bitext": {"neighbours": 2},
        **changes,
    }
    return parse_settings(values, "test", BitextRunConfig)


def _rows(directory: Path, part: str = "data") -> list[dict[str, Any]]:
    return pl.read_parquet(directory / part / "*.parquet").to_dicts()


def test_croissant_gives_the_pairs_back(mined: Path) -> None:
    dataset = mlcroissant.Dataset(mined / "croissant.json")
    assert issues(dataset) == (set(), {"citeAs", "datePublished", "version"})
    for folder in ("data", "rejected"):
        rows = pl.read_parquet(mined / folder / "*.parquet").to_dicts()
        assert [plain(record) for record in dataset.records(folder)] == rows
    assert dataset.metadata.data_use_cases == [
        "For: training and fine-tuning multilingual embedding models."
    ]


def test_the_pairs_that_stand_out_are_published_with_both_texts(mined: Path) -> None:
    common = {"query_language": "eng-Latn", "positive_language": "fra-Latn"}
    assert _rows(mined) == [
        {
            "query": f"source s{own}",
            "positive": f"target t{other}",
            "query_id": f"s{own}",
            "positive_ids": [f"t{other}"],
            **common,
            "margin": 2.0,
            "cosine": 1.0,
        }
        for own, other in ((0, 1), (1, 0))
    ]


def test_whatever_is_not_published_says_why(mined: Path) -> None:
    found = [
        (r["stage"], r["reason"], r["query_id"], (r["positive_ids"] or [None])[0], r["margin"])
        for r in _rows(mined, "rejected")
    ]
    assert found == [
        ("source", "empty_text", "empty", None, None),
        ("source", "repeated_document", "s0", None, None),
        ("pairs", "below_threshold", "s2", "t2", 1.0),
        ("source_pairs", "not_retrieved", "s3", None, None),
        ("source_pairs", "not_retrieved", "s4", None, None),
        ("target_pairs", "not_retrieved", None, "t3", None),
    ]
    texts = [(r["query"], r["positive"]) for r in _rows(mined, "rejected")]
    assert texts[2:4] == [("source s2", "target t2"), ("source s3", None)]


def test_every_row_is_counted_and_every_file_is_pinned(mined: Path) -> None:
    manifest = load_bitext_manifest(mined)
    counted = [(s.name, s.rows_in, s.kept, s.rejected) for s in manifest.stages]
    assert counted == [
        ("source", 7, 5, {"empty_text": 1, "repeated_document": 1}),
        ("target", 4, 4, {}),
        ("pairs", 3, 2, {"below_threshold": 1}),
        ("source_pairs", 5, 2, {"below_threshold": 1, "not_retrieved": 2}),
        ("target_pairs", 4, 2, {"below_threshold": 1, "not_retrieved": 1}),
    ]
    assert manifest.files == file_records(mined)
    assert [e.model_dump() for e in manifest.languages] == [
        {"source": "eng-Latn", "target": "fra-Latn", "pairs": 2}
    ]
    assert manifest.encoder.dimensions == 6
    assert len(manifest.encoder.revision) == 64
    assert manifest.config["bitext"] == BitextConfig(neighbours=2).model_dump()
    assert str(mined.parent) not in (mined / "manifest.json").read_text()


def test_the_threshold_decides_what_is_kept(folder: Path, tmp_path: Path) -> None:
    config = _config(folder, bitext={"neighbours": 2, "threshold": 1.0})
    mine_translations(config, tmp_path / "out")
    assert [row["query_id"] for row in _rows(tmp_path / "out")] == ["s0", "s1", "s2"]
    with pytest.raises(
        DataError, match=r"margin of 2.5 or more.* gives 3 pairs.* margin is 2.0000"
    ):
        mine_translations(
            _config(folder, bitext={"neighbours": 2, "threshold": 2.5}), tmp_path / "none"
        )


def test_running_again_does_nothing_and_mends_what_is_damaged(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = mine_translations(_config(folder), out)
    before = published(out)
    again = mine_translations(_config(folder), out)
    assert (first.was_current, again.was_current) == (False, True)
    assert again.figures["pairs"] == 2
    assert published(out) == before
    data = out / "data" / "train-00000-of-00001.parquet"
    for harm in (b"nothing", next((out / "rejected").iterdir()).read_bytes()):
        data.write_bytes(harm)
        assert not mine_translations(_config(folder), out).was_current
        assert published(out) == before


def test_a_change_is_mined_anew_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    mine_translations(_config(folder), out)
    lower = _config(folder, bitext={"neighbours": 2, "threshold": 1.0})
    computed = {s.name: s.computed for s in mine_translations(lower, out).stages}
    assert computed == {
        "source": 0,
        "target": 0,
        "embed": 0,
        "pairs": 1,
        "source_pairs": 0,
        "target_pairs": 0,
    }
    rows = [json.loads(line) for line in (folder / "target.jsonl").read_text().splitlines()]
    write_jsonl(folder / "target.jsonl", [{**row, "text": row["text"].upper()} for row in rows])
    computed = {s.name: s.computed for s in mine_translations(lower, out).stages}
    assert (computed["source"], computed["target"], computed["embed"]) == (0, 1, 1)
    assert _rows(out)[0]["positive"] == "TARGET T1"


def test_finished_blocks_are_not_searched_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[int] = []
    search = ExactIndex.search

    def fail_late(index: ExactIndex, *given: Any) -> Any:
        searched.append(len(given[0]))
        if len(searched) == 2:
            raise RuntimeError("killed")
        return search(index, *given)

    monkeypatch.setattr(ExactIndex, "search", fail_late)
    with pytest.raises(RuntimeError, match="killed"):
        mine_translations(_config(folder), tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()
    mine_translations(_config(folder), tmp_path / "out")
    # Five of the source, done; four of the target, killed; four of the target.
    assert searched == [5, 4, 4]
    monkeypatch.undo()
    mine_translations(_config(folder), tmp_path / "other")
    assert published(tmp_path / "out") == published(tmp_path / "other")


@pytest.mark.parametrize(
    ("index", "retrieval"),
    [
        ("exact", "max"),
        ("faiss_flat", "max"),
        ("exact", "intersect"),
        ("exact", "forward"),
        ("exact", "backward"),
    ],
)
def test_an_index_gives_the_pairs_that_plain_arrays_give(
    index: str, retrieval: str, tmp_path: Path
) -> None:
    random = np.random.default_rng(7)
    sides = []
    for side, count in (("source", 40), ("target", 30)):
        vectors = random.normal(size=(count, 5)) + 0.5
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        sides.append(vectors.astype(np.float32))
        _write(tmp_path, side, [{"text": f"{side} {n}"} for n in range(count)], sides[-1])
    wanted = BitextConfig.model_validate({"neighbours": 3, "retrieval": retrieval})
    config = _config(tmp_path, bitext=wanted.model_dump(), index={"index": index})
    mine_translations(config, tmp_path / "out")
    expected = mine_bitext(ArrayBlocks(sides[0]), ArrayBlocks(sides[1]), wanted)
    rows = _rows(tmp_path / "out")
    pairs = expected.pairs
    assert [(r["query"], r["positive"], r["margin"], r["cosine"]) for r in rows] == [
        (f"source {s}", f"target {t}", margin, score)
        for s, t, margin, score in zip(*(column.tolist() for column in pairs), strict=True)
    ]
    for side, found in (("source", pairs.source_rows), ("target", pairs.target_rows)):
        stage = next(
            s for s in load_bitext_manifest(tmp_path / "out").stages if s.name == f"{side}_pairs"
        )
        assert stage.kept == len(set(found.tolist()))


def test_a_sentence_without_meaning_in_its_margin_says_so(tmp_path: Path) -> None:
    rows = [{"id": "a", "text": "one"}]
    _write(tmp_path, "source", rows, np.array([[1, 0]], np.float32))
    _write(tmp_path, "target", [{"id": "b", "text": "un"}], np.array([[-1, 0]], np.float32))
    with pytest.raises(DataError, match="gives 1 pairs, the highest margin is -inf"):
        mine_translations(_config(tmp_path), tmp_path / "out")
    _write(tmp_path, "source", [*rows, {"id": "c", "text": "two"}], np.eye(2, dtype=np.float32))
    vectors = np.array([[-1, 0], [0, 1]], np.float32)
    _write(tmp_path, "target", [{"id": "b", "text": "un"}, {"id": "d", "text": "deux"}], vectors)
    forward = {"neighbours": 2, "retrieval": "forward"}
    mine_translations(_config(tmp_path, bitext=forward), tmp_path / "out")
    assert [row["query_id"] for row in _rows(tmp_path / "out")] == ["c"]
    # "a" is far from both, and "d" is in the pair that was taken.
    assert [
        (r["stage"], r["reason"], r["query_id"], r["positive_ids"], r["margin"])
        for r in _rows(tmp_path / "out", "rejected")
    ] == [
        ("pairs", "undefined_margin", "a", ["d"], None),
        ("target_pairs", "not_retrieved", None, ["b"], None),
    ]
    counted = {s.name: s.rejected for s in load_bitext_manifest(tmp_path / "out").stages}
    assert counted["source_pairs"] == {"undefined_margin": 1}
    assert counted["target_pairs"] == {"not_retrieved": 1}


def test_sentences_that_a_gpu_did_not_search_are_told(
    folder: Path, mined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if every sentence needed more than a GPU gives.
    monkeypatch.setattr("mining.indexes.faiss_flat._MAX_DEPTH", 0)
    monkeypatch.setattr("mining.indexes.faiss_flat._num_gpus", lambda _: 1)
    index = {"index": "faiss_flat", "device": "gpu"}
    mine_translations(_config(folder, index=index), tmp_path / "out")
    facts = [(f.kind, f.stage, f.text) for f in load_bitext_manifest(tmp_path / "out").facts]
    # Five of one side and four of the other.
    assert facts == [("fallback", "pairs", "queries_scanned_on_cpu: 9.")]
    assert _rows(tmp_path / "out") == _rows(mined)


def test_an_encoder_embeds_both_sides(tmp_path: Path) -> None:
    names = ["Aldra Silva", "Pernik Yarrow", "Kestin Brume", "Orla Tevin"]
    write_jsonl(tmp_path / "source.jsonl", [{"text": f"The river {n}."} for n in names])
    write_jsonl(tmp_path / "target.jsonl", [{"text": f"La rivière {n}."} for n in names[::-1]])
    config = _config(tmp_path, vectors=None, encoder={"encoder": "hashing"})
    mine_translations(config, tmp_path / "out")
    found = {row["query"]: row["positive"] for row in _rows(tmp_path / "out")}
    assert found == {f"The river {n}.": f"La rivière {n}." for n in names}
    assert load_bitext_manifest(tmp_path / "out").encoder.name == "hashing"


def test_two_columns_of_one_file_are_two_sides_and_one_column_twice_is_refused(
    tmp_path: Path,
) -> None:
    names = ["Aldra Silva", "Pernik Yarrow", "Kestin Brume", "Orla Tevin"]
    english, french = [f"The river {n}." for n in names], [f"La rivière {n}." for n in names[::-1]]
    pl.DataFrame({"text": english, "fr": french}).write_parquet(tmp_path / "both.parquet")
    given = {"path": str(tmp_path / "both.parquet")}

    def config(source: str, target: str) -> BitextRunConfig:
        sides = {"source": source, "target": target}
        columns = {side: {**given, "text_column": name} for side, name in sides.items()}
        return _config(tmp_path, vectors=None, encoder={"encoder": "hashing"}, **columns)

    mine_translations(config("text", "fr"), tmp_path / "out")
    found = {row["query"]: row["positive"] for row in _rows(tmp_path / "out")}
    assert found == dict(zip(english, french[::-1], strict=True))
    # Found by its usual name, `text` is the same column as when it is named.
    for source, target in (("fr", "fr"), ("text", "text"), ("text", ""), ("", "")):
        with pytest.raises(ConfigError, match=f"both are the column '{source or 'text'}' of"):
            mine_translations(config(source, target), tmp_path / "same")


def test_the_directory_loads_as_a_data_set(mined: Path, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(mined), cache_dir=str(tmp_path))
    assert loaded["train"].select_columns(["query", "positive"]).to_list()[0] == {
        "query": "source s0",
        "positive": "target t1",
    }


@pytest.mark.parametrize("part", ["", "data/train-00000-of-00001.parquet"])
def test_mining_takes_the_pairs(part: str, mined: Path, tmp_path: Path) -> None:
    arguments = [
        f"pairs.path={mined / part}",
        f"corpus.path={mined.parent / 'target.jsonl'}",
        "encoder={encoder: hashing}",
        "index={index: exact}",
        "mining.num_negatives=1",
        "mining.rules=[{rule: known_positive}, {rule: same_entity}, {rule: exact_duplicate}, "
        "{rule: near_duplicate}]",
    ]
    mine_pairs(load_mine_config(None, None, arguments), tmp_path / "mined")
    rows = {row["query"]: row for row in _rows(tmp_path / "mined")}
    assert {query: row["positive_ids"] for query, row in rows.items()} == {
        "source s0": ["t1"],
        "source s1": ["t0"],
    }
    assert {row["query_language"] for row in rows.values()} == {"eng-Latn"}
    assert all(set(row["negative_ids"]).isdisjoint(row["positive_ids"]) for row in rows.values())


def _other_dimension(folder: Path) -> None:
    save(folder / "target.npy", np.eye(4, dtype=np.float32))


def _too_few(folder: Path) -> None:
    save(folder / "source.npy", np.eye(6, dtype=np.float32))


def _not_finite(folder: Path) -> None:
    vectors = np.load(folder / "target.npy")
    vectors[2, 1] = np.nan
    save(folder / "target.npy", vectors)


def _all_empty(folder: Path) -> None:
    write_jsonl(folder / "target.jsonl", [{"text": ""}] * 4)


def _no_text(folder: Path) -> None:
    write_jsonl(folder / "target.jsonl", [{"sentence": "un"}] * 4)


def _two_texts(folder: Path) -> None:
    write_jsonl(folder / "target.jsonl", [{"id": "t", "text": str(n)} for n in range(4)])


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (_other_dimension, "the source's length 6, but holds 4"),
        (_too_few, r"one vector per document of the corpus \(7\), but holds 6"),
        (_not_finite, "row 2 has NaN"),
        (_all_empty, r"`target` must hold at least one sentence.*'empty_text': 4"),
        (_no_text, "Set `target.text_column`"),
        (_two_texts, "`target.id_column: '-'`"),
    ],
)
def test_input_that_cannot_be_used_is_refused(
    harm: Any, words: str, folder: Path, tmp_path: Path
) -> None:
    harm(folder)
    with pytest.raises(DataError, match=words):
        mine_translations(_config(folder), tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_settings_that_cannot_work_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two sets of sentences"):
        mine_translations(
            _config(folder, target={"path": str(folder / "source.jsonl")}), tmp_path / "same"
        )
    with pytest.raises(ConfigError, match="must be exact, but is faiss_hnsw"):
        _config(folder, index={"index": "faiss_hnsw"})
    with pytest.raises(ConfigError, match=r"`vectors.target` must be given"):
        _config(folder, vectors={"source": "s.npy"})
    (folder / "data").mkdir()
    with pytest.raises(ConfigError, match=r"from an earlier `pairmill bitext`.*holds \['data'\]"):
        mine_translations(_config(folder), folder)


def test_the_recipe_is_for_this_command_and_mining_says_so(tmp_path: Path) -> None:
    sides = ["source.path=a", "target.path=b"]
    config = load_bitext_config(None, "laser-bitext", sides, ["bitext.threshold=1.09"])
    assert config.bitext == BitextConfig(
        neighbours=4, margin="ratio", retrieval="max", threshold=1.09
    )
    with pytest.raises(ConfigError, match=r"Run `pairmill bitext --preset laser-bitext`"):
        load_mine_config(None, "laser-bitext", ["pairs.path=p"])
    with pytest.raises(ConfigError, match=r"Run `pairmill mine --preset bge`"):
        load_bitext_config(None, "bge", sides)
    with pytest.raises(ConfigError, match=r"`bitext.preset` must be one of .*'laser' instead"):
        load_bitext_config(None, "laser", sides)


@pytest.mark.slow
def test_the_command_line_mines_pairs(folder: Path, tmp_path: Path) -> None:
    given: list[str | Path] = []
    for side in ("source", "target"):
        given += [
            f"--{side}",
            folder / f"{side}.jsonl",
            f"--{side}-vectors",
            folder / f"{side}.npy",
        ]
    out, home = tmp_path / "out", tmp_path / "home"
    options: list[str | Path] = [
        "--preset",
        "laser-bitext",
        "--set",
        "bitext.neighbours=2",
        "--out",
        out,
    ]
    result = pairmill("bitext", *given, *options, "--json", home=home)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["figures"]["pairs"] == 2
    result = pairmill("bitext", *given, *options, home=home)
    assert "Nothing to do" in result.stdout
    assert f"card: {out / 'README.md'}" in result.stdout
    result = pairmill("bitext", *given[:2], "--out", tmp_path / "bad", home=home)
    assert result.returncode == 2
    assert "`target` must be given" in result.stderr
    assert "Traceback" not in result.stderr
