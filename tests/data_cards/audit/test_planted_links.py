"""A clean set, and copies with one known defect each: every metric finds its own at its rate.

Run with `-s` for the table of planted against found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.measurement import Figure, Measurement
from data_cards.audit.metric import METRICS, AuditContext
from sdg.decontaminate import EvaluationSet
from tests.data_cards.audit.linked import Link, Row, TextJudge, audited

NUM_ROWS, NUM_NEGATIVES, TEXT_WORDS = 400, 5, 40
# 200 of 2,000 negatives; a fifth of the rows' worth for each of the four kinds of defect.
FALSE_PER_KIND = 50
LEAKED_QUERIES, LEAKED_PASSAGES = 20, 20
HUB_ROWS = 40

HELD_OUT = EvaluationSet(
    "held out",
    tuple(f"e{n}" for n in range(40)),
    ("query",) * 20 + ("document",) * 20,
    tuple(
        f"held out {'question' if n < 20 else 'passage'} {n} "
        + " ".join(f"h{n}x{k}" for k in range(5 if n < 20 else 30))
        for n in range(40)
    ),
)


class Planted(NamedTuple):
    """A data set with one defect, and what was planted."""

    data: AuditedSet
    rate: float
    judge: TextJudge


def _text(number: int) -> str:
    draw = np.random.default_rng(number)
    return " ".join(f"w{word}" for word in draw.integers(0, 5000, TEXT_WORDS))


def _clean_rows() -> list[Row]:
    """Return rows whose negatives are other rows' positives, each equally often, scored below."""
    rows = []
    for n in range(NUM_ROWS):
        others = [(n + 7 * (k + 1)) % NUM_ROWS for k in range(NUM_NEGATIVES)]
        negatives = [
            Link(f"d{other}", _text(other), score=0.6 - 0.02 * k, rank=k + 1)
            for k, other in enumerate(others)
        ]
        positive = Link(f"d{n}", _text(n), score=0.8)
        rows.append(Row(f"question number {n} about {_text(n)[:12]}", [positive], negatives))
    return rows


def _corpus(rows: Sequence[Row], kin: Sequence[tuple[str, str]] = ()) -> list[dict[str, str]]:
    """Return every document with an entity of its own, but for pairs of `kin`."""
    shared = {right: left for left, right in kin}
    links = [link for row in rows for link in (*row.positives, *row.negatives)]
    return [
        {"doc_id": doc_id, "text": text, "entity_key": f"e-{shared.get(doc_id, doc_id)}"}
        for doc_id, text in {link.doc_id: link.words for link in links}.items()
    ]


def _with_negative(row: Row, negative: Link) -> Row:
    return replace(row, negatives=[negative, *row.negatives[1:]])


def clean() -> Planted:
    rows = _clean_rows()
    return Planted(audited(rows, _corpus(rows)), 0.0, TextJudge(frozenset()))


def false_negatives() -> Planted:
    """Plant exact copies, near copies, translations, and positives of an equal query."""
    rows, kin, wrong = _clean_rows(), [], set[str]()
    for n in range(4 * FALSE_PER_KIND):
        own = rows[n].positives[0]
        kind = n % 4
        if kind == 0:
            planted = Link(f"copy{n}", own.words.upper(), score=0.5)
        elif kind == 1:
            planted = Link(f"near{n}", f"{own.words} and more", score=0.5)
        elif kind == 2:
            planted = Link(f"translated{n}", _text(10_000 + n), score=0.5)
            kin.append((own.doc_id, planted.doc_id))
        else:
            # The same question stands in the other half, with another right answer.
            twin = n + NUM_ROWS // 2
            rows[twin] = replace(rows[twin], query=f"{rows[n].query.upper()}?")
            planted = replace(rows[twin].positives[0], score=0.5)
        wrong.add(planted.words)
        rows[n] = _with_negative(rows[n], planted)
    # Elsewhere the twins' texts are right answers to nothing: the judge must know the row, too.
    data = audited(rows, _corpus(rows, kin))
    rate = 4 * FALSE_PER_KIND / (NUM_ROWS * NUM_NEGATIVES)
    return Planted(data, rate, TextJudge(frozenset(wrong - {_text(n) for n in range(NUM_ROWS)})))


def leaked_queries() -> Planted:
    rows = _clean_rows()
    for n in range(LEAKED_QUERIES):
        rows[n] = replace(rows[n], query=HELD_OUT.texts[n].upper())
    return Planted(audited(rows, _corpus(rows)), LEAKED_QUERIES / NUM_ROWS, TextJudge(frozenset()))


