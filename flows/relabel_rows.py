"""Gecko's relabelling of one shard of finished rows."""

from __future__ import annotations

from collections.abc import Sequence

from flows import stage_shards
from flows.asking import JournalAsk
from flows.judging import Rows, mined_tables
from flows.relabel_config import ExistingRowsConfig
from flows.resources import held
from flows.workspace import Workspace
from sdg.judge.negatives import Wanted
from sdg.llm import Score, ScoreRequest
from sdg.relabel.existing import relabel_existing
from sdg.shards import UNANSWERED, Counts, Outcome, Shard, finish


def relabel_existing_shard(
    space: Workspace, config: ExistingRowsConfig, rows: Rows, documents: Sequence[Shard]
) -> Shard:
    """Choose each row's positive among its positive and its negatives."""
    settings = config.relabel
    engine = held(config.generators[settings.engine])
    wanted = Wanted(config.num_negatives or 1, drop_short=config.on_shortfall == "drop")
    languages = sorted(set(rows.queries.table("kept")["query_language"].to_pylist()))
    folder = space.shard("relabel", rows.queries.folder.name)

    def compute() -> Outcome:
        asker = JournalAsk(config.generators, space.journal, folder)

        def score(batch: Sequence[ScoreRequest]) -> list[Score]:
            return asker.score(settings.engine, batch)

        done = relabel_existing(mined_tables([rows], documents), settings, wanted, score)
        tables = {
            "kept": done.result.kept,
            "rejected": done.result.rejected,
            "positives": done.positives,
            "judgments": done.judgments,
        }
        extra = {**done.extra, UNANSWERED: asker.unanswered}
        return Outcome(tables, Counts.of(done.result, **extra))

    return finish(
        folder,
        stage_shards.identity_of(
            "relabel_existing",
            config=settings.model_dump(mode="json"),
            scorers=[scorer.identity() for scorer in settings.scorers],
            engine=engine.identity(),
            revision=engine.revision(),
            prompts={
                f"{s.name}/{t}": s.prompt_sha256(t) for s in settings.scorers for t in languages
            },
            wanted=list(wanted),
            rows=[shard.digest for shard in rows],
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )
