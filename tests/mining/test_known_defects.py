"""Defects found in other miners, each as a test that would fail if ours had it.

| defect elsewhere | test |
|---|---|
| positives sliced by the count of the query before | here, `test_mine` |
| a query given the negatives of another, its own positives among them | here |
| margins that let documents above a negative positive score through | here |
| vectors cached without prompt, revision, or borders between texts | here |
| FAISS and the other path searching to different depths | `test_search`, `test_mine` |
| -1 padding read as the last document | here |
| FAISS silently on the CPU when a GPU was asked for | `test_search` |
| unseeded sampling | here |
| one query with 600 positives searched 1,230 deep for all | here |
| the query itself, or a near copy of the positive, mined when no margin is set | here |
| NaN vectors that become negatives | here, `test_vectors`, `test_equals_sentence_transformers` |
| starved queries left out without a word | here |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mining.corpus import CorpusView
from mining.embed import EmbeddedQueries
from mining.encoders import ENCODERS, Encoder
from mining.indexes import INDEXES
from mining.mine import MiningConfig, mine
from mining.vectors import VectorStore, text_key
from sdg.errors import PairmillError
from sdg.schemas import StageResult
from sdg.store import write_parquet
from tests.mining import visible
from tests.mining.visible import at, document, exact_scores

EXACT = [name for name in INDEXES if INDEXES[name].is_exact]

Floats = npt.NDArray[np.float32]
KNOWN = {"rule": "known_positive"}


def _corpus(folder: Path, vectors: Floats) -> CorpusView:
    rows = [document(f"d{i:03d}", f"unlike words{i} alpha{i}") for i in range(len(vectors))]
    table: dict[str, Any] = {str(r["text"]): v for r, v in zip(rows, vectors, strict=True)}
    return visible.corpus(folder, rows, table)


def _run(
    view: CorpusView,
    queries: EmbeddedQueries,
    positives: dict[str, list[str]],
    index: str = "exact",
    seed: int = 5,
    **config: Any,
) -> StageResult:
    choices = {"on_shortfall": "keep", **config}
    return mine(
        queries,
        visible.positives(positives),
        view,
        INDEXES.build({"index": index}),
        MiningConfig.model_validate(choices),
        seed=seed,
    )


def _rows(result: StageResult) -> dict[str, dict[str, Any]]:
    return {row["query_id"]: row for row in result.kept.to_pylist()}


def _unit(seed: int, *shape: int) -> Floats:
    rows = np.random.default_rng(seed).normal(size=shape)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    counts=st.permutations([1, 3, 1, 2, 5]),
    index=st.sampled_from(EXACT),
    anchor=st.sampled_from(["min", "max", "mean"]),
    bound=st.sampled_from([None, ("percent", 0.9), ("margin", 0.1)]),
)
def test_a_row_never_holds_a_positive_of_its_query_nor_anything_above_its_bound(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    counts: list[int],
    index: str,
    anchor: str,
    bound: tuple[str, float] | None,
) -> None:
    """Random unit vectors: half of the positive scores are negative."""
    documents, probes = _unit(seed, 40, 3), _unit(seed + 1, 5, 3)
    own = np.split(np.random.default_rng(seed).permutation(40)[:12], np.cumsum(counts)[:-1])
    positives = {f"q{i}": [f"d{r:03d}" for r in rows] for i, rows in enumerate(own)}
    rules: list[dict[str, Any]] = [KNOWN]
    if bound is not None:
        setting = "fraction" if bound[0] == "percent" else "margin"
        rules.append({"rule": bound[0], setting: bound[1]})
    queries = visible.queries(
        {name: probes[i].tolist() for i, name in enumerate(positives)},
        [rows[0] for rows in positives.values()],
    )
    view = _corpus(tmp_path_factory.mktemp("c"), documents)
    found = _rows(
        _run(view, queries, positives, index, rules=rules, anchor=anchor, num_negatives=40)
    )
    scores = exact_scores(probes, documents)
    for place, (name, ids) in enumerate(positives.items()):
        anchored = float(getattr(np, anchor)(scores[place][own[place]]))
        highest = np.inf
        if bound is not None:
            step = 0.1 * abs(anchored) if bound[0] == "percent" else bound[1]
            highest = anchored - step
        allowed = {
            f"d{r:03d}" for r in range(40) if scores[place][r] <= highest
        } - set(ids)  # fmt: skip
        assert set(found[name]["negative_ids"] if name in found else ()) == allowed


@pytest.mark.parametrize("index", EXACT)
def test_padding_never_becomes_a_document(tmp_path: Path, index: str) -> None:
    view = _corpus(tmp_path, np.array([at(a) for a in (0, 30, 60, 90)], np.float32))
    queries = visible.queries({"q": at(0)}, ["d000"])
    result = _run(view, queries, {"q": ["d000"]}, index, rules=[KNOWN], num_negatives=50)
    assert _rows(result)["q"]["negative_ids"] == ["d001", "d002", "d003"]


def test_one_query_with_many_positives_changes_nothing_for_the_others(tmp_path: Path) -> None:
    view = _corpus(tmp_path, _unit(1, 300, 4))
    probes = _unit(2, 2, 4)
    light = visible.queries({"light": probes[0].tolist()}, ["d000"])
    both = visible.queries(
        {"light": probes[0].tolist(), "heavy": probes[1].tolist()}, ["d000", "d001"]
    )
    many = [f"d{i:03d}" for i in range(1, 250)]
    alone = _rows(_run(view, light, {"light": ["d000"]}))
    beside = _rows(_run(view, both, {"light": ["d000"], "heavy": many}))
    assert beside["light"] == alone["light"]


def test_without_a_margin_neither_the_query_nor_a_copy_of_the_positive_is_mined(
    tmp_path: Path,
) -> None:
    texts = {
        "d0": "the red bridge over the wide river was closed in winter",
        "d1": "The red bridge over the wide river, was closed in winter!",
        "d2": "the red bridge over the wide river was closed in winter today",
        "d3": "text of q",
        "d4": "a quiet lake in the hills",
    }
    rows = [document(doc_id, text) for doc_id, text in texts.items()]
    view = visible.corpus(tmp_path, rows, dict.fromkeys(texts.values(), at(10)))
    rules = [rule for rule in MiningConfig().rules if rule.name != "percent"]
    queries = visible.queries({"q": at(0)}, ["d0"])
    result = _run(view, queries, {"q": ["d0"]}, rules=rules)
    assert _rows(result)["q"]["negative_ids"] == ["d4"]


@pytest.mark.parametrize("strategy", ["top", "sampled"])
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, strategy: str) -> None:
    view = _corpus(tmp_path, _unit(3, 60, 4))
    probes = _unit(4, 20, 4)
    names = {f"q{i:02d}": probes[i].tolist() for i in range(20)}
    own = {name: ["d000"] for name in names}
    written = []
    for number, seed in enumerate([7, 7, 8]):
        queries = visible.queries(names, ["d000"] * 20)
        choices: dict[str, Any] = {"selection": {"strategy": strategy}, "rules": [KNOWN]}
        path = tmp_path / f"{number}.parquet"
        write_parquet(path, _run(view, queries, own, seed=seed, **choices).kept)
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert (written[0] == written[2]) == (strategy == "top")


@pytest.mark.parametrize("index", EXACT)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_query_whose_vector_is_no_vector_is_refused(
    tmp_path: Path, index: str, value: float
) -> None:
    view = _corpus(tmp_path, _unit(5, 20, 2))
    queries = visible.queries({"q": [value, 0.0]}, ["d000"])
    with pytest.raises(PairmillError, match="finite"):
        _run(view, queries, {"q": ["d000"]}, index)


def test_a_starved_query_is_counted_with_its_reason(tmp_path: Path) -> None:
    view = _corpus(tmp_path, np.array([at(a) for a in (0, 1, 2, 90)], np.float32))
    queries = visible.queries({"full": at(90), "starved": at(0)}, ["d003", "d000"])
    own = {"full": ["d003"], "starved": ["d000"]}
    result = _run(view, queries, own, num_negatives=2, on_shortfall="drop")
    assert result.rows_in == 2
    assert result.kept["query_id"].to_pylist() == ["full"]
    (rejection,) = result.rejected.to_pylist()
    assert (rejection["row_id"], rejection["reason"]) == ("starved", "too_few_negatives")


class _Pinned(visible.GivenVectors):
    """Has the revision that it is given."""

    commit: str = "a"

    def revision(self) -> str:
        return self.commit


def _folder(root: Path, encoder: Encoder, side: Any = "document") -> Path:
    return VectorStore(root, encoder, side).folder


def test_vectors_of_another_revision_or_side_are_other_vectors(tmp_path: Path) -> None:
    folders = {
        _folder(tmp_path, _Pinned(commit="a")),
        _folder(tmp_path, _Pinned(commit="b")),
        _folder(tmp_path, _Pinned(commit="a"), "query"),
    }
    assert len(folders) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other/model"},
        {"model_revision": "b"},
        {"query_prompt": "query: "},
        {"document_prompt": "passage: "},
        {"query_prompt": "query:"},
        {"max_seq_length": 64},
        {"dtype": "float16"},
        {"trust_remote_code": True},
    ],
    ids=str,
)
def test_every_setting_that_changes_vectors_changes_their_key(change: dict[str, Any]) -> None:
    plain = {"encoder": "sentence_transformers", "model": "some/model", "model_revision": "a"}
    one, other = ENCODERS.build(plain), ENCODERS.build({**plain, **change})
    assert one.identity() != other.identity()


def test_the_key_of_a_text_knows_where_the_text_ends() -> None:
    """Others joined all texts without a border: ["ab", "c"] had the key of ["a", "bc"]."""
    texts = ["ab", "c", "a", "bc", "abc", "", " ", "a b c", "ABC"]
    assert len({text_key(text) for text in texts}) == len(texts)
