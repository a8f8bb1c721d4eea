"""Finished rows get another positive from their own negatives, or their last-ranked negative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest

from sdg.judge.negatives import Mined, Wanted
from sdg.llm import Score, ScoreRequest
from sdg.relabel.config import RelabelConfig
from sdg.relabel.existing import RelabelledRows, relabel_existing
from sdg.relabel.last_ranked import add_last_ranked, documents_to_compare
from sdg.schemas import JUDGMENTS, NEGATIVES, POSITIVES, table_of
from tests.sdg.judge.test_policies import mined
from tests.sdg.rows import candidates_of, candidates_row, reasons

CONFIG = RelabelConfig.model_validate({"scorers": [{"scorer": "query_likelihood"}]})


def _score(likes: dict[str, float]) -> Callable[[Sequence[ScoreRequest]], list[Score]]:
    def score(requests: Sequence[ScoreRequest]) -> list[Score]:
        return [Score(r.key, likes.get(r.key.rsplit("/", 1)[1], -9.0), 1, 1, "") for r in requests]

    return score


def _relabel(rows: Mined, likes: dict[str, float], drop: bool = False) -> RelabelledRows:
    return relabel_existing(rows, CONFIG, Wanted(2, drop), _score(likes))


def test_the_preferred_negative_takes_the_place_of_the_positive() -> None:
    rows = mined({"q1": ["glass", "herring", "cloth"], "q2": ["glass", "bells"]})
    done = _relabel(rows, {"herring": -0.1, "p": -0.5})
    first, second = done.result.kept.to_pylist()
    assert first["positive_ids"] == ["herring"]
    assert first["positive_scores"] == pytest.approx([0.79])
    assert first["negative_ids"] == ["glass", "cloth"]
    assert first["dropped"][-1] == {"reason": "became_positive", "count": 1}
    assert second["positive_ids"] == ["p"]
    assert done.positives.to_pylist() == [
        {
            "query_id": "q1",
            "positive_ids": ["herring"],
            "original_positive_id": "p",
            "positive_was_relabelled": True,
        },
        {
            "query_id": "q2",
            "positive_ids": ["p"],
            "original_positive_id": "p",
            "positive_was_relabelled": False,
        },
    ]
    assert done.extra["positives_changed"] == 1


def test_a_new_positive_keeps_its_cosine_whoever_proposed_it() -> None:
    rows = mined({"q1": ["glass", "herring", "cloth"]})
    values = rows.negatives.to_pylist()
    values[0]["negative_sources"] = ["dense:fake", "bm25", "random"]
    rows = rows._replace(negatives=table_of(values, NEGATIVES))
    (row,) = _relabel(rows, {"herring": -0.1, "p": -0.5}).result.kept.to_pylist()
    assert row["positive_ids"] == ["herring"]
    assert row["positive_scores"] == pytest.approx([0.79])


def test_the_first_original_is_remembered_through_a_second_change() -> None:
    rows = mined({"q1": ["glass", "herring", "cloth"]})
    values = rows.positives.to_pylist()
    values[0] |= {"original_positive_id": "older", "positive_was_relabelled": True}
    done = _relabel(rows._replace(positives=table_of(values, POSITIVES)), {"glass": -0.1})
    assert done.positives["original_positive_id"].to_pylist() == ["older"]


def test_what_nearly_equals_the_new_positive_is_no_negative_and_short_rows_follow_the_policy() -> (
    None
):
    texts = {"herring": "A town that is known for GLASS, since long ago!"}
    rows = mined({"q1": ["glass", "herring", "cloth"]}, texts)
    done = _relabel(rows, {"glass": -0.1})
    assert done.result.kept["negative_ids"].to_pylist() == [["cloth"]]
    dropped = _relabel(rows, {"glass": -0.1}, drop=True)
    assert reasons(dropped.result) == {"q1": "too_few_negatives"}
    assert dropped.result.rows_in == 1


def test_a_row_with_several_positives_is_left_alone_and_counted() -> None:
    rows = mined({"q1": ["glass", "cloth"]})
    negatives, positives = rows.negatives.to_pylist(), rows.positives.to_pylist()
    negatives[0] |= {"positive_ids": ["p", "bells"], "positive_scores": [0.9, 0.8]}
    positives[0] |= {"positive_ids": ["p", "bells"]}
    rows = rows._replace(
        negatives=table_of(negatives, NEGATIVES), positives=table_of(positives, POSITIVES)
    )
    done = _relabel(rows, {"glass": -0.1})
    assert done.result.kept.equals(rows.negatives)
    assert done.extra["rows_with_several_positives"] == 1
    assert done.extra["pairs_scored"] == 0


def _judgments(*ranked: tuple[str, Sequence[str]]) -> pa.Table:
    rows = [
        {"query_id": query_id, "doc_id": doc_id, "fused_rank": rank}
        for query_id, doc_ids in ranked
        for rank, doc_id in enumerate(doc_ids)
    ]
    return pa.Table.from_pylist(rows, schema=JUDGMENTS)


def _add(
    rows: Mined, ranked: Sequence[str], near: Sequence[str], limit: int = 2
) -> tuple[dict[str, Any], dict[str, int]]:
    candidates = candidates_of(candidates_row("q1", near))
    judgments = _judgments(("q1", ranked))
    needed = documents_to_compare(rows.negatives, judgments).to_pylist()
    assert set(needed) <= set(rows.documents["doc_id"].to_pylist())
    done = add_last_ranked(rows.negatives, judgments, candidates, rows.documents, limit)
    return done.negatives.to_pylist()[0], {k: v for k, v in done.extra.items() if v}


def test_the_last_ranked_candidate_comes_first_with_its_own_source_tag() -> None:
    rows = mined({"q1": ["glass", "herring"], "q0": ["cloth"]})
    row, extra = _add(rows, ["p", "glass", "cloth"], ["p", "glass", "herring", "cloth"])
    assert row["negative_ids"] == ["cloth", "glass"]
    assert row["negative_sources"] == ["relabel:last_ranked", "dense:fake"]
    assert row["negative_ranks"] == [3, 1]
    assert row["negative_scores"] == pytest.approx([0.7, 0.8])
    assert row["search_depth"] == 101
    assert extra == {"last_ranked_added": 1}


def test_a_list_with_room_keeps_all_of_its_own() -> None:
    rows = mined({"q1": ["glass", "herring"], "q0": ["cloth"]})
    row, _ = _add(rows, ["p", "cloth"], ["cloth"], limit=3)
    assert row["negative_ids"] == ["cloth", "glass", "herring"]


@pytest.mark.parametrize(
    ("ranked", "entity", "reason"),
    [
        (["glass", "p"], "", "last_ranked_is_positive"),
        (["p", "cloth"], "Brell", "last_ranked_is_positive"),
        (["p", "herring"], "", "last_ranked_already_mined"),
    ],
)
def test_what_is_or_nearly_is_the_positive_never_becomes_its_negative(
    ranked: list[str], entity: str, reason: str
) -> None:
    rows = mined(
        {"q1": ["glass", "herring"], "q0": ["cloth"]}, p_entity=entity, cloth_entity=entity
    )
    row, extra = _add(rows, ranked, ["p", "glass", "herring", "cloth"])
    assert row == rows.negatives.to_pylist()[0]
    assert extra == {reason: 1}
