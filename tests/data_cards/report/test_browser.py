"""The report page in a real browser: inert, usable, accessible, quick."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from data_cards.report import render_report
from tests.data_cards.report.made import HOSTILE, audited, example, findings, metrics

if TYPE_CHECKING:
    from playwright.sync_api import Browser

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page_file(tmp_path: Path) -> Path:
    rows = [example(0, HOSTILE), *(example(n, f"query {n}") for n in range(1, 60))]
    data = audited(rows)
    hub = data.links.filter(row=7)["document"][2]
    text = render_report(data, metrics(odd_query=2, hub_document=1), findings(0, 5, document=hub))
    path = tmp_path / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


class Opened:
    """A page with what it asked for and complained of."""

    def __init__(self, browser: Browser, path: Path, **options: Any) -> None:
        context = browser.new_context(**options)
        context.set_offline(offline=True)
        self.page = context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.goto(path.as_uri())


def test_hostile_text_stays_text_even_when_its_row_is_opened(
    browser: Browser, page_file: Path
) -> None:
    opened = Opened(browser, page_file)
    title = opened.page.title()
    row = opened.page.locator("details.row", has_text="desrever")
    row.locator("summary").click()
    shown = row.locator(".pair p.text").first.inner_text()
    assert "<script>document.title='owned'</script>" in shown
    assert "\\u{202e}desrever" in shown
    assert opened.page.title() == title == "Audit of made <b>up</b>"
    assert opened.page.locator("img").count() == 0
    assert opened.requests == [page_file.as_uri()]
    assert opened.complaints == []


def test_rows_are_found_by_text_language_and_finding(browser: Browser, page_file: Path) -> None:
    page = Opened(browser, page_file).page
    count = page.locator("#rows-count")
    assert count.inner_text() == "60 of the 60 rows on this page match; part 1 of 3."
    assert page.locator("details.row").count() == 25
    page.get_by_label("Text or id contains").fill("negative 1 of row 17.")
    page.locator("details.row").nth(1).wait_for(state="detached")
    assert "query 17" in page.locator("details.row").inner_text()
    page.get_by_label("Text or id contains").fill("")
    page.get_by_label("Query language").select_option("=fra-Latn")
    assert count.inner_text().startswith("20 of the 60 rows")
    page.get_by_label("Query language").select_option("")
    page.get_by_role("button", name="Show rows with made.odd_query").click()
    assert count.inner_text().startswith("2 of the 60 rows")
    assert page.locator("#rows-count").evaluate("e => e === document.activeElement")


def test_rows_are_reached_and_opened_by_keyboard_alone(browser: Browser, page_file: Path) -> None:
    page = Opened(browser, page_file).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the rows"
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    page.keyboard.press("Enter")
    first = page.locator("details.row").first
    assert first.get_attribute("open") is not None
    assert first.locator("h3").all_inner_texts() == ["Query", "Positives", "Negatives"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_page_has_no_accessibility_violation_and_no_sideways_scroll(
    browser: Browser, page_file: Path, scheme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    size = {"width": width, "height": 800}
    page = Opened(browser, page_file, viewport=size, color_scheme=scheme, bypass_csp=True).page
    for details in page.locator("details").all()[:4]:
        details.locator("summary").click()
    found = axe.Axe().run(page).response["violations"]
    assert [(v["id"], [n["html"][:120] for n in v["nodes"]][:3]) for v in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_javascript_everything_but_the_rows_is_there(
    browser: Browser, page_file: Path
) -> None:
    page = Opened(browser, page_file, java_script_enabled=False).page
    page.locator("#metric-made summary").click()
    assert "12.5 % (10 to 15 %" in page.locator("#metric-made").inner_text()
    assert "1 of 2 failed" in page.locator(".tiles").inner_text()
    assert not page.locator("#browser").is_visible()
    assert "JavaScript, which is off" in page.locator("noscript").inner_text()


def test_a_hundred_thousand_rows_open_quickly(browser: Browser, tmp_path: Path) -> None:
    text = "A sentence of some length that a document may well have in it. " * 6
    data = audited([example(n, f"{n} {text}", 4) for n in range(100_000)])
    path = tmp_path / "report.html"
    path.write_text(render_report(data, metrics(), findings(*range(900))), encoding="utf-8")
    assert path.stat().st_size < 12_000_000
    start = time.monotonic()
    page = Opened(browser, path).page
    page.wait_for_selector("details.row")
    assert time.monotonic() - start < 10
    assert "2,000 of 100,000 rows are on this page" in page.locator("main").inner_text()
