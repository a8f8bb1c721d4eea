"""One list of candidates from several miners, with each miner's rank and score beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from mining.proposals import Floats, Proposals, Rows
from sdg.errors import ContractError
from sdg.part import Part
from sdg.schemas import MINER_SCORES

# Cormack, Clarke and Buettcher 2009, "Reciprocal Rank Fusion outperforms Condorcet".
RRF_CONSTANT = 60.0


class FusionConfig(Part):
    """How the candidates of several miners become one list.

    Attributes:
        method: "union": whatever any of them proposes. "rrf": of that, the `top_k` best by
            reciprocal rank fusion, which needs ranks only, so scores of any scale go together.
        top_k: Candidates per query that "rrf" leaves; 100 (own).
        constant: Of the fusion; 60 is Cormack's.
    """

    method: Literal["union", "rrf"] = "union"
    top_k: int = Field(default=100, ge=1)
    constant: float = Field(default=RRF_CONSTANT, ge=0)


@dataclass(frozen=True, slots=True)
class Merged:
    """The union of what M miners propose for Q queries.

    Attributes:
        sources: M names.
        rows: (Q, K) int64, each document once, by `fused` descending, then id ascending; -1 is
            padding, at the end. K is that of the longest list.
        fused: (Q, K) float64, sum over miners of 1 / (constant + rank + 1); NaN is padding.
        ranks: (M, Q, K) int32, 0-based; -1 where the miner does not propose the document.
        scores: (M, Q, K) float32 in each miner's own scale; NaN where it does not.
    """

    sources: tuple[str, ...]
    rows: Rows
    fused: npt.NDArray[np.float64]
    ranks: npt.NDArray[np.int32]
    scores: Floats

    def first(self, top_k: int) -> Merged:
        """Return the first `top_k` candidates of every query."""
        return Merged(
            self.sources,
            self.rows[:, :top_k],
            self.fused[:, :top_k],
            self.ranks[:, :, :top_k],
            self.scores[:, :, :top_k],
        )

    def proposals(self) -> list[Proposals]:
        """Return what is left of each miner's proposals, in its own order, without gaps."""
        found = []
        for source, ranks, scores in zip(self.sources, self.ranks, self.scores, strict=True):
            # What the miner does not propose goes to the end.
            order = np.argsort(np.where(ranks < 0, np.iinfo(np.int32).max, ranks), axis=1)
            width = int((ranks >= 0).sum(axis=1).max(initial=0))
            order = order[:, :width]
            is_own = np.take_along_axis(ranks, order, 1) >= 0
            rows = np.where(is_own, np.take_along_axis(self.rows, order, 1), -1)
            found.append(Proposals(source, rows, np.take_along_axis(scores, order, 1)))
        return found

    def table(self, query_ids: Sequence[str], doc_ids: pa.Array) -> pa.Table:
        """Return MINER_SCORES: a row per query, candidate and miner that proposes it, in order.

        Args:
            query_ids: Q ids.
            doc_ids: (N,) ids of the corpus.
        """
        query, place, miner = np.nonzero((self.ranks >= 0).transpose(1, 2, 0))
        names = pa.array(self.sources, pa.string())
        ids = pa.array(list(query_ids), pa.string())
        columns = [
            ids.take(pa.array(query)),
            doc_ids.take(pa.array(self.rows[query, place])).cast(pa.string()),
            names.take(pa.array(miner)),
            pa.array(self.ranks[miner, query, place]),
            pa.array(self.scores[miner, query, place]),
        ]
        return pa.table(columns, schema=MINER_SCORES)


def merge(
    proposals: Sequence[Proposals], id_order: Rows, *, constant: float = RRF_CONSTANT
) -> Merged:
    """Return the union of several miners' proposals, by reciprocal rank fusion.

    Args:
        proposals: M miners, for the same Q queries.
        id_order: (N,) place of each row in the ascending order of ids; decides between equals.
        constant: Of the fusion.

    Raises:
        ContractError: If there is no miner, two have the same name, or the queries differ.
    """
    _check(proposals)
    num_queries = len(proposals[0].rows)
    flat = _flatten(proposals)
    order = np.lexsort((flat.miner, flat.row, flat.query))
    flat = _Flat(*(column[order] for column in flat))
    is_first = np.ones(len(order), bool)
    is_first[1:] = (flat.query[1:] != flat.query[:-1]) | (flat.row[1:] != flat.row[:-1])
    group = np.cumsum(is_first) - 1
    query, row = flat.query[is_first], flat.row[is_first]
    # Sums are made in the order of the miners, so that equal inputs give equal bits.
    fused = np.bincount(group, 1.0 / (constant + 1.0 + flat.rank), len(query))
    by_rank = np.lexsort((id_order[row], -fused, query))
    counts = np.bincount(query, minlength=num_queries)
    starts = np.cumsum(counts) - counts
    place = np.empty(len(query), np.int64)
    place[by_rank] = np.arange(len(query)) - starts[query[by_rank]]
    shape = (num_queries, int(counts.max(initial=0)))
    merged = Merged(
        tuple(one.source for one in proposals),
        np.full(shape, -1, np.int64),
        np.full(shape, np.nan),
        np.full((len(proposals), *shape), -1, np.int32),
        np.full((len(proposals), *shape), np.nan, np.float32),
    )
    merged.rows[query, place] = row
    merged.fused[query, place] = fused
    merged.ranks[flat.miner, flat.query, place[group]] = flat.rank
    merged.scores[flat.miner, flat.query, place[group]] = flat.score
    return merged


def fuse(proposals: Sequence[Proposals], id_order: Rows, config: FusionConfig) -> list[Proposals]:
    """Return what is left of every miner's proposals, in their order; see `FusionConfig`.

    A miner's ranks in a shortened list are places in that list.
    """
    if config.method == "union" or not proposals:
        return list(proposals)
    left = merge(proposals, id_order, constant=config.constant).first(config.top_k).proposals()
    return [replace(one, exempt=own.exempt) for one, own in zip(left, proposals, strict=True)]


class _Flat(NamedTuple):
    """One entry per query, miner and document."""

    query: Rows
    row: Rows
    miner: Rows
    rank: Rows
    score: Floats


def _flatten(proposals: Sequence[Proposals]) -> _Flat:
    parts = []
    for number, one in enumerate(proposals):
        query, rank = np.nonzero(one.rows >= 0)
        miner = np.full(len(query), number)
        parts.append((query, one.rows[query, rank], miner, rank, one.scores[query, rank]))
    return _Flat(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _check(proposals: Sequence[Proposals]) -> None:
    sources = [one.source for one in proposals]
    sizes = sorted({len(one.rows) for one in proposals})
    if not sources or len(set(sources)) < len(sources) or len(sizes) > 1:
        raise ContractError(
            "Proposals must come from different miners for the same queries, but the miners are "
            f"{sources} and the numbers of queries {sizes}."
        )
