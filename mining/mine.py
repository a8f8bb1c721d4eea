"""Mine: positives and a corpus -> hard negatives, with every drop counted.

A first search looks at `depth` documents per query. Queries that are still short of survivors are
searched again four times as deep, up to the whole corpus, so a query is short only if the corpus
really has no more: a fixed window of 100 leaves a quarter of the queries short at 95 %.

The result of a query depends on the query, the corpus, the configuration and the seed only: not on
the other queries, the size of blocks, or the index.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BeforeValidator, Field, PlainSerializer, field_validator

from mining.corpus import CorpusView
from mining.embed import EmbeddedQueries
from mining.filters import FILTERS, CandidateBlock, Filter
from mining.indexes import Index
from mining.search import Hits, pair_scores, search
from mining.select import SelectionConfig, select
from sdg.errors import ContractError
from sdg.part import Part
from sdg.schemas import NEGATIVES, POSITIVES, StageResult, check_table, reject_rows, table_of

STAGE = "mine"
_DEEPER = 4
# Candidates of all queries that are looked at together: about 150 MB of arrays.
_MAX_CANDIDATES = 2**22


def _dump(rule: Filter) -> dict[str, Any]:
    return {FILTERS.key: rule.name, **rule.model_dump(mode="json")}


AnyFilter = Annotated[Filter, BeforeValidator(FILTERS.build), PlainSerializer(_dump)]


class MiningConfig(Part):
    """How hard negatives are mined.

    Attributes:
        num_negatives: Per query; 4 is a solid baseline (Nemotron), 7 common.
        rules: In order. The default drops everything that could be right, then applies the 95 %
            rule (NV-Retriever).
        anchor: Which positive bounds are relative to when a query has several: the lowest scoring
            ("min", NeMo; safest), the highest ("max", sentence-transformers) or the mean.
        depth: Documents looked at first; 100 is E5-Mistral's.
        selection: How survivors are chosen.
        on_shortfall: "drop" rejects a query with fewer negatives, "keep" keeps the short list.
    """

    num_negatives: int = Field(default=4, ge=1)
    rules: tuple[AnyFilter, ...] = Field(
        default=(
            {"rule": "known_positive"},
            {"rule": "same_entity"},
            {"rule": "percent"},
            {"rule": "exact_duplicate"},
            {"rule": "near_duplicate"},
        ),
        validate_default=True,
    )
    anchor: Literal["min", "max", "mean"] = "min"
    depth: int = Field(default=100, ge=1)
    selection: SelectionConfig = SelectionConfig()
    on_shortfall: Literal["drop", "keep"] = "drop"

    @field_validator("rules")
    @classmethod
    def _rules_fit_together(cls, rules: tuple[Filter, ...]) -> tuple[Filter, ...]:
        names = [rule.name for rule in rules]
        if "known_positive" not in names:
            raise ValueError(
                f"`mining.rules` must contain known_positive, but holds {names} instead. "
                "A positive is never its own negative."
            )
        # Drops are counted by reason, so that the counts of a row add up.
        reasons = [rule.reason for rule in rules]
        twice = [
            name for name, reason in zip(names, reasons, strict=True) if reasons.count(reason) > 1
        ]
        if twice:
            raise ValueError(
                f"`mining.rules` must name each rule once, but holds {twice} instead. Keep the "
                "stricter one."
            )
        return rules

    def identity(self) -> dict[str, Any]:
        """Return JSON of everything that decides the negatives."""
        return {
            **self.model_dump(mode="json", exclude={"rules"}),
            "rules": [rule.identity() for rule in self.rules],
        }


class _Found(NamedTuple):
    """What one query's candidates became."""

    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    ranks: npt.NDArray[np.int64]
    dropped: dict[str, int]
    depth: int


def mine(
    queries: EmbeddedQueries,
    positives: pa.Table,
    corpus: CorpusView,
    index: Index,
    config: MiningConfig,
    *,
    seed: int,
) -> StageResult:
    """Return the hard negatives of every query.

    Args:
        queries: With vectors; joined to `positives` by id.
        positives: POSITIVES; their documents are in the corpus.
        corpus: Searched as a whole.
        index: Back-end; all exact ones give the same result.
        config: Rules and selection.
        seed: The run's seed.

    Returns:
        kept: NEGATIVES in the order of `positives`; negatives by score descending.
        rejected: Reason `too_few_negatives` (detail: how many there were).
        rows_in: Rows of `positives`.

    Raises:
        ContractError: If a query or a positive is missing.
    """
    check_table(positives, POSITIVES, "positives")
    rows = positives.to_pylist()
    if not rows:
        return StageResult(
            NEGATIVES.empty_table(), reject_rows(positives, "query_id", STAGE, [], []), 0
        )
    place_of = {query_id: place for place, query_id in enumerate(queries.query_ids)}
    missing = [row["query_id"] for row in rows if row["query_id"] not in place_of]
    if missing:
        raise ContractError(
            f"Each of {len(rows)} queries must have a vector, but {missing[0]} has none. "
            "Embed exactly the queries that are mined."
        )
    order = np.array([place_of[row["query_id"]] for row in rows])
    positive_rows = [corpus.rows_of(row["positive_ids"]) for row in rows]
    sources = corpus.rows_of([queries.source_doc_ids[place] for place in order])
    scores = _positive_scores(queries.vectors, corpus, order, positive_rows)
    anchors = np.array([getattr(np, config.anchor)(s) for s in scores], dtype=np.float32)
    # The document a query was written for answers it too, even if another one is the positive now.
    known = [np.union1d(own, [source]) for own, source in zip(positive_rows, sources, strict=True)]
    found = _search_until_filled(queries, order, known, anchors, corpus, index, config)
    return _result(rows, positives, scores, found, corpus, config, seed)


