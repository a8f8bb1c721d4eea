from __future__ import annotations

import math

import pyarrow as pa
import pytest

from sdg.cell_yield import CellYieldConfig, count_candidates, find_low_yield_cells, reject_cells
from sdg.verdicts import apply_verdicts
from tests.sdg.rows import queries_of, query_row, reasons


def _queries(english: int, french: int, natural: int) -> pa.Table:
    return queries_of(
        *(query_row(f"e{i:02}") for i in range(english)),
        *(query_row(f"f{i:02}", query_language="fra-Latn") for i in range(french)),
        *(query_row(f"n{i:02}", generator="", task="natural") for i in range(natural)),
    )


ARRIVED = count_candidates([_queries(20, 40, 40), _queries(20, 0, 0)])


def _low(config: CellYieldConfig, english: int, french: int, natural: int) -> list[str]:
    passed = count_candidates([_queries(english, french, natural)])
    cells = find_low_yield_cells(ARRIVED, passed, config)
    return [
        f"{c['query_language']} {c['num_passed']}/{c['num_candidates']}" for c in cells.to_pylist()
    ]


def test_cells_below_the_share_are_found_and_at_it_are_not() -> None:
    config = CellYieldConfig(min_share=0.1, z_score=0)
    assert _low(config, english=4, french=3, natural=1) == ["fra-Latn 3/40"]
    assert _low(config, english=3, french=4, natural=1) == ["eng-Latn 3/40"]


def test_a_cell_of_which_nothing_passed_is_found() -> None:
    assert _low(CellYieldConfig(), english=40, french=0, natural=40) == ["fra-Latn 0/40"]


@pytest.mark.parametrize(
    ("passed", "of", "is_low"),
    [(1, 28, True), (1, 10, True), (2, 10, False), (1, 3, False), (7, 100, True), (10, 100, False)],
)
def test_a_cell_must_prove_its_yield_by_size_or_by_quality(
    passed: int, of: int, is_low: bool
) -> None:
    arrived, kept = (count_candidates([_queries(n, 0, 0)]) for n in (of, passed))
    cells = find_low_yield_cells(arrived, kept, CellYieldConfig()).to_pylist()
    assert bool(cells) is is_low


def test_the_lower_end_is_wilsons() -> None:
    arrived, kept = (count_candidates([_queries(n, 0, 0)]) for n in (50, 1))
    (cell,) = find_low_yield_cells(arrived, kept, CellYieldConfig(z_score=1.96)).to_pylist()
    # The interval holds the p at which 1 of 50 lies z deviations away: solve for p.
    low = cell["share_at_least"]
    assert (0.02 - low) / math.sqrt(low * (1 - low) / 50) == pytest.approx(1.96)
    assert cell["share"] == 0.02


def test_small_cells_and_natural_pairs_are_not_judged_unless_asked() -> None:
    assert _low(CellYieldConfig(min_candidates=41), 0, 0, 0) == []
    assert _low(CellYieldConfig(enabled=False), 0, 0, 0) == []
    assert len(_low(CellYieldConfig(generated_only=False), 0, 0, 0)) == 3


def test_every_surviving_query_of_a_low_cell_is_rejected_with_the_numbers() -> None:
    kept = _queries(4, 3, 1)
    cells = find_low_yield_cells(
        ARRIVED, count_candidates([kept]), CellYieldConfig(min_share=0.1, z_score=0)
    )
    result = apply_verdicts(kept, reject_cells(kept, cells), "cell_yield")
    assert reasons(result) == {f"f0{i}": "cell_yield_too_low" for i in range(3)}
    assert set(result.rejected["detail"].to_pylist()) == {"3/40"}


def test_counts_do_not_depend_on_the_cut_of_the_batches() -> None:
    table = _queries(3, 2, 1)
    cut = count_candidates(table.slice(at, 1) for at in range(table.num_rows))
    assert cut.equals(count_candidates([table]))
    assert count_candidates([]).num_rows == 0
