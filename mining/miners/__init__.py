"""Miners beside the encoder that the data set is built with, one per file.

    documents ─► prepare (once per corpus) ─► an index or vectors on disk
    queries   ─► propose (per shard)       ─► Proposals: rows, in the miner's own order and scale

What several miners propose is joined by `mining.merge`; `mining.mine` scores it with the encoder,
so that the bounds relative to the positive hold for every candidate, whoever proposed it. (BM25
negatives taken as they come were worse than random ones in NV-Retriever, arXiv 2407.15831, where
two miners also agreed on less than 30 % of their first four, and four together gave a small gain.)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from mining.corpus import CorpusView
from mining.proposals import Proposals
from mining.recall import Recall
from sdg.errors import ContractError
from sdg.part import Plugin
from sdg.registry import Registry

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class CorpusFiles:
    """A corpus on disk, and where miners keep what they make of it.

    Attributes:
        documents: DOCUMENTS Parquet files, in the order of the rows of the `CorpusView`.
        fingerprint: Of the content of all of them, in their order.
        vectors: Folder of all vectors; see `mining.vectors`.
        indexes: Folder of all other indexes.
    """

    documents: tuple[Path, ...]
    fingerprint: str
    vectors: Path
    indexes: Path


class Miner(Plugin):
    """Proposes documents for queries.

    Attributes:
        top_k: Documents proposed per query; 100 is E5-Mistral's.
    """

    top_k: int = Field(default=100, ge=1)

    @property
    @abstractmethod
    def source(self) -> str:
        """Name of the miner in tables and cards."""

    def revision(self) -> str:
        """Return what pins weights or data that are not settings; "" if there are none."""
        return ""

    def check(self) -> None:
        """Check that the device of its search is there, before anything is embedded for it.

        Raises:
            BackendError: If it is not.
        """

    @abstractmethod
    def prepare(self, files: CorpusFiles, on_progress: Progress | None = None) -> Mapping[str, int]:
        """Make what is missing to propose documents of this corpus.

        May be called by several processes at once, and again: what is there and whole is kept.

        Args:
            files: The corpus.
            on_progress: Called with the number of documents done since the last call.

        Returns:
            Counts for the manifest: `documents_truncated`, if the miner cuts texts.

        Raises:
            DataError: If a file cannot be read.
            BackendError: If what the miner needs is missing.
        """

    @abstractmethod
    def propose(self, texts: Sequence[str], corpus: CorpusView, files: CorpusFiles) -> Proposals:
        """Return the documents found for Q queries; `prepare` was called before.

        Args:
            texts: Q queries.
            corpus: The documents of `files`; its order of ids decides between equal scores.
            files: As given to `prepare`.

        Returns:
            Q rows in the order of `texts`, at most `top_k` wide.
        """

    @property
    def approximate_index(self) -> str | None:
        """Name of the index, if one is used that may miss documents; the default is none."""
        return None

    def measure_recall(self, texts: Sequence[str], files: CorpusFiles) -> Recall:
        """Return how much of the exact result the approximate index finds for Q queries.

        Raises:
            ContractError: If this miner uses none.
        """
        del texts, files
        raise ContractError(
            f"Recall must be asked of a miner with an approximate index, but {self.source!r} has "
            "none."
        )

    def count_truncated(self, texts: Sequence[str]) -> int:
        """Return how many queries the miner reads only the beginning of; the default is none."""
        del texts
        return 0


MINERS: Registry[Miner] = Registry("miner", "mining.miners")
