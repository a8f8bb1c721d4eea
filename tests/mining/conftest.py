"""What the slow tests of the miner share: the packaged abstracts, embedded once."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.abstracts import Abstracts, load_abstracts


@pytest.fixture(scope="session")
def abstracts_cache(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that outlives the run where pytest keeps a cache; checksums guard it."""
    if pytestconfig.pluginmanager.has_plugin("cacheprovider"):
        return pytestconfig.cache.mkdir("abstracts")
    return tmp_path_factory.mktemp("abstracts")


@pytest.fixture(scope="session")
def abstracts(abstracts_cache: Path) -> Abstracts:
    """Return all packaged abstracts with their vectors: a minute of embedding the first time."""
    return load_abstracts(abstracts_cache)
