"""Commands that make a data set of documents: build, plan, preview, serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flows.command_line import (
    NO_SETTINGS,
    ConfigArgument,
    CountOption,
    JsonOption,
    OutOption,
    SetOption,
    app,
    print_json,
)
from sdg.errors import GateError


@app.command()
def build(
    config: ConfigArgument,
    out: OutOption = None,
    set_: SetOption = NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Run or resume the whole flow; what is finished is not done again."""
    from flows.build import run_build
    from flows.report import print_outcome

    outcome = run_build(config, out, set_)
    if as_json:
        print_json(outcome.to_json())
    else:
        print_outcome(outcome, Console())
    if outcome.failed_gates:
        from flows.audit_report import print_failed

        if not as_json:
            print_failed(outcome, Console())
        raise GateError.of(outcome.failed_gates)


@app.command()
def plan(
    config: ConfigArgument,
    out: OutOption = None,
    set_: SetOption = NO_SETTINGS,
    written: Annotated[
        list[str],
        typer.Option(
            "--tokens-per-second",
            metavar="[GENERATOR=]N",
            help="Rate of writing; default what was measured in the directory, else the demo's.",
        ),
    ] = NO_SETTINGS,
    read: Annotated[
        list[str],
        typer.Option(
            "--prompt-tokens-per-second",
            metavar="[GENERATOR=]N",
            help="Rate of reading prompts.",
        ),
    ] = NO_SETTINGS,
    as_json: JsonOption = False,
) -> None:
    """Show what a build would do and cost; reads the corpus, asks no LLM."""
    from flows.plan_report import print_plan
    from flows.preview import plan_run

    planned = plan_run(config, out, set_, written, read)
    if as_json:
        print_json(planned.to_json())
    else:
        print_plan(planned, Console())


@app.command()
def preview(
    config: ConfigArgument,
    out: OutOption = None,
    set_: SetOption = NO_SETTINGS,
    count: CountOption = 5,
    as_json: JsonOption = False,
) -> None:
    """Build a few rows with the real models and show them with prompts, scores and rejections."""
    from flows.preview import preview_rows, print_preview

    previewed = preview_rows(config, out, set_, count)
    if as_json:
        print_json(previewed.to_json())
    else:
        print_preview(previewed, Console())


@app.command()
def serve(
    configs: Annotated[list[Path], typer.Argument(help="Files with a schedule.", metavar="CONFIG")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of data sets; default runs/.")
    ] = None,
    set_: SetOption = NO_SETTINGS,
) -> None:
    """Register the scheduled flows with the configured Prefect server and run them when due."""
    from flows.serve import serve_configs

    serve_configs(configs, set_, out)


@app.command()
def check(
    config: ConfigArgument,
    out: OutOption = None,
    set_: SetOption = NO_SETTINGS,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            min=0.1,
            help="Seconds to wait for an answer at most; default the engines' timeout_seconds.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask every model, server, encoder and store of a configuration one question; keep nothing."""
    from flows.check import Checked, check_run, exit_status
    from flows.check_report import check_json, print_checks, print_line, print_summary

    console = Console()

    def show(one: Checked) -> None:
        if not as_json and not console.is_terminal:
            print_line(one, console)

    checked = check_run(config, out, set_, timeout, show)
    if as_json:
        print_json(check_json(checked))
    else:
        if console.is_terminal:
            print_checks(checked, console)
        print_summary(checked, console)
    raise typer.Exit(exit_status(checked))
