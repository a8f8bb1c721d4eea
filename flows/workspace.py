"""Where a run keeps its work: folders of shards, vectors and the journal inside DIR/.work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_cards import layout


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folders of one run; small enough to be passed to a task.

    Attributes:
        directory: The published data set.
        run: Name of the folder of run-specific shards; a preview uses its own and shares the
            corpus, the vectors and the journal with the real run.
    """

    directory: Path
    run: str = "stages"

    @property
    def work(self) -> Path:
        """Return DIR/.work."""
        return self.directory / layout.WORK

    @property
    def vectors(self) -> Path:
        """Return the folder of all vectors."""
        return self.work / "vectors"

    @property
    def indexes(self) -> Path:
        """Return the folder of indexes that are kept, of miners and approximate ones."""
        return self.work / "indexes"

    @property
    def journal(self) -> Path:
        """Return the request journal."""
        return self.work / "journal.sqlite"

    def shared(self, stage: str, shard: str) -> Path:
        """Return the folder of a shard that previews and runs share."""
        return self.work / "corpus" / stage / shard

    def shard(self, stage: str, shard: str) -> Path:
        """Return the folder of a shard of this run."""
        return self.work / self.run / stage / shard
