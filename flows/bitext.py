"""The flow from two sets of sentences to published translation pairs: `pairmill bitext`."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from pathlib import Path

from prefect import flow

from flows import resources, tasks
from flows.bitext_config import SIDES, BitextRunConfig, load_bitext_config
from flows.bitext_publish import MinedBitext, current_bitext, figures_of_bitext, publish_bitext
from flows.bitext_stages import side_space
from flows.outcome import RunOutcome
from flows.result_directory import opened
from flows.run import Run
from flows.runners import task_runner
from flows.workspace import Workspace
from sdg.errors import ConfigError, DataError
from sdg.shards import Shard


def run_bitext(
    config: Path | None,
    preset: str | None,
    directory: Path,
    arguments: Sequence[str],
    overrides: Sequence[str] = (),
) -> RunOutcome:
    """Mine pairs as the command line says; see `load_bitext_config` and `mine_translations`."""
    return mine_translations(load_bitext_config(config, preset, arguments, overrides), directory)


def mine_translations(config: BitextRunConfig, directory: Path) -> RunOutcome:
    """Find the translations among two sets of sentences and publish them as pairs.

    Returns at once if `directory` already holds what the configuration asks for. Otherwise only
    what is not finished is done, block by block of sentences.

    Raises:
        ConfigError: If another run is at work in `directory`, or it holds something else.
        DataError: If sentences or vectors cannot be used, or no pair is left.
        BackendError: If the encoder or the index fails for good; finished work is kept.
    """
    with opened(directory, "bitext"), resources.released_at_end():
        current = current_bitext(config, directory)
        if current is not None:
            return current
        _check_sides(config)
        runner = task_runner(config.runner)
        return _bitext_stages.with_options(task_runner=runner)(config, Workspace(directory))


@flow(name="pairmill-bitext", persist_result=False, validate_parameters=False)
def _bitext_stages(config: BitextRunConfig, space: Workspace) -> RunOutcome:
    run, start = Run(), time.monotonic()
    documents = {
        side: run.stage(
            side,
            f"{side} sentences",
            tasks.read_corpus,
            [(side_space(space, side), config.side(side))],
        )
        for side in SIDES
    }
    for side in SIDES:
        _check_some_left(side, documents[side])
    total = sum(shard.counts.kept for side in SIDES for shard in documents[side])
    calls = [(side_space(space, side), config.side(side), documents[side]) for side in SIDES]
    embedded = run.stage("embed", "sentences", tasks.embed_given, calls, total=total)
    (pairs,) = run.stage(
        "pairs",
        "pairs",
        tasks.mine_bitext,
        [(space, config, documents)],
        total=total,
        steps="sentences",
    )
    mined = MinedBitext(documents, dict(zip(SIDES, embedded, strict=True)), pairs)
    manifest = publish_bitext(config, space, mined, run.stages)
    figures = {
        **figures_of_bitext(manifest),
        "seconds": round(time.monotonic() - start, 1),
        "peak memory, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    return RunOutcome(space.directory, tuple(run.stages), figures)


def _check_sides(config: BitextRunConfig) -> None:
    """Refuse one set of sentences twice; two columns of one file are two sets."""
    source, target = config.source, config.target
    if source.content_identity() != target.content_identity():
        return
    column = source.text_column_read()
    if column == target.text_column_read():
        raise ConfigError(
            f"`source` and `target` must be two sets of sentences, but both are the column "
            f"{column!r} of {source.path!r}: every sentence would be its own "
            "translation. Give the other language, or name its column with `target.text_column`."
        )


def _check_some_left(side: str, documents: Sequence[Shard]) -> None:
    if not sum(shard.counts.kept for shard in documents):
        rejected: dict[str, int] = {}
        for shard in documents:
            for reason, count in shard.counts.rejected.items():
                rejected[reason] = rejected.get(reason, 0) + count
        raise DataError(
            f"`{side}` must hold at least one sentence, but all were rejected instead: {rejected}. "
            "Correct the file, or name its column of texts."
        )
