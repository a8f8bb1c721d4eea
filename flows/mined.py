"""The finished stages of `pairmill mine`, as publishing reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flows.mine_judging import Judged
from sdg.shards import Shard


class Others(NamedTuple):
    """What miners beside the encoder did.

    Attributes:
        proposed: One for each shard of queries; None where there are no miners.
        prepared: What the miners made of the corpus, likewise.
        recall: What approximate indexes find, if there is one.
    """

    proposed: Sequence[Shard | None]
    prepared: Shard | None
    recall: Shard | None


class Mined(NamedTuple):
    """The shards that publishing reads.

    Attributes:
        corpus: read_corpus.
        pairs: Of all pairs: what was rejected, and counts.
        added: Documents that only the pairs know.
        parts: Queries and positives.
        negatives: mine, one for each of `parts`.
        judged: The rows after judging.
        embedded: embed.
        others: Other miners.
    """

    corpus: Sequence[Shard]
    pairs: Shard
    added: Shard
    parts: Sequence[Shard]
    negatives: Sequence[Shard]
    judged: Judged
    embedded: Sequence[Shard]
    others: Others

    @property
    def stopping(self) -> list[Shard]:
        """Return the shards whose table rejected holds queries."""
        return [*self.negatives, *self.judged.judged]
