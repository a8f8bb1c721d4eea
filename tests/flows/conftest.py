"""One Prefect home and one finished small data set for all tests of flows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.small import settings, write_config, write_corpus


@pytest.fixture(scope="session", autouse=True)
def use_prefect(prefect_home: Path) -> None:
    """Run every test here against the test server."""


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a JSONL corpus of 90 invented documents in three languages."""
    return write_corpus(tmp_path_factory.mktemp("corpus") / "towns.jsonl")


@pytest.fixture(scope="session")
def small_config(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the configuration of the small run."""
    return write_config(tmp_path_factory.mktemp("config") / "small.yaml", settings(small_corpus))


@pytest.fixture(scope="session")
def small_data_set(small_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished small data set."""
    from flows.build import run_build

    directory = tmp_path_factory.mktemp("out") / "small"
    run_build(small_config, directory)
    return directory
