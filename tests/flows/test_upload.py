"""What goes up, in which order, and what stops it."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import fsspec
import pytest
from huggingface_hub import errors
from typer.testing import CliRunner

from flows.audit_hub import fetch
from flows.cli import app
from flows.export import export_data_set
from flows.upload import list_files, send, upload
from flows.upload_targets import (
    FileSystemTarget,
    HubTarget,
    LocalFile,
    open_target,
    without_credentials,
)
from sdg.corpus.hub import HubRows
from sdg.errors import BackendError, ConfigError, DataError
from tests.data_cards import tiny

YES = {"yes": True, "accept_licences": True}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tiny.write_data_set(tmp_path / "tiny")
    (directory / ".work").mkdir()
    (directory / ".work/journal.sqlite").write_text("secret")
    (directory / "notes.txt").write_text("not in the manifest")
    return directory


@pytest.fixture
def memory() -> Iterator[str]:
    url = "memory://bucket/tiny"
    yield url
    files = fsspec.filesystem("memory")
    if files.exists("/bucket"):
        files.rm("/bucket", recursive=True)


def _there(url: str) -> dict[str, bytes]:
    files, root = fsspec.core.url_to_fs(url)
    return {name[len(root) + 1 :]: files.cat_file(name) for name in files.find(root)}


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_published_files_and_no_others_arrive_whole(
    source: Path, tmp_path: Path, memory: str, kind: str
) -> None:
    url = memory if kind == "memory" else f"file://{tmp_path}/up/there"
    upload(source, url, **YES)
    listed = [*json.loads((source / "manifest.json").read_text())["files"]]
    expected = {*listed, "README.md", "croissant.json", "manifest.json"}
    assert _there(url) == {name: (source / name).read_bytes() for name in expected}


def test_nothing_leaves_without_both_words(source: Path, memory: str) -> None:
    assert upload(source, memory).was_dry_run
    with pytest.raises(ConfigError, match=r"tiny: cc-by-sa-4.0.*Unknown: model tiny-writer"):
        upload(source, memory, yes=True)
    assert upload(source, memory, accept_licences=True).was_dry_run
    assert _there(memory) == {}


def test_the_manifest_goes_last(source: Path) -> None:
    assert [file.path for file in list_files(source).files][-2:] == ["README.md", "manifest.json"]


def test_a_run_that_was_cut_off_sends_only_the_rest(source: Path, memory: str) -> None:
    files = list_files(source).files
    place = FileSystemTarget(memory)
    place.put(files[:2], lambda _: None)
    # Cut off in the middle of the third file, with the right size and wrong bytes.
    fsspec.filesystem("memory").pipe(f"/bucket/tiny/{files[2].path}", b"x" * files[2].bytes)
    sent = upload(source, memory, **YES).sent
    assert sent == tuple(file.path for file in files[2:])
    assert upload(source, memory, **YES).sent == ()


def test_an_old_manifest_is_gone_before_new_files_arrive(source: Path, memory: str) -> None:
    files = list_files(source).files
    store = fsspec.filesystem("memory")
    store.pipe("/bucket/tiny/manifest.json", b"{}")

    class Failing(FileSystemTarget):
        def put(self, files: Any, advance: Any) -> None:
            super().put(files[:1], advance)
            raise BackendError("the network is down")

    with pytest.raises(BackendError, match="down"):
        send(files, Failing(memory))
    assert list(_there(memory)) == [files[0].path]


def test_a_target_with_other_files_is_refused_untouched(source: Path, memory: str) -> None:
    stale = "/bucket/tiny/data/train-00001-of-00002.parquet"
    fsspec.filesystem("memory").pipe(stale, b"old")
    with pytest.raises(ConfigError, match=r"1 other files.*train-00001"):
        upload(source, memory, **YES)
    assert list(_there(memory)) == ["data/train-00001-of-00002.parquet"]


def test_a_target_that_changes_bytes_is_found_out(source: Path, memory: str) -> None:
    class Careless(FileSystemTarget):
        def put(self, files: Any, advance: Any) -> None:
            super().put(files, advance)
            self._files.pipe(f"{self._root}/{files[0].path}", b"y" * files[0].bytes)

    with pytest.raises(BackendError, match="checksum"):
        send(list_files(source).files, Careless(memory))


def test_a_damaged_directory_is_refused(source: Path, memory: str) -> None:
    next((source / "data").iterdir()).unlink()
    with pytest.raises(DataError):
        upload(source, memory)


def test_an_export_goes_up_with_its_record_last(source: Path, memory: str) -> None:
    (source / "notes.txt").unlink()
    out = export_data_set(source, "beir", source.parent / "out").directory
    sent = upload(out, memory, **YES).sent
    assert sent[-2:] == ("README.md", "export.json")
    assert "corpus.jsonl" in sent


def test_an_export_that_lists_files_elsewhere_is_refused(source: Path, memory: str) -> None:
    out = export_data_set(source, "beir", source.parent / "out").directory
    (source.parent / "private").write_text("key")
    record = json.loads((out / "export.json").read_text())
    record["files"]["../private"] = {"sha256": "0" * 64, "bytes": 3, "lines": 1}
    (out / "export.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="private"):
        upload(out, memory)


@pytest.mark.parametrize("url", ["/somewhere", "hf://models/a/b", "nosuch://a", "hf://datasets/a"])
def test_a_target_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="TARGET"):
        open_target(url, public=False)


class Hub:
    """Stands in for the hub's API: keeps what a commit brings, as the hub would name it."""

    def __init__(self, *, exists: bool = False) -> None:
        self.exists = exists
        self.private: bool | None = None
        self.commits: list[list[str]] = []
        self.files: dict[str, bytes] = {".gitattributes": b"*"} if exists else {}

    def repo_exists(self, repo_id: str, repo_type: str) -> bool:
        assert (repo_id, repo_type) == ("me/pairs", "dataset")
        return self.exists

    def create_repo(self, repo_id: str, repo_type: str, *, private: bool, exist_ok: bool) -> None:
        self.exists, self.private = True, private
        self.files.setdefault(".gitattributes", b"*")

    def create_commit(
        self, repo_id: str, repo_type: str, operations: list[Any], commit_message: str
    ) -> None:
        self.commits.append([o.path_in_repo for o in operations])
        for operation in operations:
            self.files[operation.path_in_repo] = Path(operation.path_or_fileobj).read_bytes()

    def list_repo_tree(self, repo_id: str, repo_type: str, *, recursive: bool) -> Iterator[Any]:
        yield SimpleNamespace(path="data")
        for path, data in self.files.items():
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
            big = SimpleNamespace(sha256=hashlib.sha256(data).hexdigest())
            lfs = big if path.endswith(".parquet") else None
            yield SimpleNamespace(path=path, size=len(data), blob_id=blob, lfs=lfs)


