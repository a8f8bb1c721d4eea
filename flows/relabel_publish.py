"""A relabelled data set as a directory: the old manifest carried on, rows written as in a build."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from data_cards import layout
from data_cards.manifest import DataSetManifest
from flows import published
from flows.corpus_stages import corpus_of
from flows.decontamination import without_evaluation_texts
from flows.fingerprint import finished_outcome
from flows.finished import FinalTables
from flows.judging import concat
from flows.outcome import RunOutcome, StageOutcome
from flows.publish import finish_directory, write_rows
from flows.relabel_manifest import Existing, FinishedRows, describe_relabelled, relabel_fingerprint
from sdg import assemble
from sdg.errors import DataError
from sdg.llm.usage import Usage
from sdg.schemas import GRADES, NEGATIVES, POSITIVES, QUERIES, REJECTIONS
from sdg.shards import Shard


def current_relabelled(existing: Existing, target: Path) -> RunOutcome | None:
    """Return the outcome of a directory that already is what is asked for, or None."""
    found = finished_outcome(target, lambda: relabel_fingerprint(existing))
    if found is None:
        return None
    figures = {"rows": found.figures["rows"], "LLM requests sent": 0}
    own = found.stages[len(existing.manifest.stages) :]
    return replace(found, stages=own, figures=figures)


def publish_relabelled(
    existing: Existing, target: Path, finished: FinishedRows, stages: Sequence[StageOutcome]
) -> DataSetManifest:
    """Write the relabelled data set and check every promise on its files.

    Splits are drawn again with the old seed: a row changes its split only where a new positive
    joins two groups of documents.

    Raises:
        DataError: If no row is left.
        ContractError: If the finished directory breaks a promise.
    """
    staging = target / layout.WORK / "publish"
    shutil.rmtree(staging, ignore_errors=True)
    names = _fresh_names(existing.manifest, [stage.name for stage in stages])
    new = _renamed(concat(finished.rejecting, "rejected", REJECTIONS), names)
    tables = _final_tables(existing, finished, new)
    source = existing.manifest
    config = assemble.AssembleConfig(splits=source.splits, seed=source.seeds.get("splits", 0))
    write_rows(config, staging, corpus_of(finished.documents), tables)
    described = describe_relabelled(existing, staging, finished, (stages, names, tables, new))
    finish_directory(staging, target, described)
    return described


def figures_of_relabelled(described: DataSetManifest, usage: Usage, start: float) -> dict[str, Any]:
    """Return what a run made and what it cost."""
    record = described.judge
    return {
        "rows": described.rows,
        "negatives": described.mining.selected,
        "queries with a flagged negative": 0 if record is None else record.queries_flagged,
        "negatives flagged": 0 if record is None else record.pairs_flagged,
        "positives changed": 0 if described.relabel is None else described.relabel.changed,
        "LLM requests sent": usage.sent,
        "LLM requests answered from the journal": usage.from_journal,
        "seconds": round(time.monotonic() - start, 1),
    }


def _fresh_names(source: DataSetManifest, names: Sequence[str]) -> dict[str, str]:
    """Return each stage's name in the new manifest: one that the old manifest does not have."""
    taken = {stage.name for stage in source.stages}
    fresh = {}
    for name in (*names, "assemble"):
        number, own = 1, name
        while own in taken:
            number += 1
            own = f"{name}_{number}"
        fresh[name] = own
    return fresh


def _renamed(rejections: pa.Table, names: Mapping[str, str]) -> pa.Table:
    column = pl.Series(rejections["stage"], dtype=pl.String).replace(dict(names))
    at = rejections.schema.get_field_index("stage")
    return rejections.set_column(at, "stage", column.to_arrow().cast(pa.string()))


def _final_tables(existing: Existing, finished: FinishedRows, new: pa.Table) -> FinalTables:
    negatives = concat(finished.last, "kept", NEGATIVES)
    if not negatives.num_rows:
        raise DataError(
            "A data set must keep at least one row, but none is left instead. The table "
            "`rejected` of each stage in .work says why; relax the judge or the policy."
        )
    ids = negatives["query_id"].combine_chunks()
    queries, positives = (
        table.filter(pc.is_in(table["query_id"], value_set=ids))
        for table in (
            concat(finished.given, "kept", QUERIES),
            concat(_with_positives(finished), "positives", POSITIVES),
        )
    )
    old = published.read_rejections(existing.directory)
    rejections = pa.concat_tables([old, new]).combine_chunks()
    rejections = without_evaluation_texts(rejections, existing.config.decontaminate)
    # What reviewers said is of the query and the document it was written for: both are as before.
    reviews = published.read_reviews(existing.directory, ids)
    return FinalTables(
        queries, positives, negatives, rejections, _grades(finished), reviews=reviews
    )


def _with_positives(finished: FinishedRows) -> Sequence[Shard]:
    has_own = all((shard.folder / "positives.parquet").is_file() for shard in finished.last)
    return finished.last if has_own else finished.given


def _grades(finished: FinishedRows) -> pa.Table:
    """Return the new grade of every pair, and the old one where no judge gave a new one."""
    new = pl.DataFrame(concat(finished.judged, "grades", GRADES))
    old = pl.DataFrame(concat(finished.given, "grades", GRADES))
    kept = old.join(new, on=["query_id", "doc_id"], how="anti", maintain_order="left")
    return pl.concat([new, kept]).to_arrow().cast(GRADES)
