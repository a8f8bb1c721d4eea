"""A shard of a stage is finished exactly when its manifest is complete.

    <work>/<stage>/<shard>/manifest.json      written last
    <work>/<stage>/<shard>/<table>.parquet    one file per table of the outcome

The manifest names the fingerprint of everything that decided the content (stage, its code version,
its configuration, prompts, model revision, inputs), the counts, and every file's sha256. Nothing
else decides what may be skipped. `Shard.digest` depends on the files' content only, so a stage that
is computed again to the same bytes does not make the stages after it run again.

Why not timestamps or Prefect's cache: both forget that prompts, models and code are inputs too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from sdg import store
from sdg.errors import ContractError, DataError
from sdg.ids import fingerprint
from sdg.schemas import StageResult

MANIFEST = "manifest.json"
# Rows that a failing server left without an answer. A shard that counts some is whole enough to go
# on with, but the next run computes it again: the journal answers the rest, these are asked anew.
UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Counts:
    """The conservation law of one shard or stage: `rows_in == kept + sum(rejected)`.

    Attributes:
        rows_in: Rows given to the stage.
        kept: Rows that go on.
        rejected: Rows that stopped, by reason.
        extra: Other whole numbers worth reporting (tokens, positives changed); not conserved.
    """

    rows_in: int = 0
    kept: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.rows_in != self.kept + sum(self.rejected.values()):
            raise ContractError(
                f"Rows in must equal rows kept + rejected, but {self.rows_in} came in, {self.kept} "
                f"were kept and {dict(self.rejected)} rejected. The stage loses or invents rows."
            )

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of both together."""
        return Counts(
            self.rows_in + other.rows_in,
            self.kept + other.kept,
            dict(sorted((Counter(self.rejected) + Counter(other.rejected)).items())),
            dict(sorted((Counter(self.extra) + Counter(other.extra)).items())),
        )

    @classmethod
    def of(cls, result: StageResult, **extra: int) -> Counts:
        """Return the counts of a stage's result."""
        reasons = Counter(result.rejected["reason"].to_pylist())
        return cls(result.rows_in, result.kept.num_rows, dict(sorted(reasons.items())), extra)

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON; `from_json` reads them back."""
        return {
            "rows_in": self.rows_in,
            "kept": self.kept,
            "rejected": dict(self.rejected),
            "extra": dict(self.extra),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Counts:
        """Return the counts that `to_json` wrote."""
        return cls(value["rows_in"], value["kept"], value["rejected"], value["extra"])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What computing a shard gives.

    Attributes:
        tables: File name without ending -> table.
        counts: The shard's counts.
        facts: JSON facts that the card needs (a model's revision, a fallback taken).
    """

    tables: Mapping[str, pa.Table]
    counts: Counts
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shard:
    """A finished shard on disk; small enough to be passed between processes.

    Attributes:
        folder: Where its manifest and tables lie.
        fingerprint: Of everything that decided the content.
        digest: Of the content itself.
        counts: Its counts.
        facts: Its facts.
        was_computed: True if this call computed it, False if it was found finished.
    """

    folder: Path
    fingerprint: str
    digest: str
    counts: Counts
    facts: Mapping[str, Any]
    was_computed: bool

    def table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """Return the table called `name`, or only `columns` of it."""
        return store.read_parquet(self.folder / f"{name}.parquet", columns)


def finish(folder: Path, identity: Mapping[str, Any], compute: Callable[[], Outcome]) -> Shard:
    """Return the shard in `folder`, computing it only if it is not finished and whole.

    Args:
        folder: The shard's own folder.
        identity: JSON of everything that decides the content; its fingerprint is the key.
        compute: Called at most once.

    Returns:
        The finished shard. After a crash at any moment, calling again gives the same bytes. A
        shard with unanswered rows is handed on, but counts as finished only for this run.
    """
    key = fingerprint(identity)
    found = load(folder, key)
    if found is not None and not found.counts.extra.get(UNANSWERED):
        return found
    # The old manifest goes first: from here on the shard is not finished.
    (folder / MANIFEST).unlink(missing_ok=True)
    outcome = compute()
    for path in folder.glob("*.parquet"):
        # Of a shard that lay here before and had other tables: nobody may take them for this one's.
        if path.stem not in outcome.tables:
            path.unlink()
    files = {}
    for name, table in sorted(outcome.tables.items()):
        path = folder / f"{name}.parquet"
        store.write_parquet(path, table)
        files[path.name] = {"sha256": store.sha256_of(path), "rows": table.num_rows}
    manifest = {
        "fingerprint": key,
        "identity": dict(identity),
        "files": files,
        "counts": outcome.counts.to_json(),
        "facts": dict(outcome.facts),
    }
    store.write_json(folder / MANIFEST, manifest)
    return _shard(folder, manifest, was_computed=True)


def load(folder: Path, key: str | None = None) -> Shard | None:
    """Return the finished shard in `folder`, or None if it must be computed.

    None means: no manifest, a damaged manifest, another fingerprint than `key` (if given), or a
    file whose sha256 differs from the manifest's.
    """
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        manifest = store.read_json(path)
    except DataError:
        return None
    if key is not None and manifest.get("fingerprint") != key:
        return None
    for name, entry in manifest["files"].items():
        file = folder / name
        if not file.exists() or store.sha256_of(file) != entry["sha256"]:
            return None
    return _shard(folder, manifest, was_computed=False)


def _shard(folder: Path, manifest: Mapping[str, Any], *, was_computed: bool) -> Shard:
    return Shard(
        folder=folder,
        fingerprint=manifest["fingerprint"],
        digest=fingerprint([manifest["files"], manifest["facts"]]),
        counts=Counts.from_json(manifest["counts"]),
        facts=manifest["facts"],
        was_computed=was_computed,
    )
