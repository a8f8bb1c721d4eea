"""The stage of `pairmill bitext` that is its own: two searchable sides in, rows of pairs out.

read_corpus ─► embed_given ─► mine_sides          the first two once for each side
sentences      vectors        pairs by margin
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from flows.bitext_config import SIDES, BitextRunConfig, Side
from flows.given_miners import open_given_index
from flows.given_stages import open_given_corpus
from flows.given_vectors import vectors_identity
from flows.progress import advance
from flows.stage_shards import identity_of, searching
from flows.workspace import Workspace
from mining.bitext import Floats, Neighbours, Pairs, VectorBlocks, mine_bitext
from mining.corpus import CorpusView
from mining.search import Wanted
from sdg.errors import DataError
from sdg.shards import Counts, Outcome, Shard, finish

# Pairs by row: which sentences, and how far they stand out (-infinity: it has no meaning).
PAIR_ROWS = pa.schema(
    [
        ("source_row", pa.int64()),
        ("target_row", pa.int64()),
        ("margin", pa.float64()),
        ("cosine", pa.float32()),
    ]
)
UNDEFINED = "undefined_margin"
BELOW = "below_threshold"


def side_space(space: Workspace, side: Side) -> Workspace:
    """Return the folders of one side, inside those of the run."""
    return Workspace(space.work / side)


def mine_sides(
    space: Workspace, config: BitextRunConfig, documents: Mapping[Side, Sequence[Shard]]
) -> Shard:
    """Mine pairs of two embedded sides.

    Args:
        space: The run's folders.
        config: The run.
        documents: Sentences of each side.

    Returns:
        The shard with the tables kept and rejected (PAIR_ROWS), by margin descending. Counts are in
        pairs that the retrieval gives.

    Raises:
        DataError: If the vectors of the sides have different lengths, or one is not finite.
    """
    inputs = {
        side: {
            "vectors": vectors_identity(config.side(side)),
            "documents": [shard.digest for shard in documents[side]],
        }
        for side in SIDES
    }

    def compute() -> Outcome:
        views = {
            side: open_given_corpus(side_space(space, side), config.side(side), documents[side])
            for side in SIDES
        }
        _check_dimensions(views)
        nearest = _KeptSearch(space, config, views, documents, inputs)
        found = mine_bitext(views["source"], views["target"], config.bitext, nearest)
        margins = found.below_threshold.margins
        reasons = {BELOW: int(np.isfinite(margins).sum()), UNDEFINED: int(np.isinf(margins).sum())}
        kept = len(found.pairs.margins)
        rejected = {reason: count for reason, count in reasons.items() if count}
        counts = Counts(kept + len(margins), kept, rejected, nearest.extra)
        tables = {"kept": _table(found.pairs), "rejected": _table(found.below_threshold)}
        return Outcome(tables, counts)

    identity = identity_of("bitext", bitext=config.bitext.model_dump(mode="json"), inputs=inputs)
    return finish(space.shard("bitext", "pairs"), identity, compute)


class _KeptSearch:
    """The neighbours that an index finds, block by block; a finished block is not searched again.

    `mine_bitext` asks for the blocks of a side in their order, each once.
    """

    def __init__(
        self,
        space: Workspace,
        config: BitextRunConfig,
        views: Mapping[Side, CorpusView],
        documents: Mapping[Side, Sequence[Shard]],
        inputs: Mapping[Side, Any],
    ) -> None:
        self._space = space
        self._inputs = inputs
        self._views = views
        self._indexes = {
            side: open_given_index(
                side_space(space, side), config.side(side), views[side], documents[side]
            )
            for side in SIDES
        }
        self._blocks = dict.fromkeys(SIDES, 0)
        # What the searches counted beside rows, finished ones of an earlier run included.
        self.extra = Counter[str]()

    def __call__(self, queries: Floats, other: VectorBlocks, k: int) -> Neighbours:
        """Return the k nearest of each query; equal ones by id."""
        side: Side = "source" if other is self._views["source"] else "target"
        number = self._blocks[side]
        self._blocks[side] += 1

        def compute() -> Outcome:
            wanted = Wanted.nearest(k, len(queries))
            found = self._indexes[side].search(queries, self._views[side], wanted)
            columns = {"row": found.rows.ravel(), "score": found.scores.ravel()}
            return Outcome({"nearest": pa.table(columns)}, Counts())

        identity = identity_of(
            "bitext_nearest", k=k, side=side, block=number, rows=len(queries), inputs=self._inputs
        )
        name = f"{side}-{number:05d}"
        shard = finish(self._space.shard("nearest", name), identity, searching(compute))
        self.extra.update(shard.counts.extra)
        table = shard.table("nearest")
        advance(len(queries))
        shape = (len(queries), k)
        # Not read-only, as what a search returns.
        return Neighbours(
            np.array(table["row"]).reshape(shape), np.array(table["score"]).reshape(shape)
        )


def _check_dimensions(views: Mapping[Side, CorpusView]) -> None:
    source, target = (views[side].vectors.dimension for side in SIDES)
    if source != target:
        raise DataError(
            f"`vectors.target` must hold vectors of the source's length {source}, but holds "
            f"{target} instead. Embed both sides with one model."
        )


def _table(pairs: Pairs) -> pa.Table:
    columns = [pairs.source_rows, pairs.target_rows, pairs.margins, pairs.scores]
    return pa.Table.from_arrays([pa.array(c) for c in columns], schema=PAIR_ROWS)
