"""Mine: positives and a corpus -> hard negatives, with every drop counted.

Threshold first: the positives are scored before anything is searched, so the bound of a query is
known and the search returns the best documents below it. No window of the nearest can run empty.

The result of a query depends on the query, the corpus, the configuration and the seed only: not on
the other queries, the size of blocks, or the index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BeforeValidator, Field, PlainSerializer, field_validator

from mining.candidates import CandidateSearch, Judged
from mining.corpus import CorpusView
from mining.embed import EmbeddedQueries
from mining.filters import FILTERS, Filter
from mining.indexes import Index
from mining.known import Anchor, Known
from mining.merge import FusionConfig
from mining.miners import MINERS, Miner
from mining.proposals import Proposals
from mining.random_fill import fill_at_random
from mining.select import SelectionConfig, Survivors, select
from mining.shortfall import SOURCE, Policy
from sdg.part import Part
from sdg.schemas import NEGATIVES, POSITIVES, StageResult, check_table, reject_rows

STAGE = "mine"
Rows = npt.NDArray[np.int64]


def _dump(rule: Filter) -> dict[str, Any]:
    return {FILTERS.key: rule.name, **rule.model_dump(mode="json")}


AnyFilter = Annotated[Filter, BeforeValidator(FILTERS.build), PlainSerializer(_dump)]


def _dump_miner(miner: Miner) -> dict[str, Any]:
    return {MINERS.key: miner.name, **miner.model_dump(mode="json")}


AnyMiner = Annotated[Miner, BeforeValidator(MINERS.build), PlainSerializer(_dump_miner)]


class MiningConfig(Part):
    """How hard negatives are mined.

    Attributes:
        num_negatives: Per query; 4 is a solid baseline (Nemotron), 7 common.
        rules: The default drops everything that could be right, and applies the 95 % rule
            (NV-Retriever). Known positives go first and bounds second wherever they stand; the
            others run in this order.
        anchor: Which positive bounds are relative to when a query has several: the lowest scoring
            ("min", NeMo and sentence-transformers 6.2; safest), the highest ("max", KaLM) or the
            mean.
        max_above: A query whose anchor has more documents above it is weak and rejected: the
            encoder does not find its positive. Arctic drops beyond 1,000, KaLM beyond 50; None
            keeps all.
        selection: How survivors are chosen.
        miners: Others that propose candidates beside the encoder's own search.
        fusion: How what they propose becomes one list with what the encoder retrieves.
        on_shortfall: "drop" rejects a query with fewer negatives (Arctic), "keep" keeps the short
            list (NeMo), "random_fill" adds random documents that no rule forbids but floor and
            rank window (KaLM, FlagEmbedding); their source is `random`.
    """

    num_negatives: int = Field(default=4, ge=1)
    rules: tuple[AnyFilter, ...] = Field(
        default=(
            {"rule": "known_positive"},
            {"rule": "same_entity"},
            {"rule": "same_group"},
            {"rule": "percent"},
            {"rule": "exact_duplicate"},
            {"rule": "near_duplicate"},
        ),
        validate_default=True,
    )
    anchor: Anchor = "min"
    max_above: int | None = Field(default=None, ge=0)
    selection: SelectionConfig = SelectionConfig()
    miners: tuple[AnyMiner, ...] = ()
    fusion: FusionConfig = FusionConfig()
    on_shortfall: Policy = "drop"

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

    @field_validator("miners")
    @classmethod
    def _miners_have_names_of_their_own(cls, miners: tuple[Miner, ...]) -> tuple[Miner, ...]:
        sources = [miner.source for miner in miners]
        if len(set(sources)) < len(sources):
            raise ValueError(
                f"`mining.miners` must have different names, but are {sources} instead. Give a "
                "second dense miner a `label`."
            )
        return miners

    def identity(self) -> dict[str, Any]:
        """Return JSON of everything that decides the negatives."""
        return {
            **self.model_dump(mode="json", exclude={"rules", "selection", "miners"}),
            "selection": self.selection.identity(),
            "rules": [rule.identity() for rule in self.rules],
            "miners": [miner.identity() for miner in self.miners],
        }


def mine(  # noqa: PLR0913 - what a query's negatives depend on
    queries: EmbeddedQueries,
    positives: pa.Table,
    corpus: CorpusView,
    index: Index,
    config: MiningConfig,
    *,
    seed: int,
    extra: Sequence[Proposals] = (),
    by_preference: bool = False,
) -> StageResult:
    """Return the hard negatives of every query.

    Args:
        queries: With vectors; joined to `positives` by id.
        positives: POSITIVES; their documents are in the corpus.
        corpus: Searched as a whole.
        index: Back-end; all exact ones give the same result.
        config: Rules and selection.
        seed: The run's seed.
        extra: Candidates of other miners. They are scored by this corpus's encoder, so the bounds
            hold for them too.
        by_preference: For a pool of which the first that stand a judge are taken: negatives in the
            order in which the strategy prefers them.

    Returns:
        kept: NEGATIVES in the order of `positives`; negatives by score descending, or as preferred.
        rejected: Reasons `too_few_negatives` (detail: how many there were) and `weak_positive`
            (detail: documents above it).
        rows_in: Rows of `positives`.

    Raises:
        ContractError: If a query or a positive is missing.
    """
    check_table(positives, POSITIVES, "positives")
    if not positives.num_rows:
        nothing = reject_rows(positives, "query_id", STAGE, [], [])
        return StageResult(NEGATIVES.empty_table(), nothing, 0)
    known = Known.of(queries, positives, corpus)
    anchors = known.anchors(config.anchor)
    search = CandidateSearch(queries, known, anchors, corpus, index, config.rules, extra)
    judged = search.run(config.selection.survivors_needed(config.num_negatives))
    survivors = Survivors(
        judged.rows,
        judged.scores,
        judged.ranks,
        judged.miners,
        positives["query_id"].to_pylist(),
        corpus,
    )
    chosen = select(
        survivors, config.num_negatives, config.selection, seed, by_preference=by_preference
    )
    sources = [f"dense:{corpus.vectors.encoder.name}", *(e.source for e in extra)]
    if config.on_shortfall == "random_fill":
        chosen = fill_at_random(search, judged, chosen, survivors.query_ids, seed)
        sources.append(SOURCE)
    return _result(positives, known, judged, chosen, corpus, config, sources)


def _result(
    positives: pa.Table,
    known: Known,
    judged: Judged,
    chosen: Rows,
    corpus: CorpusView,
    config: MiningConfig,
    sources: Sequence[str],
) -> StageResult:
    num_chosen = (chosen >= 0).sum(axis=1)
    required = 1 if config.on_shortfall == "keep" else config.num_negatives
    is_short = num_chosen < required
    is_weak = np.zeros(len(chosen), bool)
    if config.max_above is not None:
        is_weak = judged.docs_above > config.max_above
    kept = np.flatnonzero(~(is_short | is_weak))
    stopped = np.flatnonzero(is_short | is_weak)
    reasons = ["weak_positive" if is_weak[n] else "too_few_negatives" for n in stopped]
    details = [
        f"{judged.docs_above[n]} documents above it, {config.max_above} allowed"
        if is_weak[n]
        else f"{num_chosen[n]} of {config.num_negatives}, {judged.survivors[n]} candidates survived"
        for n in stopped
    ]
    rejected = reject_rows(
        positives.take(pa.array(stopped, pa.int64())), "query_id", STAGE, reasons, details
    )
    table = _table(positives, known, judged, chosen, corpus, config, sources)
    return StageResult(table.take(pa.array(kept, pa.int64())), rejected, positives.num_rows)


def _table(
    positives: pa.Table,
    known: Known,
    judged: Judged,
    chosen: Rows,
    corpus: CorpusView,
    config: MiningConfig,
    sources: Sequence[str],
) -> pa.Table:
    """Return NEGATIVES of all queries, without a loop over rows."""
    is_there = chosen >= 0
    offsets = _offsets(is_there.sum(axis=1))

    def of_chosen(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.take_along_axis(column, np.maximum(chosen, 0), axis=1)[is_there]

    ids = corpus.doc_ids.take(pa.array(of_chosen(judged.rows), pa.int64())).cast(pa.string())
    names = pa.array(list(sources), pa.string()).take(pa.array(of_chosen(judged.miners)))
    return pa.table(
        {
            "query_id": positives["query_id"],
            "positive_ids": positives["positive_ids"],
            "positive_scores": _lists(pa.array(known.offsets, pa.int32()), known.scores),
            "negative_ids": pa.ListArray.from_arrays(offsets, ids),
            "negative_scores": _lists(offsets, of_chosen(judged.scores)),
            "negative_ranks": _lists(offsets, of_chosen(judged.ranks).astype(np.int32)),
            "negative_sources": pa.ListArray.from_arrays(offsets, names),
            "dropped": _dropped(judged, config),
            "search_depth": judged.depth.astype(np.int32),
            "docs_above": judged.docs_above.astype(np.int32),
        },
        schema=NEGATIVES,
    )


def _dropped(judged: Judged, config: MiningConfig) -> pa.ListArray:
    """Return what each rule dropped for each query, in the order of the rules; none is left out."""
    by_query = judged.dropped.T
    query, rule = np.nonzero(by_query)
    reasons = pa.array([r.reason for r in config.rules], pa.string())
    entries = pa.StructArray.from_arrays(
        [reasons.take(pa.array(rule)), pa.array(by_query[query, rule], pa.int32())],
        names=["reason", "count"],
    )
    return pa.ListArray.from_arrays(_offsets((by_query != 0).sum(axis=1)), entries)


def _offsets(counts: Rows) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())


def _lists(offsets: pa.Array, values: npt.NDArray[Any]) -> pa.ListArray:
    return pa.ListArray.from_arrays(offsets, pa.array(values))
