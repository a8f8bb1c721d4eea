"""One round of asking: requests -> prepare -> generate -> gate -> ... -> queries that may be mined.

The first round asks about documents, the second about the queries that the first accepted
(paraphrases, augmentations): the same stages, whose counts join.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from flows import resources, tasks
from flows.config import RunConfig
from flows.decontamination import QUERY_STAGE
from flows.generation_stages import preparing_generator
from flows.miners import has_approximate_index
from flows.pair_stages import Asked as PairsAsked
from flows.planning import slices
from flows.run import Run
from flows.variation_stages import requests_that
from flows.workspace import Workspace
from sdg.generate import ATTACH
from sdg.shards import Shard
from sdg.written import STAGE as WRITE
from sdg.written import WRITTEN_STAGE


@dataclass(frozen=True, slots=True)
class Round:
    """What a round gave; lists are aligned, one entry per shard of queries.

    Attributes:
        generated: Candidates.
        queries: The rows that relabelling is given.
        found: Of retrieve.
        documents: The corpus, what this round wrote included.
        checked: What was written for the rows and may stay; empty if nothing was asked for.
        embedded: Of embed.
        recall: What approximate indexes find; None after the first round.
        rejecting: Every shard with a table "rejected".
    """

    generated: list[Shard]
    queries: list[Shard]
    found: list[Shard]
    documents: list[Shard]
    checked: list[Shard]
    embedded: list[Shard]
    recall: Shard | None
    rejecting: list[Shard]


@dataclass(frozen=True, slots=True)
class Asked:
    """What all rounds gave; see `Round`.

    Attributes:
        planned: The plan, and the plan of variations if there are any.
        generated: Candidates of all rounds.
        queries: The rows that relabelling is given.
        found: Of retrieve, aligned with `queries`.
        documents: The corpus, with everything that was written.
        checked: What was written for the rows and may stay.
        embedded: Of the last embed.
        recall: What approximate indexes find, or None.
        rejecting: Every shard with a table "rejected"; that of the plan is the caller's.
    """

    planned: list[Shard]
    generated: list[Shard]
    queries: list[Shard]
    found: list[Shard]
    documents: list[Shard]
    checked: list[Shard]
    embedded: list[Shard]
    recall: Shard | None
    rejecting: list[Shard]


@dataclass(frozen=True, slots=True)
class Place:
    """What every stage of a round is given.

    Attributes:
        run: The run.
        config: Its configuration.
        space: Its folders.
        documents: The corpus so far.
        words: The vocabulary, or None.
        prefix: Of the shards' names, "" in the first round.
    """

    run: Run
    config: RunConfig
    space: Workspace
    documents: list[Shard]
    words: Shard | None
    prefix: str = ""


def ask_everything(place: Place, plan: Shard) -> Asked:
    """Run the round of the plan, the round of variations, and what is written for their queries.

    Args:
        place: Where.
        plan: Table "kept" (REQUESTS).
    """
    run, config, space = place.run, place.config, place.space
    rounds = [ask_round(place, plan.table("kept"))]
    planned, attached = [plan], list[Shard]()
    if config.variations:
        further = run.once(tasks.plan_variations, space, config, rounds[0].queries)
        run.add("vary", "requests", [further])
        planned.append(further)
        varied = requests_that(config, further, "query")
        if varied.num_rows:
            again = replace(place, documents=rounds[0].documents, prefix="v")
            rounds.append(ask_round(again, varied, rounds[0].queries))
    queries = [shard for done in rounds for shard in done.queries]
    documents, embedded = rounds[-1].documents, rounds[-1].embedded
    checked = [shard for done in rounds for shard in done.checked]
    if len(planned) > 1 and (wanted := requests_that(config, planned[1], "documents")).num_rows:
        there = replace(place, documents=documents, prefix="w")
        attached = ask(there, wanted, ATTACH, "documents asked for")
        name = f"{there.prefix}checked"
        shards = (queries, attached, documents)
        more = run.once(tasks.check_written, space, config, *shards, name, queries_stand=True)
        run.add(WRITE, "links", [more])
        attached, checked, documents = [*attached, more], [*checked, more], [*documents, more]
        embedded = embed(there, documents)
    rejecting = [planned[1:], *(done.rejecting for done in rounds), attached]
    return Asked(
        planned=planned,
        generated=[shard for done in rounds for shard in done.generated],
        queries=queries,
        found=[shard for done in rounds for shard in done.found],
        documents=documents,
        checked=checked,
        embedded=embedded,
        recall=rounds[0].recall,
        rejecting=[shard for shards in rejecting for shard in shards],
    )


def ask_round(place: Place, requests: pa.Table, before: Sequence[Shard] = ()) -> Round:
    """Run one round.

    Args:
        place: Where.
        requests: REQUESTS.
        before: Queries of the rounds before: what equals them is a duplicate.
    """
    run, config, space = place.run, place.config, place.space
    generated = ask(place, requests, "generate", "candidates")

    calls: list[tuple[Any, ...]] = [
        (space, config, s, place.documents, place.words) for s in generated
    ]
    gated = run.stage("gate", "candidates", tasks.gate, calls)

    verdicts = f"{place.prefix}verdicts"
    equal = run.once(tasks.find_equal_queries, space, config, gated, verdicts, list(before))
    calls = [(space, "duplicates", equal, s) for s in gated]
    distinct = run.stage("duplicates", "candidates", tasks.carry_out, calls)

    clean = distinct
    if config.decontaminate.against:
        calls = [(space, config.decontaminate, s) for s in distinct]
        clean = run.stage(QUERY_STAGE, "candidates", tasks.decontaminate_queries, calls)

    unique, checked = _keep_written(place, generated, clean)
    documents = [*place.documents, *checked]
    embedded = embed(place, documents)
    calls = [(space, config, s, documents) for s in unique]
    found = run.stage("retrieve", "candidates", tasks.retrieve, calls)
    recall = None
    if has_approximate_index(config) and not place.prefix:
        recall = run.once(tasks.measure_recall, space, config, found, documents)

    paired = _apply_pair_rules(place, PairsAsked(unique, found, documents, [*before, *generated]))
    calls = [(space, config, q, c, documents) for q, c in zip(paired, found, strict=True)]
    passed = run.stage("round_trip", "candidates", tasks.round_trip, calls)

    low = run.once(tasks.find_low_yield, space, config, generated, passed, verdicts)
    calls = [(space, "cell_yield", low, s) for s in passed]
    queries = run.stage("cell_yield", "candidates", tasks.carry_out, calls)
    reviewed = queries
    if config.review:
        resources.make_room_for(*(config.generators[one.engine] for one in config.review))
        calls = [(space, config, s, documents) for s in queries]
        total = len(config.review) * sum(s.counts.kept for s in queries)
        reviewed = run.stage(
            "review", "candidates", tasks.review, calls, total=total, steps="requests at most"
        )
    stages = [generated, gated, distinct]
    optional = ((distinct, clean), (clean, unique), (unique, paired))
    stages += [after for earlier, after in optional if after is not earlier]
    stages += [checked, passed, queries, *([reviewed] if reviewed is not queries else [])]
    return Round(
        generated=generated,
        queries=reviewed,
        found=found,
        documents=documents,
        checked=checked,
        embedded=embedded,
        recall=recall,
        rejecting=[shard for shards in stages for shard in shards],
    )


def ask(place: Place, requests: pa.Table, stage: str, unit: str) -> list[Shard]:
    """Ask all preparations, step by step, then the question; each generator's requests together.

    Args:
        place: Where.
        requests: REQUESTS; empty gives no shards.
        stage: "generate", or the stage that writes documents for accepted queries.
        unit: What its rows are.
    """
    run, config, space = place.run, place.config, place.space
    cut = [(f"{place.prefix}{name}", r) for name, r in slices(requests, config.shards)]
    done: dict[str, list[Shard]] = {name: [] for name, _ in cut}
    by_name = config.tasks()
    steps = {name: _preparations(by_name, r) for name, r in cut}
    for step in range(max(steps.values(), default=0)):
        asked = [(name, r) for name, r in cut if steps[name] > step]
        for generator, group in _by_generator(asked, preparing=True):
            resources.make_room_for(config.generators.get(generator))
            calls = [(space, config, r, place.documents, n, step, done[n]) for n, r in group]
            total = sum(r.num_rows for _, r in group)
            answered = run.shards("prepare", "requests", tasks.prepare, calls, total=total)
            for (name, _), shard in zip(group, answered, strict=True):
                done[name].append(shard)
    found: dict[str, Shard] = {}
    for generator, group in _by_generator(cut, preparing=False):
        resources.make_room_for(config.generators.get(generator))
        asking = [(space, config, r, place.documents, n, done[n], stage) for n, r in group]
        total = sum(r.num_rows for _, r in group)
        shards = run.shards(stage, "requests", tasks.generate, asking, total=total)
        found.update({name: shard for (name, _), shard in zip(group, shards, strict=True)})
    shards = [found[name] for name, _ in cut]
    run.add(stage, unit, shards, [shard for name, _ in cut for shard in done[name]])
    return shards


def embed(place: Place, documents: list[Shard]) -> list[Shard]:
    """Embed every document that has no vector yet; each round has a shard of its own."""
    total = sum(shard.counts.kept for shard in documents)
    calls = [(place.space, place.config, documents, f"{place.prefix}documents")]
    return place.run.stage("embed", "documents", tasks.embed, calls, total=total)


def _keep_written(
    place: Place, generated: list[Shard], queries: list[Shard]
) -> tuple[list[Shard], list[Shard]]:
    """Check what was written, and drop the queries whose positive fell.

    In a run without tasks that write documents there is no such stage.
    """
    run, config, space = place.run, place.config, place.space
    asked = [task for task in config.tasks().values() if task.varies != "documents"]
    if not any(task.writes_documents or task.num_companions for task in asked):
        return queries, []
    written = [shard for shard in generated if (shard.folder / "links.parquet").exists()]
    name = f"{place.prefix}checked"
    checked = run.once(tasks.check_written, space, config, queries, written, place.documents, name)
    run.add(WRITE, "links", [checked])
    calls = [(space, WRITTEN_STAGE, checked, s) for s in queries]
    return run.stage(WRITTEN_STAGE, "candidates", tasks.carry_out, calls), [checked]


def _apply_pair_rules(place: Place, asked: PairsAsked) -> list[Shard]:
    """Run the rules that see all queries, if there are any; else hand on the queries."""
    run, config, space = place.run, place.config, place.space
    if not config.pair_rules:
        return asked.queries
    verdicts = run.once(tasks.judge_pairs, space, config, asked, f"{place.prefix}verdicts")
    calls = [(space, verdicts, shard) for shard in asked.queries]
    return run.stage("pair_rules", "candidates", tasks.apply_pair_rules, calls)


def _preparations(by_name: Any, requests: pa.Table) -> int:  # noqa: ANN401 - label -> task
    task = by_name[requests["task"][0].as_py()]
    return int(getattr(task, "num_preparations", 0))


def _by_generator(
    cut: Sequence[tuple[str, pa.Table]], *, preparing: bool
) -> list[tuple[str, list[tuple[str, pa.Table]]]]:
    """Return slices by generator, in the order of their first slice."""
    groups: dict[str, list[tuple[str, pa.Table]]] = {}
    for name, requests in cut:
        own = preparing_generator(requests) if preparing else requests["generator"][0].as_py()
        groups.setdefault(own, []).append((name, requests))
    return list(groups.items())
