"""Untrusted text made harmless: on a terminal, and inside Markdown."""

from __future__ import annotations

import re
import unicodedata

# Control, format (bidirectional marks, zero-width), surrogate and line or paragraph separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# Zero-width joiner and non-joiner are letters' business in Persian, Hindi and others.
_JOINERS = frozenset("\u200c\u200d")
_MARKDOWN = re.compile(r"[\\`*\[\]{}<>|~$&@#]|(?<!\w)_|_(?!\w)")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_HEADING = re.compile(r"^ {0,3}(#{1,6})(?=\s|$)\s*")
_UNDERLINE = re.compile(r"^ {0,3}(=+|-+)\s*$")
_LINK = re.compile(r"(https?|ftp|mailto|data|javascript)(:)|(www)(\.)", re.IGNORECASE)


class Trusted(str):
    """Text of our own that may contain Markdown; everything else is escaped."""

    __slots__ = ()


def printable(text: str) -> str:
    r"""Return `text` on one line, with every invisible character spelt as its code point.

    A line feed or tab becomes a space; control, bidirectional and other format characters become
    `\u{202e}`, so that a reply cannot move the cursor, colour the terminal or reorder a line.
    """
    folded = text.replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
    return "".join(
        f"\\u{{{ord(char):x}}}"
        if char not in _JOINERS and unicodedata.category(char) in _INVISIBLE
        else char
        for char in folded
    )


def escape_markdown(text: str) -> str:
    """Return `text` as Markdown that renders as the same characters, on one line.

    Holds inside a paragraph or a table cell, not at the start of a line. Makes no link, no HTML,
    no emphasis, no cell border.
    """
    escaped = _MARKDOWN.sub(_escape_one, printable(text))
    return _LINK.sub(lambda m: f"{m[1] or m[3]}\\{m[2] or m[4]}", escaped)


def embedded_markdown(text: str, depth: int) -> Trusted:
    """Return a whole Markdown text of its owner's for a place inside another one.

    Headings, lists, tables and emphasis work, headings `depth` levels lower. HTML, links, images
    and invisible characters do not: they show as text.

    Args:
        text: Any lines.
        depth: Levels to add to headings; no heading is lower than the sixth level.
    """
    return Trusted("\n".join(_embedded_line(line, depth) for line in text.splitlines()).strip())


def _embedded_line(line: str, depth: int) -> str:
    found = _HEADING.match(line)
    head = ""
    if found:
        head, line = "#" * min(6, len(found[1]) + depth) + " ", line[found.end() :]
    elif _UNDERLINE.match(line):
        # It would make the line before a heading of the first or second level.
        return ""
    indent = len(line) - len(line.lstrip(" "))
    shown = printable(line[indent:])
    shown = shown.replace("&", "&amp;").replace("<", "&lt;")
    # Entities, because a backslash before a bracket may be there already.
    shown = re.sub(r"\](?=[(:\[])", "&#93;", shown.replace("![", "!&#91;"))
    shown = _LINK.sub(lambda m: f"{m[1] or m[3]}\\{m[2] or m[4]}", shown)
    return " " * indent + head + shown


def code(text: str) -> Trusted:
    """Return `text` as Markdown code; text that code cannot hold in a table is escaped instead."""
    shown = printable(text)
    if not shown or "`" in shown or "|" in shown:
        return Trusted(escape_markdown(shown))
    return Trusted(f"`{shown}`")


def _escape_one(match: re.Match[str]) -> str:
    return _ENTITIES.get(match[0], "\\" + match[0])
