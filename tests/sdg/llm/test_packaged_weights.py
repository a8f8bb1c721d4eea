from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sdg import store
from sdg.errors import BackendError, ConfigError, UnknownNameError
from sdg.llm import ENGINES, packaged_weights
from sdg.llm.model_revision import resolve_model
from sdg.llm.packaged_weights import MODELS, PackagedModel, cache_folder, ensure_model

NAME = "packaged:smollm2-135m-instruct"


@pytest.fixture
def quick_conversion(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """Replaces the conversion by a copy of nothing; returns the list of files converted."""
    converted: list[Path] = []

    def convert(source: Path, folder: Path) -> None:
        converted.append(source)
        (folder / "model.safetensors").write_bytes(b"weights")

    monkeypatch.setenv("PAIRMILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(packaged_weights, "_convert", convert)
    return converted


def test_cache_folder_takes_the_first_of_three_places() -> None:
    both = {"PAIRMILL_CACHE": "/a", "XDG_CACHE_HOME": "/b"}
    assert cache_folder(both) == Path("/a")
    assert cache_folder({"XDG_CACHE_HOME": "/b"}) == Path("/b/pairmill")
    assert cache_folder({}) == Path.home() / ".cache" / "pairmill"


def test_a_model_is_converted_once_and_keyed_by_version_and_content(
    quick_conversion: list[Path],
) -> None:
    folder = ensure_model(NAME)
    assert ensure_model(NAME) == folder
    assert len(quick_conversion) == 1
    digest = store.sha256_of(quick_conversion[0])
    assert folder.name == f"smollm2-135m-instruct-0.1.2-{digest[:16]}"
    assert resolve_model(NAME, None).revision == f"gguf-sha256:{digest}"
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name]


def test_a_conversion_that_breaks_leaves_no_folder(
    quick_conversion: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(source: Path, folder: Path) -> None:
        (folder / "half").write_bytes(b"x")
        raise BackendError("broken")

    monkeypatch.setattr(packaged_weights, "_convert", broken)
    with pytest.raises(BackendError, match="broken"):
        ensure_model(NAME)
    assert list((tmp_path / "cache" / "models").iterdir()) == []


def test_the_slower_of_two_conversions_takes_the_faster_ones_folder(
    quick_conversion: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    convert = packaged_weights._convert

    def overtaken(source: Path, folder: Path) -> None:
        monkeypatch.setattr(packaged_weights, "_convert", convert)
        ensure_model(NAME)
        convert(source, folder)

    monkeypatch.setattr(packaged_weights, "_convert", overtaken)
    folder = ensure_model(NAME)
    assert len(quick_conversion) == 2
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_wrong_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=NAME):
        ensure_model("smollm2-135m-instruct")
    with pytest.raises(UnknownNameError, match=NAME):
        ensure_model("packaged:gpt-9")


def test_a_package_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"ghost": PackagedModel("no_such_package", "no-such", "x.gguf")}
    monkeypatch.setattr(packaged_weights, "MODELS", known)
    with pytest.raises(BackendError, match=r"pairmill\[cpu\]"):
        ensure_model("packaged:ghost")


def test_a_packaged_model_takes_no_revision() -> None:
    with pytest.raises(ConfigError, match="model_revision"):
        resolve_model(NAME, "main")


def test_a_folders_revision_follows_its_content_and_not_its_place(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}", encoding="utf-8")
    first, second = (resolve_model(str(tmp_path / name), None) for name in "ab")
    assert first.revision == second.revision
    (tmp_path / "b" / "config.json").write_text("{ }", encoding="utf-8")
    assert resolve_model(str(tmp_path / "b"), None).revision != first.revision
    assert resolve_model(str(tmp_path / "b"), "mine").revision == "mine"


@pytest.mark.parametrize("name", ["./missing", "/no/such/folder", "just-a-name"])
def test_a_model_that_can_be_nothing_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="model"):
        resolve_model(name, None)


def test_a_hub_commit_needs_no_hub() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    resolved = resolve_model("owner/name", commit)
    assert (resolved.source, resolved.commit, resolved.revision) == ("owner/name", commit, commit)


def test_vllm_identity_names_what_decides_and_not_what_only_changes_speed() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    base = {"engine": "vllm", "model": "owner/name", "model_revision": commit}
    plain = ENGINES.build(base).identity()
    speed = {"max_num_seqs": 8, "block_size": 16, "memory_share": 0.5, "enforce_eager": True}
    assert ENGINES.build({**base, **speed}).identity() == plain
    for change in (
        {"model": "owner/other"},
        {"model_revision": commit[::-1]},
        {"dtype": "float16"},
        {"max_model_len": 512},
    ):
        assert ENGINES.build({**base, **change}).identity() != plain, change


def test_importing_the_engines_imports_no_model_library() -> None:
    code = (
        "import sys; from sdg.llm import ENGINES; list(ENGINES); "
        "print(sorted({'torch', 'vllm', 'transformers'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_every_packaged_model_is_named_in_lower_case() -> None:
    assert list(MODELS) == [name.lower() for name in MODELS]
