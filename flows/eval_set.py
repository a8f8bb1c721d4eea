"""`pairmill eval-set DIR --out BEIR_DIR`: an evaluation set from what a data set did not use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console

from data_cards import layout
from data_cards.escape import printable
from data_cards.manifest import DataSetManifest, load_manifest
from data_cards.probe import eval_set
from data_cards.probe.beir import write_eval_set
from data_cards.probe.config import EvalSetConfig
from flows.settings import parse_settings, read_settings
from flows.workspace import Workspace
from sdg import store
from sdg.errors import ConfigError, DataError

RECORD = "eval-set.json"


def make_eval_set(directory: Path, out: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Write a BEIR directory of human-written texts that the data set in `directory` did not use.

    The corpus is what the build left in DIR/.work; only the directory that is given is written to.

    Args:
        directory: A data set that `pairmill build` made on this machine.
        out: New, empty, or from an earlier call.
        overrides: `key=value` of `EvalSetConfig`.

    Returns:
        What eval-set.json holds: counts, settings, source and licence.

    Raises:
        ConfigError: If a setting cannot work, or `out` holds something else.
        DataError: If the data set or its corpus is not there, or nothing is left of it.
    """
    config = parse_settings(read_settings(None, overrides), "--set", EvalSetConfig)
    if out.exists() and not (out / RECORD).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(
            f"`--out` must be new, empty, or from an earlier `pairmill eval-set`, but {out} holds "
            "something else instead. Give another directory."
        )
    manifest = load_manifest(directory)
    built = eval_set.build_eval_set(_corpus(directory), _used(directory), config)
    record = {
        "counts": built.counts,
        "settings": config.model_dump(mode="json"),
        "made_from": {"name": manifest.name, "fingerprint": manifest.fingerprint},
        **_rights(manifest),
    }
    # Says first that the directory is ours, whatever happens then.
    store.write_json(out / RECORD, record)
    write_eval_set(out, built.corpus, built.queries, built.judgments, config.split)
    return record


def print_eval_set(record: dict[str, Any], out: Path, console: Console) -> None:
    """Print what was taken, and how to use it."""
    counts = record["counts"]
    languages = ", ".join(f"{k} {n:,}" for k, n in counts["queries_by_language"].items())
    console.print(f"queries: {counts['queries']:,} ({languages})", markup=False)
    console.print(
        f"documents: {counts['documents_taken']:,} of {counts['documents_not_used']:,} "
        "whose group and entity the data set does not use",
        markup=False,
    )
    console.print(f"evaluation set: {printable(str(out))}", markup=False)


def _corpus(directory: Path) -> pl.DataFrame:
    shards = Workspace(directory).shared("deduplicate", "verdicts").parent
    files = sorted(shards.glob("*/kept.parquet"))
    if not files:
        raise DataError(
            f"`{directory}` must be a build, with its corpus in {layout.WORK}, "
            "but is not, or was cleaned. Build again if a configuration made it; otherwise bring a "
            "BEIR directory of your own to `pairmill probe`."
        )
    return pl.concat([pl.DataFrame(store.read_parquet(f, eval_set.COLUMNS)) for f in files])


def _used(directory: Path) -> eval_set.Used:
    names = ["group_id", "entity_key"]
    found = [
        pl.DataFrame(store.read_parquet(file, names))
        for file in layout.parquet_files(directory, layout.CORPUS)
    ]
    documents = pl.concat([pl.DataFrame(schema=dict.fromkeys(names, pl.String)), *found])
    queries = [
        query
        for file in layout.parquet_files(directory, layout.DATA)
        for query in store.read_parquet(file, ["query"])["query"].to_pylist()
    ]
    used = documents.fill_null("")
    return eval_set.Used(
        used["group_id"].unique().to_list(), used["entity_key"].unique().to_list(), queries
    )


def _rights(manifest: DataSetManifest) -> dict[str, Any]:
    sources = [
        {"name": s.name, "licence": s.licence, "attribution": s.attribution}
        for s in manifest.sources
    ]
    return {"licence": manifest.licence, "sources": sources}
