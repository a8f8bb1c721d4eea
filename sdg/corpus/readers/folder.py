"""A folder of text, Markdown and HTML files, one document per file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from pydantic import field_validator

from sdg.corpus.columns import NOT_UTF8
from sdg.corpus.contract import RAW_DOCUMENTS
from sdg.corpus.files import find_files, identity_of_files, name_of, root_of
from sdg.corpus.readers import BATCH_ROWS, READERS, Reader
from sdg.corpus.text_files import check_encoding, not_in_encoding
from sdg.language import language_tag
from sdg.schemas import table_of

_TEXT = (".txt", ".text")
_MARKDOWN = (".md", ".markdown")
_HTML = (".html", ".htm", ".xhtml")
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
# Files differ in size far more than table rows do.
_BATCH_CHARACTERS = 16_000_000


class _Page(NamedTuple):
    """What one file holds.

    Attributes:
        text: Its text; "" if it could not be read.
        title: "" if it has none.
        reason: "" or why it could not be read.
        detail: What decided.
    """

    text: str
    title: str
    reason: str = ""
    detail: str = ""


@READERS.register("folder")
class Folder(Reader):
    """Text and Markdown files as they are, HTML files' main text without menus and footers.

    The title is an HTML page's own title or a Markdown file's first heading. Every other file is a
    rejection: `unknown_suffix`, `binary_file` (a NUL byte in it), `no_main_text`. Hidden files and
    folders are passed over.

    Attributes:
        path: A folder, a file or a glob pattern.
        encoding: Of all files.
        language: Language of all documents, as `fra-Latn` or `fr`; "" if not known.
    """

    path: str
    encoding: str = "utf-8"
    language: str = ""

    _known_encoding = field_validator("encoding")(check_encoding)

    @field_validator("language")
    @classmethod
    def _full_language(cls, value: str) -> str:
        return language_tag(value) if value else value

    def batches(self) -> Iterator[pa.Table]:
        """Yield the files in alphabetical order; the key is the path inside the folder.

        Raises:
            DataError: If there is no file, or one is not in `encoding` under `on_bad_text: error`.
        """
        root = root_of(self.path)
        rows: list[dict[str, Any]] = []
        characters = 0
        for file in find_files(self.path, ()):
            key = name_of(file, root)
            page = self._page(file, key)
            characters += len(page.text)
            rows.append(self._row(key, page))
            if len(rows) == BATCH_ROWS or characters > _BATCH_CHARACTERS:
                yield table_of(rows, RAW_DOCUMENTS)
                rows, characters = [], 0
        yield table_of(rows, RAW_DOCUMENTS)

    def content_identity(self) -> dict[str, Any]:
        """Return name, size and sha256 of every file."""
        return {"files": identity_of_files(find_files(self.path, ()), root_of(self.path))}

    def _row(self, key: str, page: _Page) -> dict[str, Any]:
        return {
            "source_key": key,
            "language": self.language,
            "topic": "",
            "entity_key": "",
            "natural_texts": [],
            **page._asdict(),
        }

    def _page(self, file: Path, key: str) -> _Page:
        suffix = file.suffix.lower()
        if suffix not in (*_TEXT, *_MARKDOWN, *_HTML):
            return _Page("", "", "unknown_suffix", f"suffix {suffix!r}")
        data = file.read_bytes()
        try:
            text = data.decode(self.encoding)
        except UnicodeDecodeError as error:
            if b"\0" in data:
                return _Page("", "", "binary_file", f"{len(data)} bytes with NUL among them")
            if self.on_bad_text == "error":
                raise not_in_encoding(key, self.encoding) from error
            return _Page("", "", NOT_UTF8, f"not {self.encoding}: {error}")
        if "\0" in text:
            return _Page("", "", "binary_file", f"{len(data)} bytes with NUL among them")
        text = text.encode("utf-8", "ignore").decode("utf-8")
        if suffix in _HTML:
            return _main_text(text)
        heading = _HEADING.search(text) if suffix in _MARKDOWN else None
        return _Page(text, heading.group(1) if heading else "")


def _main_text(html: str) -> _Page:
    import trafilatura

    page = trafilatura.bare_extraction(html, with_metadata=True)
    fields = page if page is None or isinstance(page, dict) else page.as_dict()
    if not fields or not fields.get("text"):
        return _Page("", "", "no_main_text", f"{len(html)} characters of HTML")
    return _Page(fields["text"], fields.get("title") or "")
