"""The flow from pairs and a corpus to a smaller corpus as hard to search: `pairmill subsample`.

Reference: Enevoldsen et al. 2025, MMTEB, arXiv 2502.13595.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from prefect import flow

from flows import resources, tasks
from flows.given_stages import open_given_corpus
from flows.mine import EmbeddedPairs, embed_inputs, prepared_others, read_inputs
from flows.mine_config import MineConfig, load_mine_config
from flows.mined import Others
from flows.outcome import RunOutcome
from flows.progress import saying
from flows.result_directory import opened
from flows.run import Run
from flows.runners import task_runner
from flows.subsample_publish import (
    Limits,
    current_subsample,
    figures_of_subsample,
    publish_subsample,
)
from flows.subsample_rows import ADDED_COLUMNS, Subsampled
from flows.subsample_stages import near_of_all
from flows.workspace import Workspace
from mining.subsample import Rows, check_limit, subsample_corpus
from sdg.errors import ConfigError
from sdg.shards import Shard


def run_subsample(
    config: Path | None,
    preset: str | None,
    directory: Path,
    arguments: Sequence[str],
    overrides: Sequence[str],
    limits: Limits,
) -> RunOutcome:
    """Subsample the corpus that the command line names; see `subsample_pairs`."""
    settings = load_mine_config(config, preset, arguments, overrides)
    return subsample_pairs(settings, directory, limits)


def subsample_pairs(config: MineConfig, directory: Path, limits: Limits) -> RunOutcome:
    """Publish the part of a corpus that any miner finds near the top, and all positives.

    Returns at once if `directory` already holds what is asked for. Otherwise only what is not
    finished is done, shard by shard of queries. Rules and selection of `config.mining` do not
    matter; its miners do, each with `limits.top_n` documents per query.

    Raises:
        ConfigError: If there is no corpus, the positives are more than `limits.max_documents`,
            another run is at work in `directory`, or it holds something else.
        DataError: If pairs, corpus or vectors cannot be used.
        BackendError: If the encoder or the index fails for good; finished work is kept.
    """
    _check(config)
    miners = (m.model_copy(update={"top_k": limits.top_n}) for m in config.mining.miners)
    mining = config.mining.model_copy(update={"miners": tuple(miners)})
    config = config.model_copy(update={"mining": mining})
    with opened(directory, "subsample"), resources.released_at_end():
        current = current_subsample(config, limits, directory)
        if current is not None:
            return current
        runner = task_runner(config.runner)
        space = Workspace(directory)
        return _subsample_stages.with_options(task_runner=runner)(config, space, limits)


@flow(name="pairmill-subsample", persist_result=False, validate_parameters=False)
def _subsample_stages(config: MineConfig, space: Workspace, limits: Limits) -> RunOutcome:
    run, start = Run(), time.monotonic()
    given = read_inputs(run, config, space)
    # Hours before it would be found out by counting what was found.
    check_limit(_num_positives(given.parts), limits.max_documents)
    inputs = embed_inputs(run, config, space, given)
    others = prepared_others(run, config, space, inputs.vectors, inputs.documents, limits.top_n)
    calls = [
        (space, config, limits.top_n, part, vector, inputs.documents)
        for part, vector in zip(inputs.parts, inputs.vectors, strict=True)
    ]
    total = sum(part.counts.kept for part in inputs.parts)
    found = run.stage("near", "queries", tasks.find_near, calls, total=total)
    with saying("writing the documents that stay"):
        done = _chosen(config, space, limits, inputs, others, found)
        manifest = publish_subsample(config, limits, space, done, run.stages)
    figures = {
        **figures_of_subsample(manifest),
        "seconds": round(time.monotonic() - start, 1),
        "peak memory, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    return RunOutcome(space.directory, tuple(run.stages), figures)


def _chosen(
    config: MineConfig,
    space: Workspace,
    limits: Limits,
    inputs: EmbeddedPairs,
    others: Others,
    found: Sequence[Shard],
) -> Subsampled:
    corpus = open_given_corpus(space, config, inputs.documents)
    sources = [corpus.miner, *(miner.source for miner in config.mining.miners)]
    near = near_of_all(found, sources, len(corpus))
    ids = [pc.list_flatten(part.table("positives")["positive_ids"]) for part in inputs.parts]
    positives = [corpus.rows_of(own.to_pylist()) for own in ids]
    every: Rows = np.concatenate([np.empty(0, np.int64), *positives])
    chosen = subsample_corpus(near, every, config.seed, limits.max_documents)
    return Subsampled(inputs, others, {name: len(rows) for name, rows in near.items()}, chosen)


def _num_positives(parts: Sequence[Shard]) -> int:
    """Return how many documents are a positive of any query; ids and documents are one to one."""
    ids = [pc.list_flatten(part.table("positives")["positive_ids"]).unique() for part in parts]
    return len(pa.chunked_array(ids, pa.string()).unique())


def _check(config: MineConfig) -> None:
    if config.corpus is None:
        raise ConfigError(
            "`corpus` must be given, but is missing: without it the positives of the pairs are all "
            "documents there are. Give --corpus."
        )
    clash = sorted(set(config.corpus.attributes) & set(ADDED_COLUMNS))
    if clash:
        raise ConfigError(
            f"`corpus.attributes` must have other names than the columns that are added, but has "
            f"{', '.join(clash)}. Rename the column in the corpus, or do not keep it."
        )
