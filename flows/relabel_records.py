"""What the manifest says of relabelling."""

from __future__ import annotations

from collections.abc import Mapping

from data_cards.records import RelabelRecord
from sdg.relabel.config import RelabelConfig


def relabel_record(config: RelabelConfig, extra: Mapping[str, int]) -> RelabelRecord | None:
    """Return what relabelling did, from the counts of its stage; None where it is off."""
    if not config.enabled:
        return None
    return RelabelRecord(
        scorers=tuple(scorer.name for scorer in config.scorers),
        candidates_per_query=config.num_candidates,
        judged=extra.get("pairs_scored", 0),
        queries=extra.get("queries_judged", 0),
        changed=extra.get("positives_changed", 0),
    )
