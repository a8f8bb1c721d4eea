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
    as_json: JsonOption = False,
) -> None:
    """Show what a build would do; reads the corpus, asks no LLM."""
    from flows.preview import plan_run, print_plan

    planned = plan_run(config, out, set_)
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
