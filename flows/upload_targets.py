"""Where a finished directory can be uploaded to: any fsspec URL, or a data set on the hub."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sdg.errors import BackendError, ConfigError

_HUB = re.compile(r"hf://datasets/([\w.-]+/[\w.-]+)/?")
_CREDENTIALS = re.compile(r"(?<=//)[^/?#\s]*@")
_PIECE_BYTES = 8 * 1024 * 1024
# Written by the hub itself into every repository.
HUB_OWN_FILES = frozenset({".gitattributes"})


class LocalFile(NamedTuple):
    """A file to upload.

    Attributes:
        path: Relative to the directory, with forward slashes.
        local: Where it lies.
        bytes: Its size.
        sha256: Of its bytes.
    """

    path: str
    local: Path
    bytes: int
    sha256: str


class Target(Protocol):
    """A place to upload to. Every method may raise BackendError."""

    def listing(self) -> dict[str, int]:
        """Return path -> size of every file there; {} if the place does not exist yet."""

    def holds(self, file: LocalFile) -> bool:
        """Return whether the file there has the same bytes, by a checksum of what is there."""

    def remove(self, path: str) -> None:
        """Remove a file."""

    def put(self, files: Sequence[LocalFile], advance: Callable[[int], None]) -> None:
        """Upload files in this order; `advance` is told the bytes of each that is done."""


class FileSystemTarget:
    """A folder of any file system that fsspec knows: s3://, gs://, file://, memory:// and others.

    Checksums are of the bytes read back, because no two object stores compute the same one.
    """

    def __init__(self, url: str) -> None:
        import fsspec

        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ConfigError(
                "`TARGET` must be a URL of a file system that fsspec can open, but "
                f"{without_credentials(url)!r} gives: {without_credentials(str(error))}. "
                "Install the package it names, or correct the URL."
            ) from error
        self._root = self._root.rstrip("/")

    def listing(self) -> dict[str, int]:
        """Return path -> size of every file in the folder."""
        try:
            found = self._files.find(self._root, detail=True)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise _failed("list", self._root, error) from error
        start = len(self._root) + 1
        return {name[start:]: int(entry["size"]) for name, entry in sorted(found.items())}

    def holds(self, file: LocalFile) -> bool:
        """Return whether the bytes there, read back, are the file's."""
        digest = hashlib.sha256()
        try:
            with self._files.open(self._place(file.path), "rb") as handle:
                while piece := handle.read(_PIECE_BYTES):
                    digest.update(piece)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _failed("read back", file.path, error) from error
        return digest.hexdigest() == file.sha256

    def remove(self, path: str) -> None:
        """Remove a file."""
        try:
            self._files.rm_file(self._place(path))
        except OSError as error:
            raise _failed("remove", path, error) from error

    def put(self, files: Sequence[LocalFile], advance: Callable[[int], None]) -> None:
        """Upload one file after the other."""
        for file in files:
            place = self._place(file.path)
            try:
                self._files.makedirs(place.rsplit("/", 1)[0], exist_ok=True)
                self._files.put_file(str(file.local), place)
            except OSError as error:
                raise _failed("write", file.path, error) from error
            advance(file.bytes)

    def _place(self, path: str) -> str:
        return f"{self._root}/{path}"


class HubTarget:
    """A data set repository on the Hugging Face hub.

    All files go up in one commit, so a reader sees all or none of them. Files that the hub holds
    already are not sent again by its own protocol. Not yet run against the hub itself: the tests
    put a stand-in in the place of `api`.
    """

    def __init__(self, repository: str, *, public: bool, api: Any = None) -> None:  # noqa: ANN401
        from huggingface_hub import HfApi, errors

        api = HfApi() if api is None else api
        # No connection, as the HTTP client says it that the hub's library uses: no OSError.
        no_answer: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
        self._failures = (no_answer, OSError, ValueError)
        self._repository = repository
        self._public = public
        self._api = api
        self._entries: dict[str, Any] = {}

    def listing(self) -> dict[str, int]:
        """Return path -> size of every file but the hub's own."""
        where = {"repo_id": self._repository, "repo_type": "dataset"}
        try:
            if not self._api.repo_exists(**where):
                return {}
            entries = list(self._api.list_repo_tree(**where, recursive=True))
        except self._failures as error:
            raise _failed("list", self._repository, error) from error
        # Folders have no size.
        self._entries = {e.path: e for e in entries if hasattr(e, "size")}
        return {p: e.size for p, e in self._entries.items() if p not in HUB_OWN_FILES}

    def holds(self, file: LocalFile) -> bool:
        """Return whether the hub's checksum, as of the last listing, is the file's."""
        entry = self._entries.get(file.path)
        if entry is None:
            return False
        if getattr(entry, "lfs", None) is not None:
            return bool(entry.lfs.sha256 == file.sha256)
        # Small files lie in git itself, which hashes a header with the bytes.
        data = file.local.read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
        return bool(entry.blob_id == blob.hexdigest())

    def remove(self, path: str) -> None:
        """Do nothing: one commit replaces the old files by the new ones."""

    def put(self, files: Sequence[LocalFile], advance: Callable[[int], None]) -> None:
        """Upload all files in one commit, into a private repository unless told otherwise."""
        from huggingface_hub import CommitOperationAdd

        where = {"repo_id": self._repository, "repo_type": "dataset"}
        adds = [CommitOperationAdd(file.path, str(file.local)) for file in files]
        try:
            self._api.create_repo(**where, private=not self._public, exist_ok=True)
            self._api.create_commit(**where, operations=adds, commit_message="Upload with Pairmill")
        except self._failures as error:
            raise _failed("write", self._repository, error) from error
        advance(sum(file.bytes for file in files))


def without_credentials(text: str) -> str:
    """Return a URL, or a message that holds some, with user and password masked: `//***@host`."""
    return _CREDENTIALS.sub("***@", text)


def open_target(url: str, *, public: bool) -> Target:
    """Return the place that a URL names.

    Raises:
        ConfigError: If it names none, or its file system's package is missing.
    """
    if url.startswith("hf://"):
        match = _HUB.fullmatch(url)
        if match is None:
            raise ConfigError(
                f"`TARGET` on the hub must be hf://datasets/OWNER/NAME, but is "
                f"{without_credentials(url)!r} instead. "
                "Correct the URL."
            )
        return HubTarget(match[1], public=public)
    if "://" not in url:
        raise ConfigError(
            f"`TARGET` must be a URL (s3://…, file:///…, hf://datasets/OWNER/NAME), but is "
            f"{without_credentials(url)!r} instead. For a local folder write "
            "file:// before its absolute path."
        )
    return FileSystemTarget(url)


def _failed(what: str, where: str, error: Exception) -> BackendError:
    return BackendError(
        f"The target must let us {what} `{without_credentials(where)}`, but answers: "
        f"{without_credentials(str(error))}. Check your rights and the "
        "network and run the command again: files that are there are not sent again.",
        retryable=True,
    )
