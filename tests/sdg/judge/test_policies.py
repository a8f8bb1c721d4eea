"""What verdicts do to rows: every policy, by hand-made verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdg.errors import ContractError
from sdg.judge import Ask, Case, Judge, Verdict
from sdg.judge.config import JudgeConfig
from sdg.judge.negatives import JudgedNegatives, Mined, Wanted, documents_to_judge, judge_negatives
from sdg.llm import ChatRequest, Reply, Score, ScoreRequest
from sdg.schemas import NEGATIVES, POSITIVES, table_of
from tests.sdg.rows import document_row, documents_of, queries_of, query_row, reasons

WORDS = ["glass", "herring", "cloth", "bells", "cider", "paper", "bridges", "wool", "salt", "tin"]


class Nobody:
    """An `Ask` that must not be asked."""

    def complete(self, engine: str, requests: Sequence[ChatRequest]) -> list[Reply]:
        raise AssertionError(engine)

    def score(self, engine: str, requests: Sequence[ScoreRequest]) -> list[Score]:
        raise AssertionError(engine)


class Told(Judge):
    """Says what it is told: "yes", "no", or a failure, by document; remembers what it saw."""

    name: ClassVar[str] = "told"
    says: dict[str, str] = {}  # noqa: RUF012 - pydantic copies defaults
    graded: bool = False
    saw: list[tuple[str, ...]] = []  # noqa: RUF012

    def judge(self, cases: Sequence[Case], ask: Ask, seed: int) -> list[Verdict]:
        verdicts = []
        for case in cases:
            self.saw.append((case.query_id, *(c.doc_id for c in case.candidates)))
            verdicts += [self._one(case.query_id, c.doc_id) for c in case.candidates]
        return verdicts

    def _one(self, query_id: str, doc_id: str) -> Verdict:
        word = self.says.get(doc_id, "no")
        if word not in ("yes", "no"):
            return Verdict(query_id, doc_id, None, failure=word)
        grade = {"yes": 3, "no": 1}[word] if self.graded else None
        return Verdict(query_id, doc_id, word == "yes", grade)


class ToldOfQueries(Told):
    """The same for whole queries."""

    sees: ClassVar[Literal["flagged", "queries"]] = "queries"


def mined(
    pools: Mapping[str, Sequence[str]], texts: Mapping[str, str] | None = None, **documents: Any
) -> Mined:
    """Return queries with positive "p" and these pools; document `<word>` is about that word."""
    texts = texts or {}
    names = sorted({"p"} | {doc for pool in pools.values() for doc in pool})
    rows = [
        document_row(
            name,
            texts.get(name, f"A town that is known for {name} since long ago."),
            entity_key=documents.get(f"{name}_entity", ""),
        )
        for name in names
    ]
    negatives = [
        {
            "query_id": query_id,
            "positive_ids": ["p"],
            "positive_scores": [0.9],
            "negative_ids": list(pool),
            "negative_scores": [0.8 - 0.01 * i for i in range(len(pool))],
            "negative_ranks": list(range(1, len(pool) + 1)),
            "negative_sources": ["dense:fake"] * len(pool),
            "dropped": [{"reason": "same_entity", "count": 2}],
            "search_depth": 100,
        }
        for query_id, pool in pools.items()
    ]
    positives = [
        {
            "query_id": query_id,
            "positive_ids": ["p"],
            "original_positive_id": "p",
            "positive_was_relabelled": False,
        }
        for query_id in pools
    ]
    return Mined(
        queries_of(*(query_row(query_id, source_doc_id="p") for query_id in pools)),
        table_of(positives, POSITIVES),
        table_of(negatives, NEGATIVES),
        documents_of(*rows),
    )


def judged(
    rows: Mined, judges: Judge | tuple[Judge, ...], wanted: int = 2, drop: bool = True, **more: Any
) -> JudgedNegatives:
    judges = judges if isinstance(judges, tuple) else (judges,)
    config = JudgeConfig(enabled=True, judges=judges, **more)
    return judge_negatives(rows, config, Wanted(wanted, drop), Nobody(), 7)


def kept(result: JudgedNegatives) -> dict[str, list[str]]:
    table = result.result.kept
    return dict(zip(table["query_id"].to_pylist(), table["negative_ids"].to_pylist(), strict=True))


def test_hn_remove_drops_the_flagged_and_the_first_of_the_others_fill_up() -> None:
    rows = mined({"q1": ["glass", "herring", "cloth", "bells"]})
    result = judged(rows, Told(says={"glass": "yes", "cloth": "yes"}))
    (row,) = result.result.kept.to_pylist()
    assert row["negative_ids"] == ["herring", "bells"]
    assert row["negative_ranks"] == [2, 4]
    assert row["negative_scores"] == pytest.approx([0.79, 0.77])
    assert row["positive_ids"] == ["p"]
    assert row["dropped"] == [
        {"reason": "same_entity", "count": 2},
        {"reason": "judged_false_negative", "count": 2},
    ]
    assert result.extra["pairs_flagged"] == 2
    assert result.extra["judged_false_negative"] == 2


def test_remove_drops_the_whole_query_and_names_what_was_flagged() -> None:
    rows = mined({"q1": ["glass", "herring"], "q2": ["cloth", "bells"]})
    result = judged(rows, Told(says={"herring": "yes"}), policy="remove")
    assert kept(result) == {"q2": ["cloth", "bells"]}
    assert reasons(result.result) == {"q1": "has_false_negative"}
    assert result.result.rejected["detail"].to_pylist() == ["herring"]
    assert result.positives["query_id"].to_pylist() == ["q2"]


def test_relabel_moves_the_flagged_to_the_positives_with_their_scores() -> None:
    rows = mined({"q1": ["glass", "herring", "cloth"]})
    result = judged(rows, Told(says={"herring": "yes"}, graded=True), policy="relabel")
    (row,) = result.result.kept.to_pylist()
    assert row["positive_ids"] == ["p", "herring"]
    assert row["positive_scores"] == pytest.approx([0.9, 0.79])
    assert row["negative_ids"] == ["glass", "cloth"]
    assert row["dropped"][-1] == {"reason": "became_positive", "count": 1}
    (positive,) = result.positives.to_pylist()
    assert positive["positive_ids"] == ["p", "herring"]
    assert positive["original_positive_id"] == "p"
    assert result.grades.to_pylist() == [
        {"query_id": "q1", "doc_id": "glass", "grade": 1},
        {"query_id": "q1", "doc_id": "herring", "grade": 3},
        {"query_id": "q1", "doc_id": "cloth", "grade": 1},
    ]


@pytest.mark.parametrize(
    "source", ["dense:fake", "bm25", "in_document", "random", "relabel:last_ranked", "generated:m"]
)
def test_a_negative_that_becomes_a_positive_keeps_its_cosine_whoever_proposed_it(
    source: str,
) -> None:
    """Mining scores every candidate with the encoder of the corpus, as it scores positives."""
    rows = mined({"q1": ["glass", "herring", "cloth"]})
    values = rows.negatives.to_pylist()
    values[0]["negative_sources"] = [source, "dense:fake", "dense:fake"]
    rows = rows._replace(negatives=table_of(values, NEGATIVES))
    result = judged(rows, Told(says={"glass": "yes"}), policy="relabel")
    (row,) = result.result.kept.to_pylist()
    assert row["positive_ids"] == ["p", "glass"]
    assert row["positive_scores"] == pytest.approx([0.9, 0.8])


def test_a_negative_without_a_score_becomes_a_positive_without_one() -> None:
    rows = mined({"q1": ["glass", "herring", "cloth"]})
    values = rows.negatives.to_pylist()
    values[0]["negative_scores"][0] = None
    rows = rows._replace(negatives=table_of(values, NEGATIVES))
    result = judged(rows, Told(says={"glass": "yes"}), policy="relabel")
    assert result.result.kept["positive_scores"][0][1].as_py() is None


def test_relabel_takes_out_what_nearly_is_the_new_positive() -> None:
    """Else the finished row would hold a positive as its own negative."""
    texts = {"herring": "A town that is known for GLASS, since long ago!"}
    rows = mined(
        {"q1": ["glass", "herring", "cloth", "bells", "cider"]},
        texts,
        glass_entity="Brell",
        cloth_entity="Brell",
    )
    result = judged(rows, Told(says={"glass": "yes"}), policy="relabel")
    (row,) = result.result.kept.to_pylist()
    assert row["negative_ids"] == ["bells", "cider"]
    assert row["dropped"][1:] == [
        {"reason": "became_positive", "count": 1},
        {"reason": "near_new_positive", "count": 2},
    ]


@pytest.mark.parametrize("policy", ["remove", "hn_remove", "relabel"])
def test_a_query_with_more_than_eight_flags_is_dropped_whatever_the_policy(policy: str) -> None:
    pool = [*WORDS, "lead", "coal"]
    nine = Told(says=dict.fromkeys(pool[:9], "yes"))
    result = judged(mined({"q1": pool}), nine, policy=policy)
    assert reasons(result.result) == {"q1": "too_many_false_negatives"}
    assert result.result.rejected["detail"].to_pylist() == ["9 flagged, at most 8"]
    eight = Told(says=dict.fromkeys(pool[:8], "yes"))
    if policy != "remove":
        assert kept(judged(mined({"q1": pool}), eight, policy=policy)) == {"q1": pool[8:10]}


def test_a_row_without_readable_verdict_is_rejected_with_its_failures() -> None:
    rows = mined({"q1": ["glass", "herring", "cloth"], "q2": ["bells", "cider"]})
    told = Told(says={"glass": "invalid_json", "cloth": "contradictory"})
    result = judged(rows, told)
    assert kept(result) == {"q2": ["bells", "cider"]}
    assert reasons(result.result) == {"q1": "no_readable_verdict"}
    assert result.result.rejected["detail"].to_pylist() == ["2: contradictory, invalid_json"]
    assert result.extra["pairs_unreadable"] == 2
    assert result.extra["unreadable_contradictory"] == 1


class ToldOfBeginnings(Told):
    """The same, of which it read the beginning only."""

    def _one(self, query_id: str, doc_id: str) -> Verdict:
        return super()._one(query_id, doc_id)._replace(was_cut=doc_id in ("glass", "bells"))


def test_verdicts_on_cut_texts_are_counted_once_each() -> None:
    rows = mined({"q1": ["glass", "herring"], "q2": ["bells", "cider"]})
    judges = (ToldOfBeginnings(says={"glass": "yes"}), Told(says={"glass": "yes"}))
    # The second judge saw "glass", and read all of it.
    assert judged(rows, judges[0]).extra["pairs_truncated"] == 2
    assert judged(rows, judges).extra["pairs_truncated"] == 1


def test_keep_keeps_the_unread_negatives_without_a_grade_and_counts_them() -> None:
    rows = mined({"q1": ["glass", "herring", "cloth"]})
    told = Told(says={"glass": "truncated", "herring": "yes"}, graded=True)
    result = judged(rows, told, on_unreadable="keep")
    assert kept(result) == {"q1": ["glass", "cloth"]}
    assert result.extra["pairs_unreadable"] == result.extra["unreadable_truncated"] == 1
    assert "glass" not in result.grades["doc_id"].to_pylist()
    failures = dict(
        zip(
            result.judgments["doc_id"].to_pylist(),
            result.judgments["failure"].to_pylist(),
            strict=True,
        )
    )
    assert failures == {"glass": "truncated", "herring": "", "cloth": ""}


def test_drop_takes_the_unread_negatives_out_and_the_others_fill_up() -> None:
    rows = mined({"q1": ["glass", "herring", "cloth", "bells"]})
    told = Told(says={"glass": "no_score", "herring": "yes"})
    result = judged(rows, told, on_unreadable="drop")
    (row,) = result.result.kept.to_pylist()
    assert row["negative_ids"] == ["cloth", "bells"]
    assert row["dropped"][1:] == [
        {"reason": "judged_false_negative", "count": 1},
        {"reason": "judged_unreadable", "count": 1},
    ]
    assert result.extra["judged_unreadable"] == result.extra["unreadable_no_score"] == 1


def test_drop_rejects_a_row_of_which_nothing_could_be_read_or_too_little_is_left() -> None:
    rows = mined({"q1": ["glass", "herring", "cloth"], "q2": ["glass", "herring", "bells"]})
    told = Told(says=dict.fromkeys(["glass", "herring", "cloth"], "no_score"))
    result = judged(rows, told, on_unreadable="drop")
    assert reasons(result.result) == {"q1": "no_readable_verdict", "q2": "too_few_negatives"}
    assert result.result.rejected["detail"].to_pylist() == ["3: no_score", "1 of 2, of 3 mined"]
    assert result.extra["judged_unreadable"] == 0
    # A short list is kept where short lists are; one that nobody has read is not.
    short = judged(rows, told, drop=False, on_unreadable="drop")
    assert kept(short) == {"q2": ["bells"]}
    assert reasons(short.result) == {"q1": "no_readable_verdict"}


def test_drop_leaves_the_policy_for_flagged_negatives_alone() -> None:
    told = Told(says={"glass": "no_score", "herring": "yes"})
    rows = mined({"q1": ["glass", "herring", "cloth", "bells"]})
    removed = judged(rows, told, on_unreadable="drop", policy="remove")
    assert reasons(removed.result) == {"q1": "has_false_negative"}
    relabelled = judged(rows, told, on_unreadable="drop", policy="relabel")
    (row,) = relabelled.result.kept.to_pylist()
    assert (row["positive_ids"], row["negative_ids"]) == (["p", "herring"], ["cloth", "bells"])
    assert row["dropped"][1:] == [
        {"reason": "became_positive", "count": 1},
        {"reason": "judged_unreadable", "count": 1},
    ]


def test_a_row_left_short_follows_the_shortfall_policy() -> None:
    rows = mined({"q1": ["glass", "herring", "cloth"]})
    told = Told(says={"glass": "yes", "cloth": "yes"})
    dropped = judged(rows, told)
    assert reasons(dropped.result) == {"q1": "too_few_negatives"}
    assert dropped.result.rejected["detail"].to_pylist() == ["1 of 2, of 3 mined"]
    short = judged(rows, told, drop=False)
    assert kept(short) == {"q1": ["herring"]}
    assert short.extra["rows_short"] == 1
    none_left = judged(
        rows, Told(says=dict.fromkeys(["glass", "herring", "cloth"], "yes")), 2, False
    )
    assert reasons(none_left.result) == {"q1": "too_few_negatives"}


def test_a_row_that_cannot_be_filled_is_rejected_before_anyone_is_asked() -> None:
    told = Told(says={})
    result = judged(mined({"q1": ["glass"], "q2": ["glass", "cloth"]}), told)
    assert reasons(result.result) == {"q1": "too_few_negatives"}
    assert told.saw == [("q2", "glass", "cloth")]


def test_rows_of_other_tasks_are_cut_but_not_judged() -> None:
    rows = mined({"q1": ["glass", "herring", "cloth"]})
    told = Told(says={"glass": "yes"})
    result = judged(rows, told, apply_to_tasks=("natural_*",))
    assert kept(result) == {"q1": ["glass", "herring"]}
    assert told.saw == []
    assert result.judgments.num_rows == result.grades.num_rows == 0


def test_a_later_judge_sees_only_what_the_first_flagged_or_failed_on() -> None:
    rows = mined({"q1": ["glass", "herring", "cloth", "bells"], "q2": ["cider", "paper"]})
    first = Told(says={"glass": "yes", "cloth": "invalid_json"})
    second = Told(says={"glass": "no", "cloth": "yes"})
    result = judged(rows, (first, second))
    assert second.saw == [("q1", "glass", "cloth")]
    assert kept(result) == {"q1": ["glass", "herring"], "q2": ["cider", "paper"]}
    assert result.extra["pairs_flagged"] == 1
    assert result.judgments["judge"].to_pylist() == ["0:told"] * 6 + ["1:told"] * 2


def test_a_judge_of_queries_sees_all_candidates_of_a_doubted_query_again() -> None:
    rows = mined({"q1": ["glass", "herring", "cloth"], "q2": ["cider", "paper"]})
    second = ToldOfQueries(says={"herring": "yes"})
    result = judged(rows, (Told(says={"glass": "yes"}), second))
    assert second.saw == [("q1", "glass", "herring", "cloth")]
    assert kept(result) == {"q1": ["glass", "cloth"], "q2": ["cider", "paper"]}


def test_a_failure_of_the_last_judge_is_no_verdict_although_the_first_had_one() -> None:
    rows = mined({"q1": ["glass", "herring", "cloth"]})
    result = judged(rows, (Told(says={"glass": "yes"}), Told(says={"glass": "server_error"})))
    assert reasons(result.result) == {"q1": "no_readable_verdict"}


def test_texts_are_cut_for_the_judge_and_counted() -> None:
    seen: list[str] = []

    class Reader(Told):
        def judge(self, cases: Sequence[Case], ask: Ask, seed: int) -> list[Verdict]:
            seen.extend(c.text for case in cases for c in case.candidates)
            return super().judge(cases, ask, seed)

    rows = mined({"q1": ["glass", "herring"]}, {"glass": "x" * 50, "p": "y" * 50})
    result = judged(rows, Reader(), max_document_characters=49)
    assert seen == ["x" * 49, "A town that is known for herring since long ago."]
    assert result.extra["documents_truncated"] == 2


def test_a_missing_document_is_the_callers_fault() -> None:
    rows = mined({"q1": ["glass", "herring"]})
    with pytest.raises(ContractError, match="herring"):
        judged(rows._replace(documents=rows.documents.slice(0, 1)), Told())
    wanted = documents_to_judge(rows.positives, rows.negatives)
    assert wanted.to_pylist() == ["glass", "herring", "p"]


def test_a_judge_that_forgets_a_candidate_is_found_out() -> None:
    class Forgets(Told):
        def judge(self, cases: Sequence[Case], ask: Ask, seed: int) -> list[Verdict]:
            return super().judge(cases, ask, seed)[1:]

    with pytest.raises(ContractError, match="one verdict per candidate"):
        judged(mined({"q1": ["glass", "herring"]}), Forgets())


words = st.sampled_from(["yes", "no", "no", "no", "invalid_json"])


@given(
    st.lists(st.lists(words, max_size=6), max_size=5),
    st.sampled_from(["remove", "hn_remove", "relabel"]),
    st.sampled_from(["keep", "drop", "reject"]),
    st.booleans(),
)
def test_no_row_and_no_negative_is_lost_or_invented(
    verdicts: list[list[str]], policy: str, on_unreadable: str, drop: bool
) -> None:
    pools = {f"q{i}": [f"{WORDS[j]}{i}" for j in range(len(own))] for i, own in enumerate(verdicts)}
    says = {
        doc: verdict
        for pool, own in zip(pools.values(), verdicts, strict=True)
        for doc, verdict in zip(pool, own, strict=True)
    }
    rows = mined(pools)
    result = judged(
        rows, Told(says=says), drop=drop, policy=policy, on_unreadable=on_unreadable, max_flags=2
    )
    assert set(kept(result)) | set(reasons(result.result)) == set(pools)
    assert result.result.rows_in == len(pools)
    for row in result.result.kept.to_pylist():
        pool = pools[row["query_id"]]
        gone = [d for d in pool if d not in row["negative_ids"] + row["positive_ids"]]
        assert row["negative_ids"] == [d for d in pool if d in row["negative_ids"]]
        assert not set(row["negative_ids"]) & set(row["positive_ids"])
        assert all(says[d] != "yes" for d in row["negative_ids"])
        left = sum(d["count"] for d in row["dropped"][1:])
        spare = len(gone) + len(row["positive_ids"]) - 1 - left
        assert 0 <= spare == max(0, len(pool) - left - 2)


def test_the_order_of_rows_changes_no_row() -> None:
    pools = {"q1": ["glass", "herring", "cloth"], "q2": ["bells", "cider", "paper"]}
    told = Told(says={"glass": "yes", "paper": "yes"})
    rows = mined(pools)
    there = judged(rows, told)
    turned = rows._replace(
        negatives=rows.negatives.take(pa.array([1, 0])), queries=rows.queries.take(pa.array([1, 0]))
    )
    back = judged(turned, told)
    assert kept(there) == kept(back)
    assert back.result.kept["query_id"].to_pylist() == ["q2", "q1"]
