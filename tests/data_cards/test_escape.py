from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_cards.escape import code, embedded_markdown, escape_markdown, printable


def rendered(markdown: str) -> str:
    """Oracle: what CommonMark makes of escapes and entities alone."""
    return html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown))


@given(st.text())
def test_printable_leaves_no_control_or_direction_character(text: str) -> None:
    shown = printable(text)
    assert not re.search(
        "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]", shown
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\u{1b}[31mred"),
        ("a\u202eb", "a\\u{202e}b"),
        ("two\nlines\there", "two lines here"),
        ("می\u200cر", "می\u200cر"),
        ("naïve ñandú", "naïve ñandú"),
    ],
)
def test_printable_spells_what_cannot_be_seen(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(alphabet="abc*_`|<>[]()\\&$~@#:/.w \n", max_size=40))
def test_escape_markdown_renders_as_the_text_itself(text: str) -> None:
    assert rendered(escape_markdown(text)) == printable(text)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a | b",
        "[x](javascript:alert(1))",
        "![x](http://evil.example/pixel.png)",
        "see https://evil.example",
        "www.evil.example",
        "**bold** `code` $x$",
    ],
)
def test_escape_markdown_leaves_no_active_character(text: str) -> None:
    escaped = escape_markdown(text)
    assert not re.search(r"(?<!\\)[|`*\[\]$]|[<>]|https?://|www\.", escaped)


def test_code_cannot_be_left_by_its_content() -> None:
    assert code("above_relative_margin") == "`above_relative_margin`"
    assert code("a`|b") == "a\\`\\|b"
    assert code("") == ""


def test_embedded_markdown_keeps_lists_and_tables_and_lowers_headings() -> None:
    text = "# All\n\n## [1.0.0]\n\n- one\n  - two **bold**\n\n| a | b |\n|---|---|\n| `c` | d |\n"
    assert embedded_markdown(text, depth=2) == (
        "### All\n\n#### [1.0.0]\n\n- one\n  - two **bold**\n\n| a | b |\n|---|---|\n| `c` | d |"
    )
    assert embedded_markdown("##### x", depth=2) == "###### x"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)>"),
        ("[x](javascript:alert(1))", "[x&#93;(javascript\\:alert(1))"),
        ("[x\\](javascript:alert(1))", "[x\\&#93;(javascript\\:alert(1))"),
        ("[x]: javascript:alert(1)", "[x&#93;: javascript\\:alert(1)"),
        ("![x](a.png)", "!&#91;x&#93;(a.png)"),
        ("&#60;script&#62;", "&amp;#60;script&amp;#62;"),
        ("a\u202eb", "a\\u{202e}b"),
        ("Title\n=====", "Title"),
        ("Title\n---", "Title"),
    ],
)
def test_embedded_markdown_makes_no_html_link_or_image(text: str, shown: str) -> None:
    assert embedded_markdown(text, depth=2) == shown


@given(st.text(alphabet="#<>[]()!&:\\\n -=`jhtp\u202e", max_size=60))
def test_embedded_markdown_is_inert_whatever_the_text(text: str) -> None:
    shown = embedded_markdown(text, depth=2)
    assert not re.search(r"<|\]\(|\]:|!\[|\u202e|^ {0,3}#{1,2}(?!#)\s", shown, re.MULTILINE)
