"""What a model's name in a configuration stands for: where its files are, and what pins them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sdg.errors import ConfigError
from sdg.llm.packaged_weights import PREFIX, ensure_model, packaged_revision
from sdg.model_content import folder_digest, hub_commit


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model whose content is pinned.

    Attributes:
        source: A folder, or a hub name.
        commit: The hub commit to load, or None for a folder.
        revision: What pins the weights, for fingerprints and the data card.
    """

    source: str
    commit: str | None
    revision: str


def resolve_model(model: str, revision: str | None) -> ResolvedModel:
    """Return where the files of `model` are and what pins them.

    Args:
        model: "packaged:<name>", a folder, or a hub name such as "Qwen/Qwen3-8B".
        revision: Hub: a branch, tag or commit (None: "main"). Folder: the caller's word for its
            content; None reads every byte of the folder once.

    Raises:
        ConfigError: If a packaged model is given a revision, or the name cannot be one.
        BackendError: If the hub does not tell the commit, or a package is missing.
    """
    if model.startswith(PREFIX):
        if revision is not None:
            raise ConfigError(
                "`model_revision` must be left out for a packaged model, whose package pins it, "
                f"but is {revision!r} instead. Remove the key."
            )
        folder = ensure_model(model)
        return ResolvedModel(str(folder), None, packaged_revision(folder))
    folder = Path(model).expanduser()
    if folder.is_dir():
        return ResolvedModel(str(folder), None, revision or folder_digest(folder))
    if model.startswith((".", "/", "~")) or model.count("/") != 1:
        raise ConfigError(
            "`model` must be 'packaged:<name>', an existing folder, or a hub name of the form "
            f"'owner/name', but is {model!r} instead. Correct the name or the path."
        )
    commit = hub_commit(model, revision or "main")
    return ResolvedModel(model, commit, commit)
