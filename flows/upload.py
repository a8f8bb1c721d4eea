"""`pairmill publish DIR TARGET`: a finished directory goes up, and only on demand.

Not to be mistaken for `flows.publish`, which writes a build's results into DIR: this module sends
what is in DIR elsewhere. It sends nothing unless told to, and nothing that DIR's own manifest does
not list: never DIR/.work.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data_cards import layout
from data_cards.exports.record import README, RECORD, is_whole, load_record
from data_cards.licences import Notice, notices
from data_cards.manifest import file_records, load_manifest
from flows.progress import stage_progress
from flows.upload_targets import LocalFile, Target, open_target, without_credentials
from sdg import store
from sdg.errors import BackendError, ConfigError, DataError

# Beside the tables, if they were made.
_EXTRAS = (
    layout.CROISSANT,
    *(
        f"{layout.AUDIT}/{name}"
        for name in ("metrics.json", "report.html", "findings.parquet", layout.PROBE)
    ),
    layout.CHANGELOG,
)


class Listing(NamedTuple):
    """What would go up.

    Attributes:
        files: In the order in which they go: the manifest, which says that all is there, last.
        licence: Of the whole.
        notices: Whose rights are in it.
    """

    files: tuple[LocalFile, ...]
    licence: str
    notices: tuple[Notice, ...]


class UploadOutcome(NamedTuple):
    """What went up.

    Attributes:
        target: Where to; user and password are masked.
        listing: What should be there.
        sent: Paths that were sent now; the others were there already.
        was_dry_run: True if nothing was sent because nobody said so.
    """

    target: str
    listing: Listing
    sent: tuple[str, ...]
    was_dry_run: bool

    def to_json(self) -> dict[str, Any]:
        """Return the outcome for `--json`."""
        return {
            "target": self.target,
            "was_dry_run": self.was_dry_run,
            "licence": self.listing.licence,
            "notices": [notice.model_dump(mode="json") for notice in self.listing.notices],
            "files": [
                {"path": f.path, "bytes": f.bytes, "sha256": f.sha256, "sent": f.path in self.sent}
                for f in self.listing.files
            ],
        }


def upload(
    directory: Path,
    target: str,
    *,
    yes: bool = False,
    accept_licences: bool = False,
    public: bool = False,
) -> UploadOutcome:
    """Send a finished data set or export to `target`, or say what would be sent.

    A run that was cut off is resumed: files whose checksum at the target is right are not sent
    again. Afterwards every file's checksum at the target has been checked.

    Args:
        directory: Written by `pairmill build`, `mine`, `relabel` or `export`.
        target: A URL; see `open_target`.
        yes: Send; without it the target is not even asked.
        accept_licences: The caller signs off the notice of licences.
        public: A new repository on the hub is public.

    Raises:
        ConfigError: If the notice is not signed off, or the target holds other files.
        DataError: If `directory` is not whole.
        BackendError: If the target fails, or does not hold what was sent.
    """
    place, shown = open_target(target, public=public), without_credentials(target)
    listing = list_files(directory)
    if not yes:
        return UploadOutcome(shown, listing, (), was_dry_run=True)
    if not accept_licences:
        raise ConfigError(_sign_off(listing))
    sent = send(listing.files, place)
    return UploadOutcome(shown, listing, sent, was_dry_run=False)


def list_files(directory: Path) -> Listing:
    """Return the files of a finished data set or export that may go up, checked.

    Raises:
        DataError: If a file is missing or differs from the manifest.
    """
    if (directory / RECORD).is_file() and not (directory / layout.MANIFEST).is_file():
        record = load_record(directory)
        names = [*record.files, README, RECORD]
        files = _local_files(directory, names)
        whole = is_whole(directory, record)
        licence, shown = record.licence, record.notices
    else:
        manifest = load_manifest(directory)
        extras = [name for name in _EXTRAS if (directory / name).is_file()]
        names = [*manifest.files, *extras, layout.CARD, layout.MANIFEST]
        files = _local_files(directory, names)
        whole = file_records(directory) == manifest.files
        licence, shown = manifest.licence, notices(manifest)
    if not whole:
        raise DataError(
            f"`{directory}` must hold exactly the files that its manifest lists, but some are "
            "missing, added or changed. Run the command that wrote it again."
        )
    return Listing(files, licence, shown)


def send(files: Sequence[LocalFile], place: Target) -> tuple[str, ...]:
    """Bring a target to hold exactly `files`; return the paths that had to be sent.

    Raises:
        ConfigError: If the target holds files that are not among them.
        BackendError: If the target fails, or does not hold afterwards what was sent.
    """
    there = place.listing()
    foreign = sorted(set(there) - {file.path for file in files})
    if foreign:
        raise ConfigError(
            f"The target must be empty or hold this data set, but holds {len(foreign)} other "
            f"files, first {foreign[:3]}. A reader would take them for a part of it. "
            "Remove them, or give another target."
        )
    missing = [f for f in files if there.get(f.path) != f.bytes or not place.holds(f)]
    if not missing:
        return ()
    last = files[-1]
    if last.path in there and last in missing:
        # The old manifest must not stand beside new files.
        place.remove(last.path)
    with stage_progress("publish", "bytes", sum(file.bytes for file in missing)) as bar:
        place.put(missing, bar.advance)
    there = place.listing()
    wrong = [f.path for f in missing if there.get(f.path) != f.bytes or not place.holds(f)]
    if wrong:
        raise BackendError(
            f"Every file at the target must have the checksum of ours, but {len(wrong)} differ or "
            f"are missing, first {wrong[:3]}. Run the command again: it sends those.",
            retryable=True,
        )
    return tuple(file.path for file in missing)


def _local_files(directory: Path, names: Sequence[str]) -> tuple[LocalFile, ...]:
    files = []
    root = directory.resolve()
    for name in names:
        local = directory / name
        if not local.resolve().is_relative_to(root) or not local.is_file():
            raise DataError(
                f"`{directory}` must hold the file {name!r} that its manifest lists, but does not. "
                "Run the command that wrote it again."
            )
        files.append(LocalFile(name, local, local.stat().st_size, store.sha256_of(local)))
    return tuple(files)


def _sign_off(listing: Listing) -> str:
    unknown = [f"{notice.kind} {notice.name}" for notice in listing.notices if notice.is_unknown]
    what = "; ".join(
        f"{n.kind} {n.name}: {n.licence}{f', credit {n.attribution}' if n.attribution else ''}"
        for n in listing.notices
    )
    return f"The licences must be signed off with --accept-licences, but are not. {what}." + (
        f" Unknown: {', '.join(unknown)}; find out first." if unknown else ""
    )
