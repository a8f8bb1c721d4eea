"""Topics of the corpus against topics of the positives."""

from __future__ import annotations

from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.topics import Topics
from tests.data_cards.audit.written import example, written

_CORPUS = {
    "doc_id": ["d-a", "d-b", "d-c", "d-d"],
    "text": ["a", "b", "c", "d"],
    "topic": ["bread", "bread", "river", "comet"],
}


def test_distance_is_half_the_sum_of_differences() -> None:
    """Corpus: bread 1/2, river 1/4, comet 1/4. Positives: bread 1/2, river 1/2."""
    data = written(example("q", ["a"], ["d"]), example("r", ["c"]), corpus=_CORPUS)
    measured = Topics().measure(data, AuditContext())
    assert measured.figure("total_variation").value == 0.25
    assert measured.figure("covered_topic_share").value == 2 / 3
    assert measured.breakdowns[0].lines == (("bread", 2, 1), ("comet", 1, 0), ("river", 1, 1))


def test_without_topics_it_is_skipped() -> None:
    measured = Topics().measure(written(example("q", ["a"])), AuditContext())
    assert measured.skipped == "the data set has no topics"
