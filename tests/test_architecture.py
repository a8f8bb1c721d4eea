"""The structure holds: imports go one way, and what a folder promises is true of every file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("flows", "data_cards", "mining", "sdg", "prompts")


def _modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_imports_go_one_way() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert "3 kept, 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("package", "homes"),
    [
        ("bm25s", {"mining/miners/bm25_index.py"}),
        ("faiss", {"mining/indexes/faiss_library.py"}),
        ("lingua", {"sdg/language.py"}),
        (
            "vllm",
            {
                "sdg/llm/vllm_core.py",
                "sdg/llm/vllm_engine.py",
                "mining/encoders/vllm_pooling.py",
            },
        ),
        ("aiohttp", {"sdg/llm/http_pool.py"}),
        ("sqlite3", {"sdg/llm/journal_file.py"}),
    ],
)
def test_a_heavy_library_is_imported_in_its_own_file_only(package: str, homes: set[str]) -> None:
    users = {str(p.relative_to(ROOT)) for p in _modules() if package in _imports(p)}
    assert users
    assert users <= homes


def test_only_the_store_writes_parquet() -> None:
    writers = {
        str(path.relative_to(ROOT))
        for path in _modules()
        if re.search(r"\b(write_table|write_parquet)\(", path.read_text(encoding="utf-8"))
        and "store.write_parquet(" not in path.read_text(encoding="utf-8")
    }
    assert writers == {"sdg/store.py"}


def test_no_library_imports_models_when_it_is_imported() -> None:
    """The command line must answer at once: heavy libraries load when they are needed."""
    code = (
        "import sys, flows.config, data_cards.verify\n"
        "heavy = {'torch', 'vllm', 'faiss', 'bm25s', 'prefect', 'datasets', 'lingua'}\n"
        "heavy |= {'transformers'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_no_module_is_named_after_nothing() -> None:
    banned = {"utils", "helpers", "common", "misc", "manager"}
    assert {p.stem for p in _modules()} & banned == set()


def test_the_top_level_holds_what_it_should() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    top = {name.split("/")[0] for name in tracked if not name.startswith(".")}
    assert top <= {
        *PACKAGES,
        "tests",
        "benchmarks",
        "pyproject.toml",
        "README.md",
        "Makefile",
        "prefect.yaml",
    }
