"""How many queries BM25 answers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.measurement import Figure, Measurement
from data_cards.audit.metric import METRICS, AuditContext, Metric
from data_cards.audit.sides import Places, Side, document_texts, side_of
from sdg.rate import rate

_TOP = 10
_BATCH_TEXTS = 8192


@METRICS.register("bm25_solvable")
class Bm25Solvable(Metric):
    """Ranks documents for a sample of queries by BM25 and looks for their positives.

    Attributes:
        sample: Rows asked; own.
        documents: Different texts of documents searched, the positives of the asked rows among
            them; own. Among all of a larger corpus fewer queries would be solved.
        k1: As in the miner `bm25`.
        b: As in the miner `bm25`.
    """

    title: ClassVar[str] = "Solvable by BM25"
    about: ClassVar[str] = (
        "Queries that word matching answers teach an encoder little; of data meant to go beyond "
        "keywords most should not be solved."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "solved_share",
        "found_share",
    )
    sample: int = Field(default=1000, ge=1)
    documents: int = Field(default=50_000, ge=1)
    k1: float = Field(default=1.2, ge=0)
    b: float = Field(default=0.75, ge=0, le=1)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return the share of rows with a positive at rank 0, and among the first ten."""
        positives = side_of(data, "positive")
        rows = np.unique(positives.rows)
        if not len(rows):
            return Measurement(skipped="the data set has no positives")
        asked = rows[context.sample("bm25_solvable/rows", len(rows), self.sample)]
        wanted = positives.at(np.flatnonzero(np.isin(positives.rows, asked)))
        pool, population = self._pool(data, wanted, context)
        ranks = self._ranks(data, asked, wanted, pool, context)
        solved = [
            _share("solved_share", ranks == 0, len(rows), "positive found first by BM25"),
            _share("found_share", ranks < _TOP, len(rows), "positive in BM25's first ten"),
        ]
        note = f"{len(asked):,} queries against {len(pool):,} of {population:,} different documents"
        extra = "; among all of them fewer would be solved." if len(pool) < population else "."
        return Measurement(figures=tuple(solved), notes=(note + extra,))

    def _pool(self, data: AuditedSet, wanted: Side, context: AuditContext) -> tuple[Places, int]:
        every = np.unique(document_texts(data))
        drawn = every[context.sample("bm25_solvable/documents", len(every), self.documents)]
        return np.union1d(drawn, wanted.texts), len(every)

    def _ranks(
        self,
        data: AuditedSet,
        asked: Places,
        wanted: Side,
        pool: Places,
        context: AuditContext,
    ) -> Places:
        """Return (S,) the best rank of a positive of each asked row; `_TOP` if not among them."""
        from mining.miners.bm25_index import Bm25Index, build

        queries = data.texts.take(data.rows["query"].to_numpy()[asked]).to_pylist()
        with tempfile.TemporaryDirectory(dir=context.scratch) as name:
            batches = (
                data.texts.take(pool[start : start + _BATCH_TEXTS])
                for start in range(0, len(pool), _BATCH_TEXTS)
            )
            build(Path(name), batches, k1=self.k1, b=self.b)
            index = Bm25Index(Path(name))
            found, _ = index.search(queries, min(_TOP, len(pool)), np.arange(len(pool)))
        hits = pl.DataFrame(
            {
                "row": np.repeat(asked, found.shape[1]),
                "rank": np.tile(np.arange(found.shape[1]), len(asked)),
                "text": np.where(found >= 0, pool[found], -1).reshape(-1),
            }
        )
        links = pl.DataFrame({"row": wanted.rows, "text": wanted.texts})
        best = (
            hits.join(links, on=["row", "text"], how="semi")
            .group_by("row")
            .agg(pl.col("rank").min())
        )
        ranks = np.full(len(asked), _TOP)
        ranks[np.searchsorted(asked, best["row"].to_numpy())] = best["rank"].to_numpy()
        return ranks


def _share(name: str, hits: np.ndarray, population: int, label: str) -> Figure:
    """Return the share with its interval; the documents are a sample even if the rows are not."""
    found = rate(int(hits.sum()), len(hits))
    value = found.part / found.whole
    return Figure(name, value, "share", found.low, found.high, len(hits), population, label)
