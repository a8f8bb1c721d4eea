"""The tables that `pairmill export` and `pairmill publish` print."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from data_cards.escape import printable
from data_cards.exports.record import README
from data_cards.licences import Notice
from flows.export import ExportOutcome
from flows.upload import UploadOutcome


def print_export(outcome: ExportOutcome, console: Console) -> None:
    """Print what was written, what was left out and why, and where the files are."""
    record = outcome.record
    table = Table(title="In = written + left out", title_justify="left")
    table.add_column("split")
    table.add_column("of")
    for column in ("in", "written", "left out"):
        table.add_column(column, justify="right")
    table.add_column("reasons")
    for split, tally in record.splits.items():
        for unit in ("rows", "positives", "negatives"):
            count = tally[unit]
            reasons = ", ".join(f"{reason} {n:,}" for reason, n in count["left_out"].items())
            left_out = count["in"] - count["written"]
            figures = (f"{n:,}" for n in (count["in"], count["written"], left_out))
            table.add_row(printable(split), unit, *figures, reasons)
    console.print(table)
    size = sum(file.bytes for file in record.files.values())
    console.print(f"{len(record.files)} files, {size:,} bytes, for {record.trainer}", markup=False)
    if outcome.was_current:
        console.print("Nothing to do: the directory already holds this export.")
    where = printable(str(outcome.directory / README))
    console.print(f"how to load them, and whose texts they are: {where}", markup=False)


def print_notices(licence: str, notices: Iterable[Notice], console: Console) -> None:
    """Print whose rights are in a data set."""
    console.print(f"licence of the whole: {printable(licence)}", markup=False, highlight=False)
    for notice in notices:
        credit = f", credit {printable(notice.attribution)}" if notice.attribution else ""
        console.print(
            f"{notice.kind} {printable(notice.name)} ({printable(notice.content)}): licence "
            f"{printable(notice.licence)}{credit}",
            markup=False,
            highlight=False,
        )


def print_upload(outcome: UploadOutcome, console: Console) -> None:
    """Print files, licences, and what was sent or how to send it."""
    table = Table(title=f"Files for {printable(outcome.target)}", title_justify="left")
    table.add_column("file")
    table.add_column("bytes", justify="right")
    table.add_column("sent")
    for file in outcome.listing.files:
        state = "" if outcome.was_dry_run else "now" if file.path in outcome.sent else "was there"
        table.add_row(printable(file.path), f"{file.bytes:,}", state)
    console.print(table)
    print_notices(outcome.listing.licence, outcome.listing.notices, console)
    total = sum(file.bytes for file in outcome.listing.files)
    if outcome.was_dry_run:
        console.print(
            f"Dry run: nothing was sent. To send {total:,} bytes: --yes-publish --accept-licences",
            markup=False,
        )
    else:
        console.print(f"{len(outcome.sent)} files sent; every checksum there was checked.")
