"""What all commands share: the application, options, and JSON for machines."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="Documents in, an audited training set for text-embedding models out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigArgument = Annotated[
    Path, typer.Argument(help="A YAML file, or the name of a preset (demo).", metavar="CONFIG")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Directory of the data set; default runs/<name>.")
]
SetOption = Annotated[
    list[str], typer.Option("--set", help="Change a setting: --set mining.num_negatives=8.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value, for machines.")]
CountOption = Annotated[int, typer.Option("-n", min=1, help="Rows to show.")]

NO_SETTINGS: list[str] = []


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Print a JSON value on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n")
