"""The flow from given pairs to a published data set with hard negatives: `pairmill mine`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from prefect import flow

from flows import resources, tasks
from flows.figures import figures_of
from flows.fingerprint import finished_outcome
from flows.given_miners import DEPTH
from flows.mine_config import MineConfig, load_mine_config
from flows.mine_judging import judge_mined, pool_of
from flows.mine_manifest import mine_fingerprint, publish_mined
from flows.mined import Mined, Others
from flows.miners import check_searches, has_approximate_index
from flows.outcome import RunOutcome
from flows.result_directory import opened
from flows.run import Run
from flows.runners import task_runner
from flows.workspace import Workspace
from sdg.llm.ledger import cost_of
from sdg.shards import Shard


def run_mine(
    config: Path | None,
    preset: str | None,
    directory: Path,
    arguments: Sequence[str],
    overrides: Sequence[str] = (),
) -> RunOutcome:
    """Mine, or resume mining, as the command line says; see `load_mine_config` and `mine_pairs`."""
    return mine_pairs(load_mine_config(config, preset, arguments, overrides), directory)


def mine_pairs(config: MineConfig, directory: Path) -> RunOutcome:
    """Give pairs hard negatives and publish them as a data set.

    Returns at once if `directory` already holds what the configuration asks for. Otherwise only
    what is not finished is done, shard by shard of queries.

    Raises:
        ConfigError: If another run is at work in `directory`.
        DataError: If pairs, corpus or vectors cannot be used.
        BackendError: If the encoder or the index fails for good; finished work is kept.
    """
    with opened(directory, "mine"), resources.released_at_end():
        current = finished_outcome(directory, lambda: mine_fingerprint(config))
        if current is not None:
            return current
        runner = task_runner(config.runner)
        return _mine_stages.with_options(task_runner=runner)(config, Workspace(directory))


class GivenInputs(NamedTuple):
    """What was read, before anything is embedded.

    Attributes:
        corpus: read_corpus.
        pairs: Of all pairs: what was rejected, and counts.
        added: Documents that only the pairs know.
        parts: Queries and positives.
    """

    corpus: list[Shard]
    pairs: Shard
    added: Shard
    parts: list[Shard]


class EmbeddedPairs(NamedTuple):
    """What is there before anything is mined; see `GivenInputs` for what is not said here.

    Attributes:
        corpus: Read.
        pairs: Read.
        added: Read.
        documents: `corpus` and `added`.
        embedded: embed.
        parts: Read.
        vectors: Of the queries, one for each of `parts`.
    """

    corpus: list[Shard]
    pairs: Shard
    added: Shard
    documents: list[Shard]
    embedded: list[Shard]
    parts: list[Shard]
    vectors: list[Shard]


@flow(name="pairmill-mine", persist_result=False, validate_parameters=False)
def _mine_stages(config: MineConfig, space: Workspace) -> RunOutcome:
    run, start = Run(), time.monotonic()
    corpus, pairs, added, documents, embedded, parts, vectors = embedded_pairs(run, config, space)
    num_queries = sum(part.counts.kept for part in parts)
    others = _propose(run, config, space, parts, vectors, documents)
    calls = [
        (space, config, pool_of(config), part, vector, documents, proposed)
        for part, vector, proposed in zip(parts, vectors, others.proposed, strict=True)
    ]
    negatives = run.stage("mine", "queries", tasks.mine_given, calls, total=num_queries)
    rows = list(zip(parts, negatives, strict=True))
    judged = judge_mined(run, config, space, rows, documents)
    mined = Mined(corpus, pairs, added, parts, negatives, judged, embedded, others)
    manifest = publish_mined(config, space, mined, run.stages)
    cost = cost_of(resources.spent(space.journal, run.scopes), config.generators)
    figures = figures_of(run.stages, manifest, resources.usage(space.journal), start, cost)
    return RunOutcome(space.directory, tuple(run.stages), figures)


def embedded_pairs(run: Run, config: MineConfig, space: Workspace) -> EmbeddedPairs:
    """Read pairs and corpus and embed both, or find that done."""
    return embed_inputs(run, config, space, read_inputs(run, config, space))


def read_inputs(run: Run, config: MineConfig, space: Workspace) -> GivenInputs:
    """Read pairs and corpus, or find that done, unless a search cannot work."""
    check_searches(config)
    corpus = run.stage("corpus", "documents", tasks.read_corpus, [(space, config)])
    pairs, added, *parts = run.once(tasks.read_given_pairs, space, config, corpus)
    run.add("pairs", "pairs", [pairs])
    return GivenInputs(corpus, pairs, added, parts)


def embed_inputs(
    run: Run, config: MineConfig, space: Workspace, inputs: GivenInputs
) -> EmbeddedPairs:
    """Embed what was read, or find that done."""
    corpus, pairs, added, parts = inputs
    documents = [*corpus, added]
    total = sum(shard.counts.kept for shard in documents)
    embedded = run.stage(
        "embed", "documents", tasks.embed_given, [(space, config, documents)], total=total
    )
    vectors = run.stage(
        "embed_queries",
        "queries",
        tasks.embed_queries,
        [(space, config, part, pairs.counts.rows_in) for part in parts],
        total=sum(part.counts.kept for part in parts),
    )
    return EmbeddedPairs(corpus, pairs, added, documents, embedded, parts, vectors)


def _propose(
    run: Run,
    config: MineConfig,
    space: Workspace,
    parts: list[Shard],
    vectors: list[Shard],
    documents: list[Shard],
) -> Others:
    """Run the miners beside the encoder, and measure approximate indexes, if there are any."""
    others = prepared_others(run, config, space, vectors, documents)
    if not config.mining.miners:
        return others._replace(proposed=[None] * len(parts))
    calls = [
        (space, config, part, vector, documents)
        for part, vector in zip(parts, vectors, strict=True)
    ]
    total = sum(part.counts.kept for part in parts)
    proposed = run.stage("propose", "queries", tasks.propose_given, calls, total=total)
    return others._replace(proposed=list(proposed))


def prepared_others(
    run: Run,
    config: MineConfig,
    space: Workspace,
    vectors: list[Shard],
    documents: list[Shard],
    depth: int = DEPTH,
) -> Others:
    """Measure approximate indexes and make what the miners need, where there are any.

    Args:
        run: Keeps time.
        config: The run.
        space: Its folders.
        vectors: Of the queries.
        documents: The corpus.
        depth: Nearest documents that the encoder's own index is asked for.

    Returns:
        What is known before anything is proposed.
    """
    recall = prepared = None
    if has_approximate_index(config):
        recall = run.once(
            tasks.measure_given_recall, space, config, vectors, documents, depth=depth
        )
    if config.mining.miners:
        total = sum(shard.counts.kept for shard in documents) * len(config.mining.miners)
        prepared = run.once(tasks.prepare_miners, space, config, documents, total=total)
    return Others([], prepared, recall)
