"""The product that compares before it writes: its bits, and the scan that is made of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import mining.indexes.torch_scan as torch_scan_module
import mining.scan as scan_module
from mining import kernels
from mining.corpus import CorpusView
from mining.indexes import INDEXES
from mining.indexes.torch_scan import TorchScan
from mining.scan import scan
from mining.screens import Float32Screen, FusedScreen
from mining.search import Wanted
from sdg.errors import BackendError
from tests.mining import visible
from tests.mining.visible import document

Floats = npt.NDArray[np.float32]
needs_vnni = pytest.mark.skipif(not kernels.has_vnni(), reason="no AVX-512 VNNI")


@needs_vnni
@hypothesis_settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_queries=st.integers(1, 20),
    num_documents=st.integers(1, 200),
    fours=st.integers(1, 40),
    num_bounds=st.sampled_from([1, 4]),
    is_extreme=st.booleans(),
)
def test_bits_are_those_of_comparing_exact_products(
    seed: int,
    num_queries: int,
    num_documents: int,
    fours: int,
    num_bounds: int,
    is_extreme: bool,
) -> None:
    random = np.random.default_rng(seed)
    low, high = (-127, 128)
    codes = random.integers(low, high, (num_queries, 4 * fours), np.int8)
    documents = random.integers(low, high, (num_documents, 4 * fours), np.int8)
    if is_extreme:
        codes, documents = np.sign(codes) * np.int8(127), np.sign(documents) * np.int8(127)
    step = random.uniform(1e-3, 1e3, num_documents).astype(np.float32)
    values = (codes.astype(np.int32) @ documents.T.astype(np.int32)).astype(np.float32) * step
    # At values that occur, where one unit more or less would show.
    chosen = random.integers(0, num_documents, (4, num_queries))
    at = values[np.arange(num_queries), chosen]
    num_grouped = -(-num_queries // kernels.GROUP) * kernels.GROUP
    bounds = np.full((num_bounds, num_grouped), np.inf, np.float32)
    bounds[:, :num_queries] = at[:num_bounds]
    grouped, starts = np.zeros((num_grouped, 4 * fours), np.int8), np.zeros(num_grouped, np.int32)
    kernels.group(codes, grouped, starts)
    panels = kernels.pack(documents)
    steps = np.full(len(panels) * kernels.PANEL, np.nan, np.float32)
    steps[:num_documents] = step
    words = np.full((num_bounds, len(panels), num_grouped), 7, np.uint64)
    kernels.mark(panels, steps, grouped, starts, bounds, words)
    bits = (words[..., None] >> np.arange(kernels.PANEL, dtype=np.uint64)) & np.uint64(1)
    by_query = bits.transpose(0, 2, 1, 3).reshape(num_bounds, num_grouped, -1).astype(bool)
    assert not by_query[:, num_queries:].any()
    assert not by_query[:, :, num_documents:].any()
    found = by_query[:, :num_queries, :num_documents]
    for bound in range(num_bounds):
        limit = at[bound][:, None]
        expected = values >= limit if bound in {0, 2} else values > limit
        assert np.array_equal(found[bound], expected)


def _corpus(folder: pytest.TempPathFactory, vectors: Floats) -> CorpusView:
    rows = [document(f"d{i:04d}", f"text {i}") for i in range(len(vectors))]
    own = {f"text {i}": v.tolist() for i, v in enumerate(vectors)}
    return visible.corpus(folder.mktemp("c"), rows, own)


@needs_vnni
@hypothesis_settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_queries=st.integers(1, 40),
    k=st.sampled_from([1, 7, 60]),
    threads=st.integers(1, 3),
    is_bounded=st.booleans(),
)
def test_many_tiles_with_ties_and_zeros_give_what_the_oracle_gives(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    num_queries: int,
    k: int,
    threads: int,
    is_bounded: bool,
) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(900, 10)).astype(np.float32)
    vectors[random.integers(0, 900, 300)] = vectors[0]
    vectors[random.integers(0, 900, 30)] = 0
    queries = random.normal(size=(num_queries, 10)).astype(np.float32)
    queries[0] = 0
    view = _corpus(tmp_path_factory, vectors)
    wanted = Wanted.nearest(k, num_queries)
    if is_bounded:
        bounds = random.normal(1, 3, (3, num_queries)).astype(np.float32)
        bounds[:, -1] = queries[-1] @ vectors[[3, 4, 5]].T
        wanted = Wanted(k, bounds[0], bounds[1], bounds[2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan_module, "_TILE_DOCUMENTS", 2 * kernels.PANEL)
        patch.setattr(scan_module, "_TILE_QUERIES", 16)
        found = scan(queries, view, wanted, FusedScreen(), threads=threads)
    true = scan(queries, view, wanted, Float32Screen())
    assert found.rows.tolist() == true.rows.tolist()
    assert np.array_equal(found.scores, true.scores, equal_nan=True)
    assert found.above_upper.tolist() == true.above_upper.tolist()
    assert found.above_rank.tolist() == true.above_rank.tolist()


@pytest.mark.parametrize(
    ("flags", "is_compiled", "taken"),
    [
        ({"avx512_vnni", "avx2"}, True, "fused"),
        ({"avx512_vnni", "amx_int8"}, True, "int8"),
        ({"avx512_vnni"}, False, "int8"),
        ({"avx_vnni"}, False, "int8"),
        ({"avx2"}, False, "float32"),
        (set(), False, "float32"),
    ],
)
def test_auto_takes_the_fastest_product_of_the_processor_and_says_so(
    monkeypatch: pytest.MonkeyPatch, flags: set[str], is_compiled: bool, taken: str
) -> None:
    monkeypatch.setattr(torch_scan_module, "processor_flags", lambda: frozenset(flags))
    monkeypatch.setattr(kernels, "has_vnni", lambda: is_compiled)
    assert TorchScan().describe() == f"torch, screen {taken}"


def test_the_fused_product_is_refused_where_it_cannot_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(kernels, "has_vnni", lambda: False)
    ones = np.ones((1, 2), np.float32)
    index = INDEXES.build({"index": "torch", "screen": "fused"})
    with pytest.raises(BackendError, match="must run on a processor with AVX-512 VNNI"):
        index.search(ones, _corpus(tmp_path_factory, ones), Wanted.nearest(1, 1))
