"""Commands that look at a finished data set: show, card, audit, eval-set, probe, diff."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flows.command_line import (
    NO_SETTINGS,
    CountOption,
    JsonOption,
    SetOption,
    app,
    print_json,
)
from sdg.errors import GateError


@app.command()
def show(
    directory: Annotated[Path, typer.Argument(help="A finished data set.", metavar="DIR")],
    stage: Annotated[str | None, typer.Option(help="Show rows that this stage rejected.")] = None,
    reason: Annotated[str | None, typer.Option(help="Show rows rejected for this reason.")] = None,
    split: Annotated[str | None, typer.Option(help="Show kept rows of this split only.")] = None,
    count: CountOption = 10,
    as_json: JsonOption = False,
) -> None:
    """Look at rows: kept, or rejected and why."""
    from data_cards import show as rows_of

    if split is not None and (stage or reason):
        from sdg.errors import ConfigError

        raise ConfigError(
            f"`--split` must stand without `--stage` and `--reason`, but is {split!r} beside them "
            "instead. Rejected rows have no split."
        )
    if stage or reason:
        table = rows_of.rejected_rows(directory, stage=stage, reason=reason, limit=count)
    else:
        table = rows_of.kept_rows(directory, split=split, limit=count)
    rows = table.to_pylist()
    if as_json:
        print_json(rows)
        return
    console = Console()
    for row in rows:
        console.print(rows_of.describe_row(row), markup=False, highlight=False)
    console.print(f"{len(rows)} rows shown (-n {count})", markup=False)


@app.command()
def card(
    directory: Annotated[Path, typer.Argument(help="A finished data set.", metavar="DIR")],
    set_: Annotated[
        list[str],
        typer.Option("--set", help="State a fact of the card: --set date_published=2026-11-21."),
    ] = NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Check a finished data set against its manifest; render card and Croissant again."""
    from data_cards import layout
    from flows.card_command import render_again

    path = render_again(directory, set_)
    paths = {"card": str(path), "croissant": str(path.with_name(layout.CROISSANT))}
    if as_json:
        print_json(paths)
    else:
        for name, shown in paths.items():
            Console().print(f"{name}: {shown}", markup=False)


@app.command()
def audit(
    data_set: Annotated[
        str,
        typer.Argument(
            help="A data set of any layout: a directory, a file, or a hub id.", metavar="DIR"
        ),
    ],
    config: Annotated[
        Path | None, typer.Option("--config", help="A YAML file: metrics, gates, judge.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where metrics go; default DIR/audit, else DIR-audit."),
    ] = None,
    against: Annotated[
        list[str],
        typer.Option(help="An evaluation set that must not be in it: a BEIR directory, a table."),
    ] = NO_SETTINGS,
    set_: SetOption = NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Measure whether a data set is any good; a figure past a gate's limit is exit status 1."""
    from flows.audit import audit_data_set, failures
    from flows.audit_report import print_audit

    outcome = audit_data_set(data_set, config, out, [*_evaluation_sets(against), *set_])
    if as_json:
        print_json(outcome.to_json())
    else:
        print_audit(outcome, Console())
    failed = failures(outcome)
    if failed:
        raise GateError.of(failed)


@app.command(name="eval-set")
def eval_set(
    directory: Annotated[Path, typer.Argument(help="A finished data set.", metavar="DIR")],
    out: Annotated[Path, typer.Option("--out", help="Directory of the evaluation set (BEIR).")],
    set_: SetOption = NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Make an evaluation set from documents and human-written texts that DIR did not use."""
    from flows.eval_set import make_eval_set, print_eval_set

    record = make_eval_set(directory, out, set_)
    if as_json:
        print_json(record)
    else:
        print_eval_set(record, out, Console())


@app.command()
def probe(
    directory: Annotated[Path, typer.Argument(help="A finished data set.", metavar="DIR")],
    evaluation: Annotated[
        Path, typer.Option("--eval", help="Evaluation set: a BEIR directory.", metavar="BEIR_DIR")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for probe.json; default DIR/audit.")
    ] = None,
    set_: SetOption = NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Train a small encoder on a data set and measure it before and after, by negatives."""
    from flows.probe import run_probe
    from flows.probe_report import print_probe

    probed = run_probe(directory, evaluation, out, set_)
    if as_json:
        print_json(probed.results.to_json())
    else:
        print_probe(probed, Console())


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="A finished data set.", metavar="OLD")],
    new: Annotated[Path, typer.Argument(help="Its next version.", metavar="NEW")],
    as_json: JsonOption = False,
) -> None:
    """Print what changed between two versions, as a section for NEW/CHANGELOG.md."""
    from data_cards.changelog import render_changes
    from flows.diff_command import diff_data_sets

    changes = diff_data_sets(old, new)
    if as_json:
        print_json(changes.to_json())
    else:
        sys.stdout.write(render_changes(changes))


def _evaluation_sets(paths: list[str]) -> list[str]:
    """Return evaluation sets as the setting that names them."""
    return [f"against={json.dumps([{'path': path} for path in paths])}"] if paths else []
