from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from data_cards.probe.config import EvalSetConfig
from data_cards.probe.eval_set import Built, Used, build_eval_set
from sdg.errors import DataError
from sdg.schemas import DOCUMENTS, table_of

_USED = Used(["g-used"], ["e-used", ""], ["Asked, already asked!"])


def _document(number: int, beside: str, **changes: str) -> dict[str, Any]:
    return {
        "doc_id": f"d{number:02d}",
        "text": f"text {number}",
        "language": "eng-Latn",
        "group_id": f"g{number}",
        "entity_key": "",
        "natural_texts": [{"kind": "description", "text": beside}] if beside else [],
        **changes,
    }


def _build(rows: list[dict[str, Any]], **settings: Any) -> Built:
    documents = pl.DataFrame(table_of(rows, DOCUMENTS))
    return build_eval_set(documents, _USED, EvalSetConfig.model_validate(settings))


def test_nothing_the_data_set_used_or_that_answers_twice_is_taken() -> None:
    rows = [
        _document(0, "a river in France"),
        _document(1, "a river in Spain", group_id="g-used"),
        _document(2, "a river in Peru", entity_key="e-used"),
        _document(3, "asked already asked"),
        _document(4, "a city in France"),
        _document(5, "A city in France."),
        _document(6, "two words"),
        _document(7, ""),
    ]
    built = _build(rows)
    assert [row["text"] for row in built.queries] == ["a river in France"]
    assert built.judgments == [(built.queries[0]["_id"], "d00", 1)]
    assert [row["_id"] for row in built.corpus] == ["d00", "d03", "d04", "d05", "d06", "d07"]
    assert built.corpus[0]["metadata"] == {"language": "eng-Latn", "group_id": "g0"}
    assert built.counts["documents_not_used"] == 6


def test_a_group_and_an_entity_are_taken_once() -> None:
    rows = [_document(n, f"the river number {n}", entity_key="e1") for n in range(3)]
    rows += [_document(n, f"the river number {n}", group_id="gx") for n in range(3, 6)]
    for seed in range(8):
        assert len(_build(rows, seed=seed).corpus) == 2
        built = _build(rows, seed=seed, queries=1)
        answered = {document for _, document, _ in built.judgments}
        assert answered <= {row["_id"] for row in built.corpus}
        assert len(built.corpus) == 2


def test_languages_take_turns_and_sizes_are_kept() -> None:
    tags = ["eng-Latn"] * 40 + ["fra-Latn"] * 3
    rows = [_document(n, f"the river number {n}", language=tag) for n, tag in enumerate(tags)]
    built = _build(rows, queries=10, documents=25)
    assert built.counts["queries_by_language"] == {"eng-Latn": 7, "fra-Latn": 3}
    assert len(built.corpus) == 25
    assert built == _build(rows[::-1], queries=10, documents=25)
    assert built != _build(rows, queries=10, documents=25, seed=1)


def test_a_corpus_without_such_texts_is_refused() -> None:
    with pytest.raises(DataError, match="kind 'anchor'"):
        _build([_document(0, "a river in France")], kind="anchor")
