"""Models that sentence-transformers loads: opening them, and what pins their weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from sdg.errors import BackendError, ConfigError, missing_package
from sdg.model_content import folder_digest

# A fast tokenizer keeps some 200 bytes for each token until its call returns: a shard of 10^5 pairs
# would hold gigabytes.
_TEXTS_AT_ONCE = 256

_NAMES = {"SentenceTransformer": "sentence-transformers model", "CrossEncoder": "cross-encoder"}


class ModelSettings(Protocol):
    """What both kinds of models are configured by."""

    @property
    def model(self) -> str:
        """Name on the hub, or a folder."""

    @property
    def model_revision(self) -> str | None:
        """Commit, tag or branch on the hub; None takes the newest."""

    @property
    def dtype(self) -> str:
        """Of the weights: "float32", "float16", "bfloat16"."""

    @property
    def device(self) -> str:
        """As PyTorch writes it: "cpu", "cuda", "cuda:1"."""

    @property
    def trust_remote_code(self) -> bool:
        """Whether Python code that comes with the model is run."""


def load_model(  # the library is imported on demand, so its types are not known here
    kind: Literal["SentenceTransformer", "CrossEncoder"],
    settings: ModelSettings,
    **options: object,
) -> Any:  # noqa: ANN401
    """Return the loaded model.

    Args:
        kind: The library's class.
        settings: Which model, where.
        options: More arguments of that class.

    Raises:
        ConfigError: If the model is a path, and there is no folder.
        BackendError: If the package, the model or the device is missing.
    """
    if settings.model.startswith((".", "/", "~")) and not Path(settings.model).is_dir():
        raise ConfigError(
            f"`model` must be an existing folder or a name on the hub, but {settings.model!r} is "
            "no folder. Correct the path."
        )
    try:
        import sentence_transformers
        import torch
    except ImportError as error:
        raise missing_package("sentence-transformers", "cpu", f"A {_NAMES[kind]}") from error
    if settings.device.startswith("cuda") and not torch.cuda.is_available():
        raise BackendError(
            f"`device` must be one of this machine, but is {settings.device!r} and PyTorch sees "
            "no CUDA device. Set `device: cpu`, or run where the GPU is."
        )
    try:
        return getattr(sentence_transformers, kind)(
            settings.model,
            revision=settings.model_revision,
            device=settings.device,
            trust_remote_code=settings.trust_remote_code,
            model_kwargs={"dtype": getattr(torch, settings.dtype)},
            **options,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise BackendError(
            f"`model` must be a {_NAMES[kind]}, but loading {settings.model!r} gave: {error}. "
            "Check the name, the folder, and access to the hub."
        ) from error


def are_longer(
    tokenizer: Any,  # noqa: ANN401 - the library's
    inputs: Sequence[str] | Sequence[list[str]],
    limit: int,
) -> list[bool]:
    """Return whether each text, or pair of texts, has more than `limit` tokens with special ones.

    Args:
        tokenizer: Of transformers.
        inputs: What the model would read; [] gives [].
        limit: Tokens that it reads.
    """
    longer: list[bool] = []
    for start in range(0, len(inputs), _TEXTS_AT_ONCE):
        tokens = tokenizer(
            inputs[start : start + _TEXTS_AT_ONCE],
            truncation=False,
            verbose=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        longer += [len(ids) > limit for ids in tokens["input_ids"]]
    return longer


def revision_of(settings: ModelSettings, model_config: Callable[[], Any]) -> str:
    """Return the commit of a hub model, or the hash of a folder's files.

    Args:
        settings: Which model.
        model_config: Returns the transformers configuration of the loaded model, or None.

    Raises:
        BackendError: If a hub model's commit is not known.
    """
    folder = Path(settings.model)
    if folder.is_dir():
        return folder_digest(folder)
    commit = getattr(model_config(), "_commit_hash", None) or settings.model_revision
    if commit is None:
        raise BackendError(
            f"`model` must have a known commit, but {settings.model!r} gives none. Name it with "
            "`model_revision`, or give a folder."
        )
    return str(commit)
