"""Settings of the assemble stage."""

from __future__ import annotations

import math
import re

from pydantic import Field, model_validator

from sdg.part import Part

_SPLIT_NAME = re.compile(r"[a-z][a-z0-9_]*")


class AssembleConfig(Part):
    """How rows become files.

    Attributes:
        splits: Split name -> share of the groups, in (0, 1], together 1. Two splits (own): what a
            trainer asks for; a third for testing is an option (0.8/0.1/0.1, Nemotron data
            designer plug-in), but search is better judged on an evaluation set of its own.
        seed: Decides which group falls into which split.
        max_shard_bytes: Upper bound of a file's uncompressed content, so that the compressed file
            stays below it. 512 MiB (own). A single row above it gets a file of its own.
    """

    splits: dict[str, float] = Field(default={"train": 0.9, "validation": 0.1})
    seed: int = 0
    max_shard_bytes: int = Field(default=512 * 2**20, ge=1)

    @model_validator(mode="after")
    def _check_splits(self) -> AssembleConfig:
        shares = list(self.splits.values())
        if not shares or min(shares) <= 0 or not math.isclose(sum(shares), 1, abs_tol=1e-9):
            raise ValueError(
                f"`splits` must have positive shares that sum to 1, but is {self.splits} instead. "
                "Leave out a split that should be empty."
            )
        bad = [name for name in self.splits if not _SPLIT_NAME.fullmatch(name)]
        if bad:
            raise ValueError(
                f"`splits` must have names of a-z, 0-9 and _, but has {bad} instead. "
                "The names become file names and Hugging Face splits."
            )
        return self