def _positive_scores(
    vectors: npt.NDArray[np.float32],
    corpus: CorpusView,
    order: npt.NDArray[np.int64],
    positive_rows: list[npt.NDArray[np.int64]],
) -> list[npt.NDArray[np.float32]]:
    counts = [len(own) for own in positive_rows]
    places = np.repeat(order, counts)
    flat = pair_scores(vectors, corpus, places, np.concatenate(positive_rows))
    return np.split(flat, np.cumsum(counts)[:-1])


def _search_until_filled(
    queries: EmbeddedQueries,
    order: npt.NDArray[np.int64],
    known: list[npt.NDArray[np.int64]],
    anchors: npt.NDArray[np.float32],
    corpus: CorpusView,
    index: Index,
    config: MiningConfig,
) -> list[_Found]:
    needed = config.selection.survivors_needed(config.num_negatives)
    found: dict[int, _Found] = {}
    waiting = np.arange(len(order))
    depth = min(config.depth, len(corpus))
    while len(waiting):
        short: list[int] = []
        step = max(1, _MAX_CANDIDATES // depth)
        for start in range(0, len(waiting), step):
            places = waiting[start : start + step]
            hits = search(queries.vectors[order[places]], corpus, index, depth)
            block = _block(queries, order, known, anchors, corpus, places, hits)
            is_over = _is_exhausted(block, config)
            for place, one, over in zip(
                places.tolist(), _apply(block, config), is_over, strict=True
            ):
                found[place] = one
                if len(one.rows) < needed and not over:
                    short.append(place)
        if depth >= len(corpus):
            break
        waiting = np.array(short, dtype=np.int64)
        depth = min(depth * _DEEPER, len(corpus))
    return [found[place] for place in range(len(order))]


def _is_exhausted(block: CandidateBlock, config: MiningConfig) -> npt.NDArray[np.bool_]:
    over = np.zeros(len(block.rows), bool)
    for rule in config.rules:
        over |= rule.is_exhausted(block)
    return over


def _block(
    queries: EmbeddedQueries,
    order: npt.NDArray[np.int64],
    known: list[npt.NDArray[np.int64]],
    anchors: npt.NDArray[np.float32],
    corpus: CorpusView,
    places: npt.NDArray[np.int64],
    hits: Hits,
) -> CandidateBlock:
    return CandidateBlock(
        rows=hits.rows,
        scores=hits.scores,
        ranks=np.broadcast_to(np.arange(hits.rows.shape[1]), hits.rows.shape),
        alive=hits.rows >= 0,
        anchors=anchors[places],
        positive_rows=[known[place] for place in places],
        query_texts=[queries.texts[place] for place in order[places]],
        query_languages=[queries.languages[place] for place in order[places]],
        corpus=corpus,
    )


def _apply(block: CandidateBlock, config: MiningConfig) -> list[_Found]:
    alive = block.alive
    counts: dict[str, npt.NDArray[np.int64]] = {}
    for rule in config.rules:
        kept = rule.keep(replace(block, alive=alive)) & alive
        counts[rule.reason] = (alive & ~kept).sum(axis=1)
        alive = kept
    depths = (block.rows >= 0).sum(axis=1)
    return [
        _Found(
            rows=block.rows[query][alive[query]],
            scores=block.scores[query][alive[query]],
            ranks=block.ranks[query][alive[query]],
            dropped={reason: int(c[query]) for reason, c in counts.items() if c[query]},
            depth=int(depths[query]),
        )
        for query in range(len(block.rows))
    ]


def _result(
    rows: list[dict[str, Any]],
    positives: pa.Table,
    positive_scores: list[npt.NDArray[np.float32]],
    found: list[_Found],
    corpus: CorpusView,
    config: MiningConfig,
    seed: int,
) -> StageResult:
    kept: list[dict[str, Any]] = []
    short: list[int] = []
    source = f"dense:{corpus.vectors.encoder.name}"
    for number, (row, scores, one) in enumerate(zip(rows, positive_scores, found, strict=True)):
        chosen = select(one.scores, config.num_negatives, config.selection, seed, row["query_id"])
        if not len(chosen) or (
            config.on_shortfall == "drop" and len(chosen) < config.num_negatives
        ):
            short.append(number)
            continue
        kept.append(
            {
                "query_id": row["query_id"],
                "positive_ids": row["positive_ids"],
                "positive_scores": scores.tolist(),
                "negative_ids": corpus.ids_of(one.rows[chosen]),
                "negative_scores": one.scores[chosen].tolist(),
                "negative_ranks": one.ranks[chosen].tolist(),
                "negative_sources": [source] * len(chosen),
                "dropped": [{"reason": r, "count": n} for r, n in one.dropped.items()],
                "search_depth": one.depth,
            }
        )
    rejected = reject_rows(
        positives.take(pa.array(short, pa.int64())),
        "query_id",
        STAGE,
        ["too_few_negatives"] * len(short),
        [f"{len(found[n].rows)} of {config.num_negatives}" for n in short],
    )
    return StageResult(table_of(kept, NEGATIVES), rejected, len(rows))