def leaked_passages() -> Planted:
    """Plant passages with something before and after them."""
    rows = _clean_rows()
    for n in range(LEAKED_PASSAGES):
        text = f"A note. {HELD_OUT.texts[20 + n]} The end."
        rows[n] = replace(rows[n], positives=[Link(f"leak{n}", text, score=0.8)])
    return Planted(audited(rows, _corpus(rows)), LEAKED_PASSAGES / NUM_ROWS, TextJudge(frozenset()))


def hub() -> Planted:
    rows = _clean_rows()
    for n in range(0, NUM_ROWS, NUM_ROWS // HUB_ROWS):
        rows[n] = _with_negative(rows[n], Link("hub", _text(99_999), score=0.5))
    return Planted(audited(rows, _corpus(rows)), HUB_ROWS / NUM_ROWS, TextJudge(frozenset()))


def negatives_above() -> Planted:
    rows = _clean_rows()
    for n in range(0, NUM_ROWS, 10):
        rows[n] = _with_negative(rows[n], replace(rows[n].negatives[0], score=0.9))
    return Planted(audited(rows, _corpus(rows)), 0.1, TextJudge(frozenset()))


def easy_negatives() -> Planted:
    rows = _clean_rows()
    for n in range(0, NUM_ROWS, 5):
        easy = [replace(link, score=0.2) for link in rows[n].negatives]
        rows[n] = replace(rows[n], negatives=easy)
    return Planted(audited(rows, _corpus(rows)), 0.2, TextJudge(frozenset()))


PLANTED = {
    "10 % false negatives": (false_negatives, "false_negatives", "known_false_negative_rate"),
    "5 % leaked queries": (leaked_queries, "decontamination", "queries"),
    "5 % leaked passages": (leaked_passages, "decontamination", "positives"),
    "one hub in 10 % of rows": (hub, "hubness", "largest_row_share"),
    "10 % negatives above": (negatives_above, "scores", "negative_above_positive"),
    "20 % easy negatives": (easy_negatives, "hardness", "too_easy"),
}


def _measured(planted: Planted, metric: str, *, with_judge: bool = False) -> Measurement:
    context = AuditContext(
        seed=11,
        evaluation_sets=(HELD_OUT,),
        judge=planted.judge if with_judge else None,
    )
    return METRICS.build({"metric": metric}).measure(planted.data, context)


def _holds(figure: Figure, rate: float) -> bool:
    if figure.low is None or figure.high is None:
        return figure.value == pytest.approx(rate)
    return figure.low <= rate <= figure.high


@pytest.fixture(scope="module")
def clean_set() -> Planted:
    return clean()


@pytest.mark.parametrize("defect", PLANTED)
def test_a_planted_defect_is_found_at_its_rate_and_the_clean_copy_is_quiet(
    defect: str, clean_set: Planted
) -> None:
    plant, metric, name = PLANTED[defect]
    planted = plant()
    found = _measured(planted, metric).figure(name)
    quiet = _measured(clean_set, metric)
    print(f"{defect:28s} {planted.rate:7.4f} planted {found.value:7.4f} found")  # noqa: T201
    assert _holds(found, planted.rate)
    assert sum(quiet.finding_counts.values()) == 0


def test_each_kind_of_false_negative_is_found_in_its_own_rows() -> None:
    found = _measured(false_negatives(), "false_negatives")
    for number, reason in enumerate(
        (
            "equals_its_positive",
            "nearly_equals_positive",
            "same_entity_as_positive",
            "positive_of_equal_query",
        )
    ):
        rows = found.findings.filter(reason=reason)["row"].sort().to_list()
        assert rows == list(range(number, 4 * FALSE_PER_KIND, 4))


def test_a_judge_estimates_the_planted_rate_within_its_interval(clean_set: Planted) -> None:
    planted = false_negatives()
    # Positives of an equal query stand elsewhere as right negatives: a judge of texts cannot know.
    rate = 3 * FALSE_PER_KIND / (NUM_ROWS * NUM_NEGATIVES)
    head = _measured(planted, "false_negatives", with_judge=True).figure("false_negative_rate")
    assert head.low is not None and head.high is not None
    assert head.low <= rate <= head.high
    assert (head.sample, head.population) == (NUM_ROWS, NUM_ROWS * NUM_NEGATIVES)
    quiet = _measured(clean_set, "false_negatives", with_judge=True)
    assert quiet.figure("false_negative_rate").value == 0


def test_every_leak_is_listed_with_the_item_that_it_is() -> None:
    found = _measured(leaked_queries(), "decontamination").findings
    assert found.filter(reason="query_in_evaluation_set")["detail"].to_list() == [
        f"equal_text: query e{n}" for n in range(LEAKED_QUERIES)
    ]


def test_the_hub_is_named(clean_set: Planted) -> None:
    planted = hub()
    found = _measured(planted, "hubness").findings
    assert planted.data.documents["doc_id"].gather(found["document"]).to_list() == ["hub"]
    assert _measured(clean_set, "hubness").figure("hubs").value == 0
