"""The report page as text."""

from __future__ import annotations

import json
import re

from data_cards.report import render_report
from data_cards.report.charts import Line, chart_of, figure_text
from tests.data_cards.report.made import HOSTILE, audited, example, findings, metrics


def _page(query: str = HOSTILE) -> str:
    data = audited([example(0, query), example(1, "plain"), example(2, "other")])
    return render_report(data, metrics(odd_query=1), findings(0))


def _payload(page: str) -> dict[str, list[object]]:
    match = re.search(r'id="rows-data">(.*?)</script>', page, re.DOTALL)
    assert match is not None
    loaded: dict[str, list[object]] = json.loads(match[1])
    return loaded


def test_page_is_the_same_for_the_same_audit() -> None:
    assert _page() == _page()


def test_page_reaches_for_nothing_outside_itself() -> None:
    page = _page("plain")
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!#)""", page)
    assert "@import" not in page
    assert "url(" not in page


def test_hostile_text_adds_no_element() -> None:
    tags = re.compile(r"<\s*([a-zA-Z!/][a-zA-Z0-9]*)")
    assert sorted(tags.findall(_page())) == sorted(tags.findall(_page("plain")))


def test_hostile_text_is_shown_as_it_is_with_invisible_characters_spelt_out() -> None:
    text = _payload(_page())["texts"][0]
    assert text == HOSTILE.replace("\u202e", "\\u{202e}").replace("\u2028", "\\u{2028}").replace(
        "\x1b", "\\u{1b}"
    )


def test_bars_of_all_series_share_one_scale_and_missing_ones_are_zero() -> None:
    chart = chart_of(metrics()["metrics"]["made"]["histograms"][0])
    assert chart.series == ("positive", "negative")
    assert chart.lines == (
        Line("0 to 0.5", ("10", "40"), (25.0, 100.0)),
        Line("0.5 to 1", ("20", "0"), (50.0, 0.0)),
    )


def test_an_estimated_share_states_its_interval_and_sample() -> None:
    rate, rows = metrics()["metrics"]["made"]["figures"]
    assert figure_text(rate) == "12.5 % (10 to 15 %, 400 of 9,000 looked at)"
    assert figure_text(rows) == "3"
