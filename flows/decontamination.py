"""Evaluation data kept out: of the corpus before anything is planned, of queries once written.

What matches leaves no text behind: not in a prompt, and not in rejected/, which names ids only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

import polars as pl
import pyarrow as pa

from data_cards.records import DecontaminationRecord, EvaluationSetRecord
from flows.corpus_stages import corpus_of
from flows.judging import Rows
from flows.outcome import StageOutcome
from flows.stage_shards import identity_of, outcome_of
from flows.workspace import Workspace
from sdg.contaminated import (
    DOCUMENT_COLUMNS,
    find_contaminated_documents,
    find_contaminated_queries,
)
from sdg.decontaminate import BlockList
from sdg.evaluation_sets import DecontaminateConfig, open_block_list
from sdg.ids import canonical_json
from sdg.schemas import StageResult, reject_rows
from sdg.shards import Counts, Outcome, Shard, finish
from sdg.text_leaves import text_leaves
from sdg.written import STAGE as WRITE

DOCUMENT_STAGE, QUERY_STAGE = "decontaminate_documents", "decontaminate"

# What a rejection must not repeat: the words of an evaluation set.
_TEXTS = ("text", "title", "natural_texts", "query", "reply")
# Rejections compared at a time.
_BLOCK = 8_192
# Names of things, which stay: without them nobody could tell what stopped.
_IDS = ("_id", "_ids")
# The column beside `row`; not the name of a field.
_DETAIL = "detail of the rejection"


@lru_cache(maxsize=1)
def block_list(config: DecontaminateConfig) -> BlockList:
    """Return the block list, read once per process: it does not change while a run is at work."""
    return open_block_list(config)


def identity_of_sets(config: DecontaminateConfig) -> list[object]:
    """Return JSON of what is blocked, whatever file it comes from; [] if nothing is."""
    if not config.against:
        return []
    sets = [[one.name, one.sha256()] for one in block_list(config).sets]
    return [config.ngram_words, *sets]


def find_contaminated(
    space: Workspace, config: DecontaminateConfig, documents: Sequence[Shard]
) -> Shard:
    """Find the documents of the whole corpus that are evaluation data or of the same source."""

    def compute() -> Outcome:
        batches = corpus_of(documents).batches(DOCUMENT_COLUMNS)
        found = find_contaminated_documents(batches, block_list(config))
        return Outcome({"verdicts": found.to_arrow()}, Counts())

    return finish(
        space.shared(DOCUMENT_STAGE, "verdicts"),
        identity_of(
            "decontaminate",
            sets=identity_of_sets(config),
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )


def drop_contaminated(space: Workspace, verdicts: Shard, documents: Shard) -> Shard:
    """Return one shard of documents without those that were found."""

    def compute() -> Outcome:
        table = documents.table("kept")
        found = pl.DataFrame(verdicts.table("verdicts"))
        return outcome_of(_without(table, "doc_id", found, DOCUMENT_STAGE))

    return finish(
        space.shared(DOCUMENT_STAGE, documents.folder.name),
        identity_of("decontaminate", verdicts=verdicts.digest, documents=documents.digest),
        compute,
    )


def decontaminate_queries(space: Workspace, config: DecontaminateConfig, queries: Shard) -> Shard:
    """Return one shard of queries without those that an evaluation set holds."""

    def compute() -> Outcome:
        table = queries.table("kept")
        found = pl.DataFrame(find_contaminated_queries(table, block_list(config)))
        return outcome_of(_without(table, "query_id", found, QUERY_STAGE))

    return finish(
        space.shard(QUERY_STAGE, queries.folder.name),
        identity_of("decontaminate", sets=identity_of_sets(config), queries=queries.digest),
        compute,
    )


def decontaminate_rows(
    space: Workspace, config: DecontaminateConfig, rows: Rows, verdicts: Shard
) -> Shard:
    """Return one shard of finished rows without those whose query or document is evaluation data.

    A row goes if its query matches, or if its source, a positive or a negative is a document that
    was found: the corpus of what is left holds none of them.
    """

    def compute() -> Outcome:
        queries, negatives = rows.queries.table("kept"), rows.negatives.table("kept")
        positives = rows.positives.table("positives")
        found = _row_verdicts(
            queries,
            positives,
            negatives,
            pl.DataFrame(verdicts.table("verdicts")),
            block_list(config),
        )
        result = _without(negatives, "query_id", found, QUERY_STAGE)
        kept = {"positives": _without(positives, "query_id", found, QUERY_STAGE).kept}
        done = outcome_of(result)
        return Outcome({**done.tables, **kept}, done.counts)

    return finish(
        space.shard(QUERY_STAGE, rows.queries.folder.name),
        identity_of(
            "decontaminate",
            sets=identity_of_sets(config),
            verdicts=verdicts.digest,
            rows=[shard.digest for shard in rows],
        ),
        compute,
    )


def find_contaminated_written(
    documents: pa.Table, config: DecontaminateConfig
) -> dict[str, tuple[str, str]]:
    """Return the id of each written document that an evaluation set holds -> reason and detail.

    Args:
        documents: DOCUMENTS that an LLM wrote, not in the corpus yet. Each counts for itself: its
            group is that of the document it was written from, which was compared before.
        config: What is blocked.
    """
    if not config.against:
        return {}
    alone = pl.DataFrame(documents.select(["doc_id", "text"])).with_columns(
        pl.lit("").alias(name) for name in DOCUMENT_COLUMNS if name not in ("doc_id", "text")
    )
    found = find_contaminated_documents([alone.to_arrow()], block_list(config))
    return {doc_id: (reason, detail) for doc_id, reason, detail in found.iter_rows()}


def without_evaluation_texts(rejections: pa.Table, config: DecontaminateConfig) -> pa.Table:
    """Return REJECTIONS of all stages in which none repeats a text of an evaluation set.

    Rows that stopped for another reason, before they were compared, may hold one.
    """
    if not config.against or not rejections.num_rows:
        return rejections
    frame = pl.DataFrame(rejections)
    parts = frame.select("row", "detail").iter_slices(_BLOCK)
    fields = pl.concat([_matching_fields(part, block_list(config)) for part in parts])
    is_held = fields.is_not_null()
    held = [
        _wordless(row, matching)
        for row, matching in zip(
            frame["row"].filter(is_held), fields.filter(is_held).to_list(), strict=True
        )
    ]
    rows = frame["row"].scatter(is_held.arg_true(), held) if held else frame["row"]
    said = frame["detail"].zip_with(~is_held, pl.Series(["held back: evaluation data"]))
    return frame.with_columns(row=rows, detail=said).to_arrow().cast(rejections.schema)


def _matching_fields(rejections: pl.DataFrame, blocked: BlockList) -> pl.Series:
    """Return (R,) the fields of each row that repeat an evaluation text; null where none does."""
    places, names, texts = list[int](), list[str](), list[str]()
    for place, (row, detail) in enumerate(rejections.iter_rows()):
        fields = {**json.loads(row), _DETAIL: detail}
        for name, value in fields.items():
            if not name.endswith(_IDS):
                leaves = list(text_leaves(value))
                places += [place] * len(leaves)
                names += [name] * len(leaves)
                texts += leaves
    leaves_of = pl.DataFrame(
        {"row": places, "field": names}, schema={"row": pl.UInt32, "field": pl.String}
    )
    series = pl.Series(texts, dtype=pl.String)
    matches = blocked.match_blocks(
        (first, series.slice(first, _BLOCK)) for first in range(0, len(texts), _BLOCK)
    )
    found = leaves_of[matches["text"].unique().sort()].group_by("row").agg("field")
    every = pl.DataFrame({"row": pl.Series(range(rejections.height), dtype=pl.UInt32)})
    return every.join(found, on="row", how="left", maintain_order="left")["field"]


def _wordless(row: str, matching: Sequence[str]) -> str:
    fields = json.loads(row)
    return canonical_json({k: v for k, v in fields.items() if k not in {*_TEXTS, *matching}})


def decontamination_record(
    config: DecontaminateConfig, stages: Sequence[StageOutcome]
) -> DecontaminationRecord | None:
    """Return what was blocked and what it stopped: names, digests and counts, no text."""
    if not config.against:
        return None
    blocked = block_list(config)
    sets = []
    for one in blocked.sets:
        hits = {
            f"{stage.name}.{reason}": number
            for stage in stages
            if stage.name in {DOCUMENT_STAGE, QUERY_STAGE, WRITE}
            for reason, number in sorted(stage.counts.rejected.items())
            if reason.endswith(f"in_evaluation_set_{one.slug}")
        }
        sets.append(
            EvaluationSetRecord(
                name=one.name,
                sha256=one.sha256(),
                queries=sum(kind == "query" for kind in one.kinds),
                documents=sum(kind == "document" for kind in one.kinds),
                ids=len(one.blocked_ids),
                stopped=hits,
            )
        )
    return DecontaminationRecord(ngram_words=config.ngram_words, sets=tuple(sets))


def joined_records(
    old: DecontaminationRecord | None, new: DecontaminationRecord | None
) -> DecontaminationRecord | None:
    """Return what was kept out before and now; the longer run of words is what all were held to."""
    if old is None or new is None:
        return new or old
    longer = max(old.ngram_words, new.ngram_words)
    return DecontaminationRecord(ngram_words=longer, sets=(*old.sets, *new.sets))


def _row_verdicts(
    queries: pa.Table,
    positives: pa.Table,
    negatives: pa.Table,
    documents: pl.DataFrame,
    blocked: BlockList,
) -> pl.DataFrame:
    """Return `query_id`, `reason`, `detail` of the rows that stop; each once, the query first."""
    own = pl.DataFrame(find_contaminated_queries(queries, blocked))
    places = {
        "": pl.DataFrame(queries.select(["query_id", "source_doc_id"])),
        "positive_": pl.DataFrame(positives.select(["query_id", "positive_ids"])),
        "negative_": pl.DataFrame(negatives.select(["query_id", "negative_ids"])),
        "original_": pl.DataFrame(positives.select(["query_id", "original_positive_id"])),
    }
    found = [own]
    for prefix, frame in places.items():
        column = frame.columns[1]
        flat = frame.explode(column) if frame[column].dtype == pl.List else frame
        prefixed = documents.with_columns(
            reason=pl.format("{}{}", pl.lit(prefix or "source_"), "reason").str.replace(
                "source_source_", "source_", literal=True
            )
        )
        found.append(
            flat.join(prefixed, left_on=column, right_on="doc_id", maintain_order="left").select(
                own.columns
            )
        )
    return pl.concat(found).unique("query_id", keep="first", maintain_order=True)


def _without(table: pa.Table, id_column: str, found: pl.DataFrame, stage: str) -> StageResult:
    """Return `table` without the rows that were found; rejections name no text."""
    ids = pl.Series("id", table[id_column], dtype=pl.String)
    known = found.select(id=id_column, reason="reason", detail="detail")
    lines = pl.DataFrame({"id": ids}).join(known, on="id", how="left", maintain_order="left")
    is_found = lines["reason"].is_not_null()
    stopped = table.filter(is_found.to_arrow())
    said = lines.filter(is_found)
    return StageResult(
        kept=table.filter((~is_found).to_arrow()),
        rejected=reject_rows(
            stopped.drop_columns([name for name in _TEXTS if name in stopped.column_names]),
            id_column,
            stage,
            said["reason"].to_list(),
            said["detail"].to_list(),
        ),
        rows_in=table.num_rows,
    )
