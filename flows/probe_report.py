"""The table at the end of a probe."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from data_cards.escape import printable
from data_cards.probe import results
from flows.probe import BEFORE, Probed


def print_probe(probed: Probed, console: Console) -> None:
    """Print the arms with their intervals, and what was kept out."""
    found = probed.results
    table = Table(
        title=f"{printable(found.model)} on {printable(found.eval.name)}: "
        f"{found.eval.queries:,} queries, {found.eval.documents:,} documents",
        title_justify="left",
    )
    table.add_column("negatives", no_wrap=True)
    for column in ("nDCG@10", "95 %", "gain", "95 %", "Recall@100"):
        table.add_column(column, justify="right", no_wrap=True)
    for arm in found.arms:
        ndcg, gain = arm.ndcg_at_10, arm.gain_ndcg_at_10
        change = ("", "") if gain is None else (f"{gain.value:+.4f}", _ends(gain, "+.3f"))
        name = "(before)" if arm.name == BEFORE else arm.name
        recall = f"{arm.recall_at_100.value:.4f}"
        table.add_row(name, f"{ndcg.value:.4f}", _ends(ndcg, ".3f"), *change, recall)
    console.print(table)
    rows = found.rows
    console.print(
        f"{found.steps} steps on {rows.trained_on:,} of {rows.train:,} rows; "
        f"kept out: {_counts(rows.kept_out)}; left out: {_counts(rows.left_out)}"
    )
    if found.eval.documents_truncated or found.eval.queries_truncated:
        console.print(
            f"only the beginning was read of {found.eval.documents_truncated:,} documents and "
            f"{found.eval.queries_truncated:,} queries of the evaluation set (max_tokens)"
        )
    for arm_name, why in found.skipped_arms.items():
        console.print(f"no arm {arm_name}: {why}", markup=False)
    console.print(f"results: {printable(str(probed.path))}", markup=False)


def _ends(interval: results.Interval, form: str) -> str:
    return f"{interval.low:{form}}..{interval.high:{form}}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {n:,}" for reason, n in counts.items() if n) or "none"
