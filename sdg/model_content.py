"""What pins a model's weights: the digest of a folder's files, or a commit of the hub."""

from __future__ import annotations

import re
from pathlib import Path

from sdg import store
from sdg.errors import BackendError
from sdg.ids import fingerprint

_COMMIT = re.compile(r"[0-9a-f]{40}")


def folder_digest(folder: Path) -> str:
    """Return "folder-sha256:<64 digits>" of every file's name and content, read once."""
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    content = [[path.relative_to(folder).as_posix(), store.sha256_of(path)] for path in files]
    return f"folder-sha256:{fingerprint(content)}"


def hub_commit(model: str, revision: str) -> str:
    """Return the commit that a branch, tag or commit of a hub model stands for.

    A full commit (40 hex digits) is returned without asking the hub.

    Raises:
        BackendError: If the hub does not tell.
    """
    if _COMMIT.fullmatch(revision):
        return revision
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        commit = HfApi().model_info(model, revision=revision).sha
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError) as error:
        raise BackendError(
            f"The hub must tell the commit of {model!r} at {revision!r}, but asking gave: {error}. "
            "Give `model_revision` as the full commit (40 hex digits) to work without asking, or "
            "`model` as a folder.",
            retryable=True,
        ) from error
    if commit is None:
        raise BackendError(f"The hub must tell the commit of {model!r}, but gave none. Give it.")
    return commit
