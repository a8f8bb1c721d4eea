"""Facts of the card that come from what stages counted, whatever command ran them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from data_cards.records import Fact
from flows.miners import recall_texts
from flows.outcome import StageOutcome
from flows.stage_shards import SCANNED
from sdg.shards import UNANSWERED, Shard

# Counts beside rows that a user of the data must know, as `Counts.extra` names them.
_TOLD = (
    "scores_failed",
    "documents_truncated",
    "pairs_truncated",
    "queries_truncated",
    "queries_with_unscored_source",
    "pairs_unreadable",
    "reviews_unreadable_kept",
    SCANNED,
    UNANSWERED,
)


def facts_of_counts(
    stages: Sequence[StageOutcome],
    names: Mapping[str, str] | None = None,
    also: Sequence[str] = (),
) -> Iterator[Fact]:
    """Yield what stages cut, could not read, or were not answered.

    Args:
        stages: Of the run.
        names: What the card calls them, if not as the run does.
        also: More counts to tell.
    """
    for stage in stages:
        called = stage.name if names is None else names[stage.name]
        for name in (*_TOLD, *also):
            if stage.counts.extra.get(name):
                text = f"{name}: {stage.counts.extra[name]}."
                yield Fact(kind="fallback", stage=called, text=text)


def facts_of_miners(
    prepared: Shard | None, recall: Shard | None, stage: str, proposing: str = "propose"
) -> Iterator[Fact]:
    """Yield what approximate indexes miss, and which texts other miners cut.

    Args:
        prepared: What the miners made of the corpus, if there are any.
        recall: What approximate indexes find, if there is one.
        stage: That searched.
        proposing: The stage that asked the other miners.
    """
    if recall is not None:
        for text in recall_texts(recall):
            yield Fact(kind="fallback", stage=stage, text=text)
    for source, cut in (prepared.facts if prepared is not None else {}).items():
        if cut.get("documents_truncated"):
            text = f"{cut['documents_truncated']} documents were cut at the input of {source}."
            yield Fact(kind="fallback", stage=proposing, text=text)
