"""The plan for people: the matrix, its totals, and how far its times can be believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from data_cards.escape import printable
from flows.estimate import Estimate, Total
from flows.plan_rows import RELABEL, PlanRow
from flows.preview import Planned

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
_UNKNOWN = "?"


def print_plan(planned: Planned, console: Console) -> None:
    """Print the stages so far, then what would be asked and what it is expected to cost."""
    for stage in planned.stages:
        reasons = ", ".join(f"{k} {v:,}" for k, v in stage.counts.rejected.items()) or "none"
        console.print(
            f"{stage.name}: {stage.counts.rows_in:,} {stage.unit}, {stage.counts.kept:,} kept; "
            f"rejected: {reasons}",
            markup=False,
        )
    console.print(_matrix(planned.estimate))
    for line in lines_of(planned.estimate):
        console.print(printable(line), markup=False, highlight=False)


def duration(seconds: float | None) -> str:
    """Return a time in the unit that suits it; "?" where it is not known."""
    if seconds is None:
        return _UNKNOWN
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:,.1f} {name}"
    return f"{seconds:,.0f} s"


def _matrix(estimate: Estimate) -> Table:
    table = Table(title="What would be asked", title_justify="left")
    for column in ("languages", "task", "generator"):
        table.add_column(column)
    # A column that says nothing of this run would squeeze the others on a narrow terminal.
    more = []
    if estimate.total.gpu_hours:
        more.append("GPU-hours")
    if estimate.total.cost is not None:
        more.append("cost")
    for column in ("requests", "rows", "tokens read", "written", "time", *more):
        table.add_column(column, justify="right")
    for row in estimate.rows:
        names = (_languages(row), row.task, row.generator or "people")
        table.add_row(*map(printable, names), *_figures(row, more))
    for name, total in estimate.by_generator.items():
        table.add_section()
        table.add_row("all", "", printable(name), *_figures(total, more))
    table.add_section()
    table.add_row("all", "", "", *_figures(estimate.total, more))
    return table


def _languages(row: PlanRow) -> str:
    if row.document_language == row.query_language:
        return row.query_language
    return f"{row.document_language} → {row.query_language}"


def _figures(row: PlanRow | Total, more: Sequence[str]) -> Iterator[str]:
    for count in (row.requests, row.candidates, row.prompt_tokens, row.completion_tokens):
        yield f"{count:,}"
    yield duration(row.seconds)
    if "GPU-hours" in more:
        yield _UNKNOWN if row.gpu_hours is None else f"{row.gpu_hours:,.2f}"
    if "cost" in more:
        yield "" if row.cost is None else f"{row.cost:,.2f}"


def lines_of(estimate: Estimate) -> Iterator[str]:
    """Yield what stands under the matrix, one fact a line."""
    for name, rate in estimate.rates.items():
        yield f"{name}: {rate.told()}"
    if any(rate.is_guessed for rate in estimate.rates.values()):
        yield (
            "Times marked NOT measured here are the demo's model's; a GPU server is one or two "
            "orders of magnitude faster. Run a preview first, or give --tokens-per-second and "
            "--prompt-tokens-per-second."
        )
    if estimate.total.unknown:
        yield f"{estimate.total.unknown} rows have no known rate: their time is not in the totals"
    mebibytes = estimate.vector_bytes / 2**20
    yield f"documents to embed: {estimate.documents:,} (up to {mebibytes:,.0f} MiB)"
    if estimate.varies:
        yield "requests of variations: at most, as if every candidate before them were accepted"
    if estimate.scores:
        yield f"likelihoods to score when relabelling, {RELABEL}: at most {estimate.scores:,}"
    if estimate.review_requests:
        yield f"requests to reviewers of pairs: at most {estimate.review_requests:,}"
    if estimate.judge_requests:
        yield (
            f"requests to judges of negatives: at most {estimate.judge_requests:,}; their tokens "
            "are not counted here"
        )
    yield "Tokens are expected from lengths of texts; times of generators add up, one at a time."
