"""What a user of a mined data set must know beyond its counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from data_cards.records import Fact
from flows.judge_records import judge_facts
from flows.mine_config import MineConfig
from flows.mined import Mined
from flows.outcome import StageOutcome
from flows.prompt_fallbacks import fallback_facts, judging_fallbacks
from flows.stage_facts import facts_of_counts, facts_of_miners
from sdg.shards import Shard

_EMBED = {
    "truncated": "documents were cut at the encoder's longest input",
    "zeros": "documents have a vector of length 0: they score 0 with every query",
}
_PAIRS = {
    "pairs_merged": "pairs have the query of an earlier pair and were merged with it",
    "ids_merged": "query ids were given up, because their query has another id, too",
    "positives_added": "positives were not in the corpus and were added to it",
    "positive_ids_not_found": "ids of positives, beside others of their query, are not in the "
    "corpus",
}


def facts_of(
    config: MineConfig,
    mined: Mined,
    stages: Sequence[StageOutcome],
    negatives: pa.Table,
    languages: Sequence[str],
) -> Iterator[Fact]:
    """Yield fallbacks and notes.

    Args:
        config: The run.
        mined: Its shards.
        stages: Its stages.
        negatives: NEGATIVES of the finished rows.
        languages: Of their queries.
    """
    yield from fallback_facts(judging_fallbacks((), config.judge.everyone, languages))
    yield from judge_facts(config.judge)
    yield from facts_of_inputs(config, mined.pairs, mined.embedded)
    yield from facts_of_miners(mined.others.prepared, mined.others.recall, "mine")
    yield from facts_of_counts(stages)
    lengths = pc.list_value_length(negatives["negative_ids"])
    short = pc.sum(pc.less(lengths, config.mining.num_negatives)).as_py()
    if short:
        text = f"{short} rows have fewer than {config.mining.num_negatives} negatives."
        yield Fact(kind="fallback", stage="mine", text=text)


def facts_of_inputs(config: MineConfig, pairs: Shard, embedded: Sequence[Shard]) -> Iterator[Fact]:
    """Yield what must be known of the given pairs, the corpus and their vectors.

    Args:
        config: The run.
        pairs: Of all pairs.
        embedded: embed.
    """
    if config.description:
        yield Fact(kind="note", stage="pairs", text=config.description)
    for shard in embedded:
        for name, text in _EMBED.items():
            if shard.facts.get(name):
                yield Fact(kind="fallback", stage="embed", text=f"{shard.facts[name]} {text}.")
    extra = pairs.counts.extra
    for name, text in _PAIRS.items():
        # Without a corpus every positive is added: that is what was asked for.
        if extra.get(name) and (name != "positives_added" or config.corpus is not None):
            yield Fact(kind="note", stage="pairs", text=f"{extra[name]} {text}.")
    if config.vectors is None and config.vector_dtype != "float32":
        text = f"Vectors of documents are stored as {config.vector_dtype}."
        yield Fact(kind="note", stage="embed", text=text)
