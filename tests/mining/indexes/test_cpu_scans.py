"""Queries that a GPU was asked for and did not search are counted, by thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import faiss
import numpy as np
import pytest

from mining.corpus import CorpusView
from mining.cpu_scans import add_cpu_scans, counting_cpu_scans
from mining.indexes import INDEXES
from mining.indexes.faiss_flat import FaissFlat
from mining.search import Wanted
from tests.mining import visible
from tests.mining.visible import at, document


@pytest.fixture
def view(tmp_path: Path) -> CorpusView:
    rows = [document(f"d{i:02d}", f"text {i}") for i in range(60)]
    return visible.corpus(tmp_path, rows, {f"text {i}": at(i) for i in range(60)})


def _knn_gpu(_: Any, queries: Any, documents: Any, k: int, **__: Any) -> Any:
    return faiss.knn(queries, documents, k, metric=faiss.METRIC_INNER_PRODUCT)


def test_only_queries_that_need_more_than_a_gpu_gives_are_counted(
    view: CorpusView, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = SimpleNamespace(
        get_num_gpus=lambda: 1,
        StandardGpuResources=object,
        knn_gpu=_knn_gpu,
        METRIC_INNER_PRODUCT=faiss.METRIC_INNER_PRODUCT,
    )
    monkeypatch.setattr("mining.indexes.faiss_flat._MAX_DEPTH", 30)
    queries = np.array([at(0), at(0), at(0)], np.float32)
    # The last two want documents that are far below the thirty nearest.
    upper = np.array([2, np.cos(np.radians(45.5)), np.cos(np.radians(50.5))], np.float32)
    wanted = Wanted.nearest(3, 3)._replace(upper=upper)
    exact = INDEXES.build({"index": "exact"}).search(queries, view, wanted)
    assert exact.rows.tolist() == [[0, 1, 2], [46, 47, 48], [51, 52, 53]]
    counted = {}
    for device in ("cpu", "gpu"):
        if device == "gpu":
            monkeypatch.setattr("mining.indexes.faiss_flat.load_faiss", lambda: fake)
        with counting_cpu_scans() as scans:
            found = FaissFlat.model_validate({"device": device}).search(queries, view, wanted)
        assert found.rows.tolist() == exact.rows.tolist()
        counted[device] = scans.queries
    # On the CPU a scan is no fallback.
    assert counted == {"cpu": 0, "gpu": 2}


def test_each_thread_counts_its_own_and_nobody_else_is_told() -> None:
    together = Barrier(2)

    def count(queries: int) -> int:
        with counting_cpu_scans() as scans:
            together.wait(timeout=60)
            add_cpu_scans(queries)
            together.wait(timeout=60)
        return scans.queries

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(count, [3, 40])) == [3, 40]
    add_cpu_scans(7)
    with counting_cpu_scans() as scans:
        add_cpu_scans(1)
    assert scans.queries == 1
