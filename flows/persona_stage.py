"""The stage of personas, between the plan and the first question: who asks; see `corpus_stages`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flows.config import RunConfig
from flows.corpus_stages import corpus_of
from flows.progress import advance
from flows.resources import Documents, held
from flows.stage_shards import identity_of
from flows.workspace import Workspace
from mining.encoders import Encoder
from mining.vectors import VectorStore, text_key
from sdg.personas import (
    PersonaConfig,
    Personas,
    nearest_personas,
    read_personas,
    with_nearest_personas,
    with_random_persona,
)
from sdg.schemas import REQUESTS
from sdg.shards import Counts, Outcome, Shard, finish

_BATCH_ROWS = 4096


def persona_configs(config: RunConfig) -> dict[str, PersonaConfig]:
    """Return value of the column `task` -> its personas; {} if the run has none."""
    return {e.task.label: e.personas for e in config.plan.entries if e.personas is not None}


def persona_shard(
    space: Workspace, config: RunConfig, plan: Shard, documents: Sequence[Shard]
) -> Shard:
    """Give the planned requests their personas; table "kept" (REQUESTS), in the order of a plan.

    Requests of tasks without personas stay as they are.

    Args:
        space: The run's folders.
        config: The run.
        plan: Table "kept" (REQUESTS).
        documents: The corpus; embedded here as far as personas are chosen by it.

    Raises:
        DataError: If a file of personas cannot be used.
    """
    wanted = persona_configs(config)
    read = {label: read_personas(own) for label, own in sorted(wanted.items())}
    is_near = any(own.choose == "nearest" for own in wanted.values())
    encoder = held(config.encoder) if is_near else None

    def compute() -> Outcome:
        requests = plan.table("kept")
        parts = [
            _with_personas(space, config, part, read, documents) for part in _by_task(requests)
        ]
        facts = {
            label: {"personas": len(own.texts), "duplicates": own.duplicates, "empty": own.empty}
            for label, own in read.items()
        }
        extra = {} if encoder is None else _truncated(encoder, wanted, read)
        counts = Counts(requests.num_rows, requests.num_rows, {}, extra)
        table = pa.concat_tables([REQUESTS.empty_table(), *parts])
        return Outcome({"kept": table}, counts, facts)

    return finish(
        space.shard("personas", "all"),
        identity_of(
            "personas",
            # Where a file lies and what its column is called do not matter: its content does.
            chosen={label: [own.choose, own.top_k] for label, own in sorted(wanted.items())},
            personas={label: own.identity() for label, own in read.items()},
            encoder=encoder.identity() if encoder is not None else {},
            revision=encoder.revision() if encoder is not None else "",
            seed=config.seed,
            plan=plan.digest,
            documents=[shard.digest for shard in documents] if is_near else [],
        ),
        compute,
    )


def _by_task(requests: pa.Table) -> list[pa.Table]:
    """Return the requests of each task, tasks in the order of their names."""
    tasks = requests["task"]
    return [requests.filter(pc.equal(tasks, name)) for name in sorted(set(tasks.to_pylist()))]


def _with_personas(
    space: Workspace,
    config: RunConfig,
    requests: pa.Table,
    read: dict[str, Personas],
    documents: Sequence[Shard],
) -> pa.Table:
    label = requests["task"][0].as_py()
    own = persona_configs(config).get(label)
    if own is None:
        return requests
    if own.choose == "random":
        return with_random_persona(requests, read[label], config.seed)
    places = _places(space, held(config.encoder), requests, read[label], own.top_k, documents)
    return with_nearest_personas(requests, read[label], places, config.seed)


def _places(
    space: Workspace,
    encoder: Encoder,
    requests: pa.Table,
    personas: Personas,
    top_k: int,
    documents: Sequence[Shard],
) -> npt.NDArray[np.int64]:
    """Return (R, K) places: each document is compared once, however many requests it has.

    A persona is who asks, so it is embedded as a query is.
    """
    asking = VectorStore(space.vectors, encoder, "query")
    texts = personas.texts
    asking.ensure(texts[i : i + _BATCH_ROWS] for i in range(0, len(texts), _BATCH_ROWS))
    vectors = asking.gather([text_key(text) for text in texts])
    about = VectorStore(space.vectors, encoder, "document")
    corpus = corpus_of(documents)
    sources = requests["source_doc_id"].combine_chunks().dictionary_encode()
    found = []
    for start in range(0, len(sources.dictionary), _BATCH_ROWS):
        ids = sources.dictionary.slice(start, _BATCH_ROWS).to_pylist()
        batch = _texts(corpus, ids)
        about.ensure([batch])
        found.append(nearest_personas(about.gather(list(map(text_key, batch))), vectors, top_k))
        advance(len(ids))
    rows = np.asarray(sources.indices, np.int64)
    return np.concatenate([np.empty((0, min(top_k, len(texts))), np.int64), *found])[rows]


def _texts(corpus: Documents, doc_ids: Sequence[str]) -> list[str]:
    by_id = corpus.texts(doc_ids)
    return [by_id[doc_id] for doc_id in doc_ids]


def _truncated(
    encoder: Encoder, wanted: dict[str, PersonaConfig], read: dict[str, Personas]
) -> dict[str, int]:
    """Return how many personas are longer than the encoder reads, if any are."""
    near = {
        t for label, own in wanted.items() if own.choose == "nearest" for t in read[label].texts
    }
    cut = int(encoder.is_truncated(sorted(near), "query").sum())
    return {"personas_truncated": cut} if cut else {}
