"""Looking before leaping: the plan without any LLM, and a few rows with the real models."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect import flow
from rich.console import Console

from data_cards import show
from flows import resources
from flows.build import RUNS, prepare_corpus, run_stages
from flows.config import RunConfig, load_config
from flows.estimate import Estimate, estimate_run
from flows.finished import Finished
from flows.outcome import StageOutcome
from flows.persona_stage import persona_configs
from flows.planning import limited, plan_shard
from flows.rates import GivenRates, rates_of
from flows.result_directory import opened
from flows.run import Run
from flows.runners import task_runner
from flows.workspace import Workspace
from sdg.errors import DataError
from sdg.personas import read_personas
from sdg.shards import Shard

# What is printed of a rejected row, and how much of each.
_TOLD = ("query", "raw_reply", "text", "task")
_WIDTH = 160


@dataclass(frozen=True, slots=True)
class Planned:
    """What a build would do.

    Attributes:
        stages: Of reading the corpus and planning.
        estimate: Requests, tokens, time, cost and disk, as expected.
    """

    stages: tuple[StageOutcome, ...]
    estimate: Estimate

    def to_json(self) -> dict[str, Any]:
        """Return the plan for `--json`."""
        stages = [{"name": s.name, "unit": s.unit, **s.counts.to_json()} for s in self.stages]
        return {"stages": stages, **self.estimate.to_json()}


@dataclass(frozen=True, slots=True)
class Previewed:
    """A few rows, finished and rejected, from a small run with the real models.

    Attributes:
        stages: Of the small run.
        rows: Finished: query, positive, negatives, scores, prompt, what reviewers said.
        rejected: A few rejections of the stages after the plan.
    """

    stages: tuple[StageOutcome, ...]
    rows: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the preview for `--json`."""
        return {"rows": self.rows, "rejected": self.rejected}


def plan_run(
    config_path: Path,
    out: Path | None,
    overrides: Sequence[str],
    written: Sequence[str] = (),
    read: Sequence[str] = (),
) -> Planned:
    """Read the corpus and plan; ask no LLM and embed nothing.

    Args:
        config_path: A YAML file, or the name of a preset.
        out: Where the data set would go; None for the same place as `pairmill build`.
        overrides: `a.b=c` settings.
        written: Tokens written per second, "900" of all generators or "name=900" of one.
        read: The same of tokens read.
    """
    config = load_config(config_path, overrides)
    for own in persona_configs(config).values():
        read_personas(own)
    given = GivenRates.parse(written, read, config.generators)
    space = Workspace(out or RUNS / config.name)
    with opened(space.directory, "build"), resources.released_at_end():
        return _plan.with_options(task_runner=task_runner(config.runner))(config, space, given)


def preview_rows(
    config_path: Path, out: Path | None, overrides: Sequence[str], count: int
) -> Previewed:
    """Run the whole flow on about `count` requests per plan entry, against the whole corpus.

    The corpus, its vectors and every LLM answer are kept and used by the real run.
    """
    config = load_config(config_path, overrides)
    small = limited(config, count)
    space = Workspace(out or RUNS / config.name, run="preview")
    with opened(space.directory, "build"), resources.released_at_end():
        shutil.rmtree(space.work / space.run, ignore_errors=True)
        return _preview.with_options(task_runner=task_runner(config.runner))(small, space, count)


@flow(name="pairmill-plan", persist_result=False, validate_parameters=False)
def _plan(config: RunConfig, space: Workspace, given: GivenRates) -> Planned:
    run = Run()
    corpus = prepare_corpus(run, config, space)
    plan = plan_shard(space, config, corpus.documents)
    run.add("plan", "requests", [plan])
    rates = rates_of(space, config.generators, given)
    return Planned(tuple(run.stages), estimate_run(config, plan, corpus.documents, rates))


@flow(name="pairmill-preview", persist_result=False, validate_parameters=False)
def _preview(config: RunConfig, space: Workspace, count: int) -> Previewed:
    run = Run()
    corpus = prepare_corpus(run, config, space)
    finished = run_stages(run, config, space, corpus)
    rows = _finished_rows(finished, count)
    rejected = [
        row
        for shard in finished.rejecting
        if shard.folder.parent.name not in ("read", "deduplicate", "plan")
        for row in shard.table("rejected").slice(0, count).to_pylist()
    ]
    return Previewed(tuple(run.stages), rows, _spread(rejected, count))


