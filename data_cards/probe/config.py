"""The settings of `pairmill probe` and `pairmill eval-set`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

from pydantic import Field

from sdg.part import Part

STATIC = "static"

ArmName = Literal["none", "random", "naive", "percent", "judged"]


class ProbeConfig(Part):
    """How the encoder is trained and measured.

    Attributes:
        model: "static" (multilingual token vectors, seconds), "minilm" (English, minutes), or what
            sentence-transformers loads: a folder or a name on the hub.
        model_revision: Commit, tag or branch on the hub.
        query_prompt: Put before every query; None: the model's own.
        document_prompt: Put before every document; None: the model's own.
        device: "cpu", "cuda" ...; asking for one that is not there is an error.
        threads: Of PyTorch on the CPU; None leaves its choice. With 1 the same run gives the same
            result.
        arms: Which negatives to compare; "percent" or "judged" is left out where the data set does
            not have it.
        num_negatives: Beside every positive, in all arms but "none". 1 (own): with 4 a step costs
            twice the time, and negatives of all rows in the batch count anyway.
        batch_size: Rows of a step. 32 (own): small data sets still make a few steps.
        epochs: Decides the steps where `steps` is not given. None: 4 for "static" and 1 for
            transformers (own), which train four hundred rows a minute on two cores.
        steps: Of every arm.
        max_rows: Rows trained on at most; more are drawn by the seed and that is said. 20,000 (own)
            trains MiniLM for hours on a CPU and the static model for minutes.
        max_pool: Documents that "random" and "naive" choose from, at most. 20,000 (own).
        learning_rate: None: 5e-5 for transformers, the highest that BERT's authors advise, as the
            steps are few; 1e-2 for "static" (own), whose vectors are each touched rarely: on the
            demo's abstracts, with other evaluation queries than the documented ones, 5e-3 gained
            less and 5e-2 next to nothing.
        warmup_fraction: Of the steps, with a rising learning rate; it falls linearly afterwards.
            0.1 (sentence-transformers' examples).
        scale: Of cosines in the loss: 20, its default in sentence-transformers.
        max_tokens: Read of a text by a transformer, in training and evaluation. 128 (own) halves
            the time; how many texts are cut is recorded. None: the model's own limit.
        eval_split: The judgments read: qrels/<eval_split>.tsv.
        resamples: Of the bootstrap. 2,000 (own): the ends of an interval then move by less than a
            tenth of its width from one seed to another.
        near_jaccard: Documents that share more of their words count as equal: 0.8, as when mining.
        unjudged: The data set before it was judged, for the arm "percent" of a judged one: rows
            with the same `query_id` are compared.
        seed: Decides rows, batches, random negatives, weights and resamples.
    """

    model: str = STATIC
    model_revision: str | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    device: str = "cpu"
    threads: int | None = Field(default=None, ge=1)
    arms: tuple[ArmName, ...] = ("none", "random", "naive", "percent", "judged")
    num_negatives: int = Field(default=1, ge=1)
    batch_size: int = Field(default=32, ge=2)
    epochs: float | None = Field(default=None, gt=0)
    steps: int | None = Field(default=None, ge=1)
    max_rows: int = Field(default=20_000, ge=1)
    max_pool: int = Field(default=20_000, ge=2)
    learning_rate: float | None = Field(default=None, gt=0)
    warmup_fraction: float = Field(default=0.1, ge=0, le=1)
    scale: float = Field(default=20.0, gt=0)
    max_tokens: int | None = Field(default=128, ge=8)
    eval_split: str = Field(default="test", pattern=r"^[A-Za-z0-9_-]+$")
    resamples: int = Field(default=2000, ge=100)
    near_jaccard: float = Field(default=0.8, gt=0, le=1)
    unjudged: Path | None = None
    seed: int = 0

    @property
    def is_static(self) -> bool:
        """Return whether the model is the packaged one of token vectors."""
        return self.model == STATIC

    def settled(self) -> ProbeConfig:
        """Return these settings with what depends on the model filled in."""
        epochs, rate = (4.0, 1e-2) if self.is_static else (1.0, 5e-5)
        return self.model_copy(
            update={
                "epochs": self.epochs or epochs,
                "learning_rate": self.learning_rate or rate,
            }
        )

    def num_steps(self, num_rows: int) -> int:
        """Return the steps of every arm, for so many rows; of settled settings."""
        return self.steps or max(1, math.ceil((self.epochs or 1.0) * num_rows / self.batch_size))


class EvalSetConfig(Part):
    """What goes into an evaluation set of one's own.

    Attributes:
        kind: Which natural texts become queries, as the corpus' reader names them.
        queries: Wanted; the same number for every language as long as there are enough. 300 (own):
            Nemotron's guidance is 200 to 500.
        documents: Of the corpus, at least as many as queries. 2,000 (own): MiniLM reads them in
            about half a minute on two cores.
        min_words: Of a query. 3 (own): "French actress" stands for many articles.
        split: Name of the judgments' file.
        seed: Decides the choice.
    """

    kind: str = "description"
    queries: int = Field(default=300, ge=1)
    documents: int = Field(default=2000, ge=1)
    min_words: int = Field(default=3, ge=1)
    split: str = Field(default="test", pattern=r"^[A-Za-z0-9_-]+$")
    seed: int = 0
