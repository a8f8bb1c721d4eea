from __future__ import annotations

from sdg.vocabulary import build_vocabularies
from tests.sdg.rows import document_row, documents_of

ROWS = [
    document_row("d1", "A bridge, a bridge", title="Brell"),
    document_row("d2", "The bridge", natural_texts=[{"kind": "description", "text": "crossing"}]),
    document_row("d3", "Le pont", language="fra-Latn"),
]


def test_words_are_counted_once_per_document_and_sorted() -> None:
    vocabularies = build_vocabularies([documents_of(*ROWS)])
    assert vocabularies["eng-Latn"].to_pydict() == {
        "word": ["a", "brell", "bridge", "crossing", "the"],
        "num_documents": [1, 1, 2, 1, 1],
    }
    assert vocabularies["fra-Latn"]["word"].to_pylist() == ["le", "pont"]


def test_vocabularies_do_not_depend_on_the_cut_of_the_batches() -> None:
    whole = build_vocabularies([documents_of(*ROWS)])
    cut = build_vocabularies(documents_of(row) for row in ROWS[::-1])
    assert {k: v.to_pydict() for k, v in whole.items()} == {
        k: v.to_pydict() for k, v in sorted(cut.items())
    }


def test_rare_words_can_be_left_out() -> None:
    vocabularies = build_vocabularies([documents_of(*ROWS)], min_documents=2)
    assert vocabularies["eng-Latn"]["word"].to_pylist() == ["bridge"]
    assert build_vocabularies([]) == {}
