"""Markup, scripts, hidden characters, mojibake."""

from __future__ import annotations

import pytest

from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.unsafe_text import UnsafeText
from tests.data_cards.audit.written import example, found, written

_UNSAFE = {
    "html_tag": ["a <b>bold</b> claim", "<br/>", '<a href="x">y</a>'],
    "script": ["<script>alert(1)</script>", "javascript:alert(1)", "<img src=x onerror=alert(1)>"],
    "template_braces": ["{{ 7*7 }}", "{% include x %}", "${HOME}"],
    "control_character": ["a\x00b", "\x1b[31mred", "a\x85b"],
    "bidi_control": ["abc\u202edef", "\u2066x"],
    "zero_width_character": ["a\u200bb", "\ufeffa"],
    "replacement_character": ["caf\ufffd"],
    "mojibake": ["CafÃ© de la gare Ã  Paris", "itâ€™s late", "EspaÃ±a"],
    "very_long": ["x" * 101],
}
_SAFE = [
    "a < b and c > d; {x} is a set; f(x) = {1, 2}",
    "l'été à Besançon, « où ça ? » – señor, Ångström, Łódź",
    "line\tone\r\nline two",
    "می\u200cخواهم",
    "JavaScript: a language",
    "一个人 👩\u200d🚀",
]


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, ts in _UNSAFE.items() for t in ts])
def test_each_kind_is_found_in_queries_and_documents(kind: str, text: str) -> None:
    data = written(example(text, ["p"]), example("q", [text]))
    measured = UnsafeText(max_characters=100).measure(data, AuditContext())
    assert found(measured.findings, kind) == [(-1, 1), (0, -1)]
    assert measured.figure(f"{kind}_query_share").value == 0.5
    assert measured.figure(f"{kind}_document_share").value == 0.5


@pytest.mark.parametrize("text", _SAFE)
def test_ordinary_text_is_quiet(text: str) -> None:
    measured = UnsafeText().measure(written(example(text, ["p"])), AuditContext())
    assert measured.findings["reason"].to_list() == []