def _finished_rows(finished: Finished, count: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    documents = resources.Documents([s.folder / "kept.parquet" for s in finished.documents])
    nothing: list[Shard | None] = [None] * len(finished.queries)
    reviewed = finished.reviewed or nothing
    for queries, negatives, reviews in zip(
        finished.queries, finished.negatives, reviewed, strict=True
    ):
        said = _reviews_by_query(reviews)
        by_id = {row["query_id"]: row for row in queries.table("kept").to_pylist()}
        kept = negatives.table("kept")
        wanted = [i for ids in kept["negative_ids"].to_pylist() for i in ids]
        wanted += [i for ids in kept["positive_ids"].to_pylist() for i in ids]
        texts = documents.texts(wanted)
        for row in kept.to_pylist()[: count - len(rows)]:
            query = by_id[row["query_id"]]
            rows.append(
                {
                    "query": query["query"],
                    "query_language": query["query_language"],
                    "task": query["task"],
                    "generator": query["generator"],
                    "prompt": query["prompt"],
                    "positives": [texts[i] for i in row["positive_ids"]],
                    "positive_scores": row["positive_scores"],
                    "negatives": [texts[i] for i in row["negative_ids"]],
                    "negative_scores": row["negative_scores"],
                    "negative_ranks": row["negative_ranks"],
                    "reviews": said.get(row["query_id"], []),
                }
            )
    return rows


def _reviews_by_query(reviewed: Shard | None) -> dict[str, list[dict[str, Any]]]:
    """Return what reviewers said, by query."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in [] if reviewed is None else reviewed.table("reviews").to_pylist():
        found.setdefault(line.pop("query_id"), []).append(line)
    return found


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}… ({len(text):,} characters)"


def _place(rank: int) -> str:
    # Written and random negatives come from no search.
    return "no rank " if rank < 0 else f"rank {rank:>3}"


def _review_lines(reviews: list[dict[str, Any]]) -> list[str]:
    """Return one line per reviewer: its scores, or why there are none."""
    said: dict[str, list[str]] = {}
    for line in reviews:
        text = line["failure"] or f"{line['criterion']} {line['review_score']:g}"
        said.setdefault(line["reviewer"], []).append(text)
    return [f"  review    {reviewer}  {', '.join(texts)}" for reviewer, texts in said.items()]


def _spread(rejected: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Return up to `count` rejections, as many different reasons as there are."""
    by_reason: dict[str, list[dict[str, Any]]] = {}
    for row in rejected:
        by_reason.setdefault(f"{row['stage']}/{row['reason']}", []).append(row)
    picked: list[dict[str, Any]] = []
    while len(picked) < count and any(by_reason.values()):
        picked += [rows.pop(0) for rows in by_reason.values() if rows]
    return picked[:count]


def print_preview(previewed: Previewed, console: Console) -> None:
    """Print finished rows, then rejections, each with what decided."""
    if not previewed.rows and not previewed.rejected:
        raise DataError(
            "A preview must have at least one request, but the plan gave none. "
            "See `pairmill plan` for the quotas."
        )
    for number, row in enumerate(previewed.rows, 1):
        head = f"[{number}] {row['task']} {row['query_language']} {row['generator'] or 'human'}"
        lines = [f"{head}  prompt {row['prompt'] or 'none'}", f"  query     {row['query']}"]
        for text, score in zip(row["positives"], row["positive_scores"], strict=True):
            lines.append(f"  positive  {score:.3f}  {_cut(text)}")
        scored = zip(row["negatives"], row["negative_scores"], row["negative_ranks"], strict=True)
        lines += [
            f"  negative  {score:.3f}  {_place(rank)}  {_cut(t)}" for t, score, rank in scored
        ]
        lines += _review_lines(row["reviews"])
        _print(lines, console)
    for row in previewed.rejected:
        detail = f" ({row['detail']})" if row["detail"] else ""
        said = [
            f"  {name:9} {_cut(value)}"
            for name, value in show.rejected_content(row).items()
            if value and isinstance(value, str) and name in _TOLD
        ]
        _print([f"rejected by {row['stage']}: {row['reason']}{detail}", *said], console)


def _print(lines: list[str], console: Console) -> None:
    for line in lines:
        # One line of ours each, however wide the terminal; what it holds breaks none.
        console.print(show.printable(line), markup=False, highlight=False, soft_wrap=True)
