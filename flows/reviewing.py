"""Reviewing in a run: LLMs read the pairs that every rule kept; what is published of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from data_cards import records
from flows.asking import JournalAsk
from flows.config import RunConfig
from flows.corpus_stages import corpus_of
from flows.progress import advance
from flows.resources import held
from flows.stage_shards import identity_of
from flows.workspace import Workspace
from sdg.gates import rows_of_tasks
from sdg.review import Reviewer
from sdg.review.pairs import counter_of, label_of, review_pairs
from sdg.schemas import REVIEWS
from sdg.shards import UNANSWERED, Counts, Outcome, Shard, finish

STAGE = "review"
# Digits of a mean that is published.
_DECIMALS = 3


def review_shard(
    space: Workspace, config: RunConfig, queries: Shard, documents: Sequence[Shard]
) -> Shard:
    """Have one shard of queries read beside their source documents."""
    table = queries.table("kept")
    folder = space.shard(STAGE, queries.folder.name)

    def compute() -> Outcome:
        ask = JournalAsk(config.generators, space.journal, folder)
        sources = corpus_of(documents).rows(table["source_doc_id"].combine_chunks())
        done = review_pairs(table, sources, config.review, ask, config.seed)
        tables = {
            "kept": done.result.kept,
            "rejected": done.result.rejected,
            "reviews": done.reviews,
        }
        extra = {**done.extra, UNANSWERED: ask.unanswered}
        return Outcome(tables, Counts.of(done.result, **extra))

    shard = finish(
        folder,
        identity_of(
            STAGE,
            **_reviewers_identity(config, table),
            seed=config.seed,
            queries=queries.digest,
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )
    if not shard.was_computed:
        advance(len(config.review) * table.num_rows)
    return shard


def reviews_of(reviewed: Sequence[Shard], ids: pa.Array) -> pa.Table:
    """Return what was said of the finished rows.

    Args:
        reviewed: Shards of `review_shard`.
        ids: Query ids of the finished rows.

    Returns:
        REVIEWS by query and reviewer, criteria in the order in which they were asked.
    """
    tables = [shard.table("reviews") for shard in reviewed]
    table = pa.concat_tables([REVIEWS.empty_table(), *tables])
    kept = pl.DataFrame(table.filter(pc.is_in(table["query_id"], value_set=ids)))
    place = pl.col("reviewer").str.extract(r"^(\d+):").cast(pl.Int64)
    return kept.sort("query_id", place, maintain_order=True).to_arrow().cast(REVIEWS)


def review_record(
    reviewers: Sequence[Reviewer], extra: Mapping[str, int], reviews: pa.Table
) -> records.ReviewRecord | None:
    """Return what the manifest says of reviewing; None if nobody was asked.

    Args:
        reviewers: Of the configuration.
        extra: Counts of the stage, over all shards.
        reviews: REVIEWS of the finished rows.
    """
    if not reviewers:
        return None
    scores = pl.DataFrame(reviews).filter(pl.col("criterion") != "")
    found = []
    for place, reviewer in enumerate(reviewers):
        label = label_of(place, reviewer)
        own = scores.filter(pl.col("reviewer") == label)
        settings = reviewer.model_dump(mode="json", exclude={"engine", "sampling"})
        found.append(
            records.ReviewerRecord(
                reviewer=label,
                engine=reviewer.engine,
                settings=settings,
                asked=extra.get(counter_of("asked", label), 0),
                rejected=extra.get(counter_of("rejected", label), 0),
                unreadable_kept=extra.get(counter_of("unreadable_kept", label), 0),
                criteria=tuple(_criterion(own, name) for name in reviewer.criteria),
            )
        )
    return records.ReviewRecord(reviewers=tuple(found))


def reviewed_languages(reviewer: Reviewer, queries: pa.Table) -> set[str]:
    """Return the languages of the queries (QUERIES) that a reviewer may be asked about."""
    if not queries.num_rows:
        return set()
    mask = rows_of_tasks(queries, reviewer.tasks, generated_only=reviewer.generated_only)
    return set(queries.filter(pa.array(mask))["query_language"].to_pylist())


def _criterion(scores: pl.DataFrame, name: str) -> records.CriterionRecord:
    values = scores.filter(pl.col("criterion") == name)["review_score"].cast(pl.Float64).to_numpy()
    return records.CriterionRecord(
        criterion=name,
        rows=len(values),
        mean=round(float(values.mean()), _DECIMALS) if len(values) else None,
        lowest=round(float(values.min()), _DECIMALS) if len(values) else None,
    )


def _reviewers_identity(config: RunConfig, queries: pa.Table) -> dict[str, Any]:
    engines = {r.engine: held(config.generators[r.engine]) for r in config.review}
    used: dict[str, str] = {}
    for reviewer in config.review:
        for language in sorted(reviewed_languages(reviewer, queries)):
            used.update(reviewer.prompt_sha256(language))
    return {
        "reviewers": [reviewer.identity() for reviewer in config.review],
        "engines": {name: [e.identity(), e.revision()] for name, e in engines.items()},
        "prompts": used,
    }
