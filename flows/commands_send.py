"""Commands that take a finished data set elsewhere: export, publish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flows.command_line import (
    NO_SETTINGS,
    JsonOption,
    app,
    print_json,
)


@app.command()
def export(
    directory: Annotated[Path, typer.Argument(help="A finished data set.", metavar="DIR")],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="triplet, n-tuple, labeled-pair, labeled-list, flagembedding, tevatron, nemo, "
            "pylate, beir.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory of the export; default DIR-<format>.")
    ] = None,
    split: Annotated[
        list[str], typer.Option("--split", help="Export this split only; may be repeated.")
    ] = NO_SETTINGS,
    set_: Annotated[
        list[str], typer.Option("--set", help="A setting of the format: --set scores=list.")
    ] = NO_SETTINGS,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another export in that directory.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a finished data set as files for one trainer; DIR is not changed."""
    from flows.export import export_data_set
    from flows.export_report import print_export

    outcome = export_data_set(
        directory, format_, out, splits=split, overrides=set_, overwrite=overwrite
    )
    if as_json:
        print_json(outcome.to_json())
    else:
        print_export(outcome, Console())


@app.command()
def publish(
    directory: Annotated[
        Path, typer.Argument(help="A finished data set or export.", metavar="DIR")
    ],
    target: Annotated[
        str, typer.Argument(help="s3://…, file:///…, hf://datasets/OWNER/NAME", metavar="TARGET")
    ],
    yes: Annotated[
        bool, typer.Option("--yes-publish", help="Send; without it, only say what would be sent.")
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept-licences", help="Sign off the notice of licences.")
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="A new repository on the hub is public.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Send a finished directory elsewhere; a dry run unless told otherwise."""
    from flows.export_report import print_upload
    from flows.upload import upload

    outcome = upload(directory, target, yes=yes, accept_licences=accept, public=public)
    if as_json:
        print_json(outcome.to_json())
    else:
        print_upload(outcome, Console())
