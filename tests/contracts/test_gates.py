"""What every gate promises, whatever its rule; a new file in sdg/gates/ is covered at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sdg.gates import GATES, Evidence, Gate, align_sources, apply_gates
from sdg.vocabulary import build_vocabularies
from tests.sdg.gates.tiny_classifier import write_classifier
from tests.sdg.rows import document_row, documents_of, queries_of, query_row

_TEXTS = [
    ("q00", "who designed the footbridge over the gorge of Brell", "d1", "eng-Latn", "m"),
    ("q01", "who designed the footbridge over the gorge of Brell", "d1", "eng-Latn", "m"),
    ("q02", "Brell", "d1", "eng-Latn", "m"),
    ("q03", "Irena designed eleven footbridges of wood and steel", "d1", "eng-Latn", "m"),
    ("q04", "the first of the first of the first", "d1", "eng-Latn", "m"),
    ("q05", "кто построил мост через ущелье", "d1", "eng-Latn", "m"),
    ("q06", "qui a dessiné la passerelle au-dessus de la gorge", "d2", "fra-Latn", "m"),
    ("q07", "what did the solstaxian engineers eat", "d1", "eng-Latn", "m"),
    ("q08", "谁设计了峡谷上的桥", "d3", "zho-Hans", "m"),
    ("q09", "谁", "d3", "zho-Hans", "m"),
    ("q10", "", "d1", "eng-Latn", "m"),
    ("q11", "?!", "d2", "fra-Latn", ""),
    ("q12", "ingénieure française", "d2", "fra-Latn", ""),
    ("q13", "word " * 100, "d1", "eng-Latn", "m"),
]
QUERIES_IN = queries_of(
    *(
        query_row(
            query_id,
            query,
            source_doc_id=source,
            query_language=language,
            generator=generator,
            mean_logprob=None if not generator else -0.3 * number,
        )
        for number, (query_id, query, source, language, generator) in enumerate(_TEXTS)
    )
)
DOCUMENTS_IN = documents_of(
    document_row(
        "d1", "Irena designed eleven footbridges of wood and steel over the gorge of Brell"
    ),
    document_row("d2", "Irena a dessiné onze passerelles.", language="fra-Latn"),
    document_row("d3", "伊蕾娜设计了十一座桥。", language="zho-Hans"),
)
VOCABULARIES = build_vocabularies([DOCUMENTS_IN])


def _judge(gate: Gate, queries: pa.Table) -> dict[str, tuple[bool, str]]:
    verdict = gate.judge(queries, Evidence(align_sources(queries, DOCUMENTS_IN), VOCABULARIES))
    assert verdict.rejected.dtype == np.bool_
    assert verdict.rejected.shape == (queries.num_rows,)
    assert len(verdict.reasons) == len(verdict.details) == verdict.rejected.sum()
    found = iter(verdict.reasons)
    return {
        query_id: (bool(is_rejected), next(found) if is_rejected else "")
        for query_id, is_rejected in zip(
            queries["query_id"].to_pylist(), verdict.rejected, strict=True
        )
    }


# Settings that make a gate cheap to try; without `among`, models of 75 languages are loaded.
CHEAP: dict[str, dict[str, object]] = {
    "language": {"among": ["eng-Latn", "fra-Latn", "rus-Cyrl", "zho-Hans"]}
}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classifier(tmp_path_factory.mktemp("classifier"))


@pytest.fixture(params=sorted(GATES))
def gate(request: pytest.FixtureRequest, classifier: Path) -> Gate:
    settings = {"gate": request.param, **CHEAP.get(request.param, {})}
    if request.param == "toxicity":
        settings |= {"model": str(classifier), "labels": ["toxic"]}
    return GATES.build(settings)


def test_a_gates_verdict_does_not_depend_on_the_order_of_rows(gate: Gate) -> None:
    backwards = QUERIES_IN.take(pa.array(range(QUERIES_IN.num_rows)[::-1]))
    assert _judge(gate, QUERIES_IN) == _judge(gate, backwards)


def test_a_gates_verdict_does_not_depend_on_rows_of_other_documents(gate: Gate) -> None:
    together = _judge(gate, QUERIES_IN)
    for source in ("d1", "d2", "d3"):
        mask = pa.array([s == source for s in QUERIES_IN["source_doc_id"].to_pylist()])
        alone = _judge(gate, QUERIES_IN.filter(mask))
        assert alone == {query_id: together[query_id] for query_id in alone}


def test_a_gates_reasons_are_snake_case(gate: Gate) -> None:
    for _, reason in _judge(gate, QUERIES_IN).values():
        assert reason == reason.lower().replace(" ", "_")


def test_a_gate_keeps_or_rejects_every_row_once(gate: Gate) -> None:
    result = apply_gates(QUERIES_IN, DOCUMENTS_IN, [gate], vocabularies=VOCABULARIES)
    ids = result.kept["query_id"].to_pylist() + result.rejected["row_id"].to_pylist()
    assert sorted(ids) == QUERIES_IN["query_id"].to_pylist()


def test_a_gate_passes_queries_of_tasks_it_is_not_for(gate: Gate) -> None:
    other = gate.model_copy(update={"tasks": ("another_*",)})
    result = apply_gates(QUERIES_IN, DOCUMENTS_IN, [other], vocabularies=VOCABULARIES)
    assert result.kept.equals(QUERIES_IN)


def test_a_gate_with_generated_only_passes_natural_pairs(gate: Gate) -> None:
    strict = gate.model_copy(update={"generated_only": True})
    result = apply_gates(QUERIES_IN, DOCUMENTS_IN, [strict], vocabularies=VOCABULARIES)
    assert {"q11", "q12"} <= set(result.kept["query_id"].to_pylist())


def test_a_gate_survives_a_batch_of_one(gate: Gate) -> None:
    for row in range(QUERIES_IN.num_rows):
        assert len(_judge(gate, QUERIES_IN.slice(row, 1))) == 1


def test_a_gates_settings_are_part_of_its_identity(gate: Gate) -> None:
    other = gate.model_copy(update={"tasks": ("x",)})
    assert other.identity() != gate.identity()


def test_what_a_gate_withholds_changes_no_id_stage_or_reason(gate: Gate) -> None:
    rejected = apply_gates(
        QUERIES_IN, DOCUMENTS_IN, [GATES.build({"gate": "length"})], vocabularies=VOCABULARIES
    ).rejected
    done = gate.withhold(rejected)
    assert done.schema.equals(rejected.schema)
    names = ["row_id", "stage", "reason"]
    assert done.select(names).equals(rejected.select(names))
    assert gate.withhold(done).equals(done)
    assert gate.withhold(rejected.slice(0, 0)).num_rows == 0