def _files(source: Path) -> tuple[LocalFile, ...]:
    return list_files(source).files


def test_the_hub_gets_one_private_commit_and_nothing_twice(source: Path) -> None:
    hub = Hub()
    target = HubTarget("me/pairs", public=False, api=hub)
    sent = send(_files(source), target)
    assert hub.commits == [list(sent)]
    assert hub.private is True
    assert send(_files(source), target) == ()
    hub.files["README.md"] = b"#" * len(hub.files["README.md"])
    assert send(_files(source), target) == ("README.md",)


def test_what_the_hub_answers_is_passed_on(source: Path) -> None:
    class Down(Hub):
        def create_commit(self, *_: Any, **__: Any) -> None:
            raise OSError("503 of the hub")

    with pytest.raises(BackendError, match="503"):
        send(_files(source), HubTarget("me/pairs", public=False, api=Down()))


def _no_connection() -> Exception:
    """Return the error of the HTTP client that the hub's library uses, whichever that is."""
    error: Exception = sys.modules[errors.HTTPError.__module__].ConnectError("no route")  # type: ignore[attr-defined]
    assert not isinstance(error, OSError)
    return error


@pytest.mark.parametrize("method", ["repo_exists", "list_repo_tree", "create_commit"])
def test_a_hub_that_cannot_be_reached_is_a_failure_of_the_backend(
    source: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise _no_connection()

    hub = Hub(exists=True)
    monkeypatch.setattr(hub, method, unreachable)
    with pytest.raises(BackendError, match="no route"):
        send(_files(source), HubTarget("me/pairs", public=False, api=hub))


def test_an_audit_of_a_hub_that_cannot_be_reached_is_a_failure_of_the_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise _no_connection()

    monkeypatch.setattr(HubRows, "content_identity", lambda _: {"commit": "abc"})
    monkeypatch.setattr(datasets, "get_dataset_split_names", unreachable)
    with pytest.raises(BackendError, match="no route"):
        fetch("me/pairs", "", "", tmp_path)


def test_the_command_is_a_dry_run_with_every_licence(source: Path, memory: str) -> None:
    shown = CliRunner().invoke(app, ["publish", str(source), memory])
    assert shown.exit_code == 0
    text = " ".join(shown.stdout.split())
    assert "Dry run: nothing was sent" in text
    assert "whoever writes" in text
    assert "model tiny-writer" in text
    assert ".work" not in text
    assert _there(memory) == {}


def test_passwords_in_a_target_are_never_shown(source: Path) -> None:
    url = "memory://me:s3cret@host/tiny"
    outcome = upload(source, url)
    assert outcome.to_json()["target"] == "memory://***@host/tiny"
    for arguments in (["--json"], []):
        shown = CliRunner().invoke(app, ["publish", str(source), url, *arguments])
        assert shown.exit_code == 0
        assert "s3cret" not in shown.output
    for wrong in ("nosuch://me:s3cret@host/a", "hf://me:s3cret@datasets/a"):
        with pytest.raises(ConfigError) as caught:
            open_target(wrong, public=False)
        assert "s3cret" not in str(caught.value)
    assert without_credentials("s3://bucket/a@b") == "s3://bucket/a@b"
