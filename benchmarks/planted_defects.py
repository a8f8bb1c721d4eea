"""Whether each audit metric finds a known defect at the rate at which it was planted.

    python -m benchmarks.planted_defects

A clean data set of real text (packaged encyclopaedia abstracts, with the descriptions people wrote
as queries) and copies of it with one defect each. A defect is found if the share planted lies
within what the metric's figure states: its interval, or exactly where it has none. On the clean
copy the figure must stay under a bound that is stated here.

Clean means: no two queries and no two abstracts are the same, no query is copied from its abstract,
every query has at least four words and is at most half as long as its abstract. Of all 25,359
descriptions 13 % are copied from their abstract, 9 % repeat another and 0.2 % look swapped, so
ordinary text is less quiet than this choice. Languages were not looked at, but the bounds of the
metric `languages` were set on descriptions of the same collection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from benchmarks.abstracts import read_abstracts
from benchmarks.tables import render_table
from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.in_memory import audited_examples
from data_cards.audit.measurement import Figure, Measurement
from data_cards.audit.metric import METRICS, AuditContext
from sdg.ids import comparison_key, content_id
from sdg.schemas import EXAMPLES

Row = dict[str, Any]
Planter = Callable[[list[Row], np.random.Generator], tuple[list[Row], int]]

_PER_LANGUAGE = 200
_NEGATIVES = 3
_FEWEST_WORDS = 4
_VALIDATION = 0.2
_SEED = 7


@dataclass(frozen=True)
class Defect:
    """One defect, and the figure that must find it.

    Attributes:
        name: For people.
        plant: Changes a copy of the clean rows in place or returns others; and how many of the
            figure's population have the defect then.
        metric: Registered name.
        figure: Name of the figure.
        clean_at_most: What the figure may be on the clean copy.
        context: What the metric is given.
    """

    name: str
    plant: Planter
    metric: str
    figure: str
    clean_at_most: float = 0.0
    context: Callable[[], AuditContext] = field(default=AuditContext)


class Outcome(NamedTuple):
    """What one defect's figure says about the planted and about the clean copy."""

    defect: Defect
    planted: float
    found: Figure
    clean: Figure

    @property
    def is_found(self) -> bool:
        """Whether the planted share lies in the figure's interval, or equals it without one."""
        low = self.found.value if self.found.low is None else self.found.low
        high = self.found.value if self.found.high is None else self.found.high
        return low - 1e-9 <= self.planted <= high + 1e-9

    @property
    def is_quiet(self) -> bool:
        """Whether the figure of the clean copy keeps its bound."""
        return self.clean.value <= self.defect.clean_at_most


def examine(defect: Defect) -> Outcome:
    """Plant the defect and measure both copies."""
    rows, count = defect.plant(clean_rows(), np.random.default_rng(_SEED))
    found = _measured(defect, rows)
    clean = _clean_measurement(defect.metric, defect.context).figure(defect.figure)
    return Outcome(defect, count / found.population, found, clean)


def audited(rows: list[Row]) -> AuditedSet:
    """Return the rows as an audited set."""
    return audited_examples(pa.Table.from_pylist(rows, schema=EXAMPLES), name="planted")


def clean_rows() -> list[Row]:
    """Return a fresh copy of the clean rows, of schema EXAMPLES; 200 per language."""
    return [
        {**row, **{k: list(v) for k, v in row.items() if isinstance(v, list)}}
        for row in _clean_and_spare()[0]
    ]


def spare_rows() -> list[Row]:
    """Return as many rows of the same kind, none of whose texts is in the clean ones."""
    return list(_clean_and_spare()[1])


def with_positive(row: Row, text: str) -> Row:
    """Return the row with another positive, which is a document of its own."""
    return {**row, "positives": [text], "positive_ids": [content_id("d", row["query_id"], text)]}


def chosen(rows: list[Row], share: float, generator: np.random.Generator) -> list[int]:
    """Return the places of `share` of the rows."""
    size = round(share * len(rows))
    return np.sort(generator.choice(len(rows), size, replace=False)).tolist()


@cache
def _clean_measurement(metric: str, context: Callable[[], AuditContext]) -> Measurement:
    return METRICS.build({"metric": metric}).measure(audited(clean_rows()), context())


def _measured(defect: Defect, rows: list[Row]) -> Figure:
    metric = METRICS.build({"metric": defect.metric})
    return metric.measure(audited(rows), defect.context()).figure(defect.figure)


@cache
def _clean_and_spare() -> tuple[list[Row], list[Row]]:
    documents, descriptions = read_abstracts()
    texts, languages = documents["text"].to_pylist(), documents["language"].to_pylist()
    order = np.random.default_rng(_SEED).permutation(len(texts)).tolist()
    seen: set[str] = set()
    pools: dict[str, list[tuple[str, str]]] = {tag: [] for tag in sorted(set(languages))}
    for place in order:
        pool = pools[languages[place]]
        query, text = comparison_key(descriptions[place]), comparison_key(texts[place])
        is_copied = f" {query} " in f" {text} " or 2 * len(query) > len(text)
        is_short = len(query.split()) < _FEWEST_WORDS
        if len(pool) < 2 * _PER_LANGUAGE and not (is_copied or is_short or query in seen):
            seen.add(query)
            pool.append((descriptions[place], texts[place]))
    halves: tuple[list[Row], list[Row]] = ([], [])
    for tag, pool in pools.items():
        for start, half in zip((0, _PER_LANGUAGE), halves, strict=True):
            part = pool[start : start + _PER_LANGUAGE]
            half.extend(_row(tag, part, place) for place in range(len(part)))
    return halves


def _row(tag: str, pool: list[tuple[str, str]], place: int) -> Row:
    query, positive = pool[place]
    negatives = [pool[(place + step) % len(pool)][1] for step in (7, 31, 59)]
    group = content_id("g", positive)
    is_validation = place < _VALIDATION * len(pool)
    return {
        "query_id": content_id("q", query),
        "query": query,
        "query_language": tag,
        "instruction": "",
        "task": "description",
        "positive_ids": [content_id("d", positive)],
        "positives": [positive],
        "positive_scores": [0.8],
        "positive_languages": [tag],
        "negative_ids": [content_id("d", text) for text in negatives],
        "negatives": negatives,
        "negative_scores": [0.5, 0.4, 0.3],
        "negative_ranks": [1, 2, 3],
        "negative_sources": ["bm25"] * _NEGATIVES,
        "negative_languages": [tag] * _NEGATIVES,
        "relevance": [None] * (1 + _NEGATIVES),
        "group_id": group,
        "split": "validation" if is_validation else "train",
        "provenance": None,
    }


def _wrong_query_language(rows: list[Row], generator: np.random.Generator) -> tuple[list[Row], int]:
    """Give 5 % of the rows a query in another of the three languages."""
    places = chosen(rows, 0.05, generator)
    for place, other in zip(places, _foreign(places), strict=True):
        rows[place]["query"] = other["query"]
    return rows, len(places)


def _wrong_positive_language(
    rows: list[Row], generator: np.random.Generator
) -> tuple[list[Row], int]:
    """Give 5 % of the rows a positive in another of the three languages."""
    places = chosen(rows, 0.05, generator)
    for place, other in zip(places, _foreign(places), strict=True):
        rows[place] = with_positive(rows[place], other["positives"][0])
    return rows, len(places)


def _foreign(places: list[int]) -> list[Row]:
    """Return for each place a spare row in another language."""
    spare = spare_rows()
    # Both lists hold the languages one after another.
    return [spare[(place + _PER_LANGUAGE) % len(spare)] for place in places]


def _across_splits(rows: list[Row], generator: np.random.Generator) -> tuple[list[Row], int]:
    """Put a training row's query and positive into 10 % of the validation rows."""
    held_out = [place for place, row in enumerate(rows) if row["split"] == "validation"]
    training = [row for row in rows if row["split"] == "train"]
    places = [held_out[i] for i in chosen([rows[p] for p in held_out], 0.1, generator)]
    for step, place in enumerate(places):
        source = training[3 * step]
        copied = {name: source[name] for name in ("positives", "positive_ids", "query_language")}
        rows[place] = {**rows[place], **copied, "query": source["query"].upper() + "  ?"}
    return rows, len(places)


def _copied(rows: list[Row], generator: np.random.Generator) -> tuple[list[Row], int]:
    """Make 10 % of the queries a run of six words of their positive."""
    places = chosen(rows, 0.1, generator)
    for place in places:
        words = rows[place]["positives"][0].split()
        start = int(generator.integers(0, max(len(words) - 6, 1)))
        rows[place]["query"] = " ".join(words[start : start + 6]).lower()
    return rows, len(places)


# Invented; check digits are right, and none of them is in use.
_PRIVATE = (
    "Write to marie.dupont@laposte-mail.fr for details.",
    "Call +33 6 12 34 56 78 after six.",
    "Call (212) 736-5000 today.",
    "Paid with 4539 1488 0343 6467.",
    "Transfer to FR14 2004 1010 0505 0001 3M02 606.",
    "Seen from 93.184.216.34 at night.",
    "Her number is 536-90-4399.",
    "aws_access_key_id = AKIAQWERTYUIOPASDFGH",
    "-----BEGIN RSA PRIVATE KEY-----",
    "token ghp_abcdefghijklmnopqrstuvwxyz0123456789",
)


def _private(rows: list[Row], generator: np.random.Generator) -> tuple[list[Row], int]:
    """Add an invented address, number or key to 5 % of the queries."""
    places = chosen(rows, 0.05, generator)
    for step, place in enumerate(places):
        rows[place]["query"] += " " + _PRIVATE[step % len(_PRIVATE)]
    return rows, len(places)


def _empty(rows: list[Row], generator: np.random.Generator) -> tuple[list[Row], int]:
    """Empty 3 % of the positives; white space and hidden characters are nothing to see either."""
    places = chosen(rows, 0.03, generator)
    for step, place in enumerate(places):
        rows[place] = with_positive(rows[place], ("", " \n", "\u200b\u00a0")[step % 3])
    return rows, len(places)


def _swapped(rows: list[Row], generator: np.random.Generator) -> tuple[list[Row], int]:
    """Exchange query and positive in 5 % of the rows."""
    places = chosen(rows, 0.05, generator)
    for place in places:
        query, positive = rows[place]["query"], rows[place]["positives"][0]
        rows[place] = {**with_positive(rows[place], query), "query": positive}
    return rows, len(places)


def _all_swapped(rows: list[Row], generator: np.random.Generator) -> tuple[list[Row], int]:
    """Exchange query and positive in every row."""
    del generator
    turned = [{**with_positive(row, row["query"]), "query": row["positives"][0]} for row in rows]
    return turned, len(turned)


def _mojibake(rows: list[Row], generator: np.random.Generator) -> tuple[list[Row], int]:
    """Give 5 % of the rows the start of their positive as query, its UTF-8 read as another code."""
    accented = [i for i, row in enumerate(rows) if _num_accented(row["positives"][0]) > 2]
    size = round(0.05 * len(rows))
    places = np.sort(generator.choice(accented, size, replace=False)).tolist()
    for step, place in enumerate(places):
        raw = rows[place]["positives"][0].encode()
        broken = raw.decode("latin-1" if step % 2 else "cp1252", "replace")
        rows[place] = {**rows[place], "query": broken[:300]}
    return rows, len(places)


def _num_accented(text: str) -> int:
    return sum(character in "áéíóúñçèàêîôûâ" for character in text[:200])


def _near_negatives(rows: list[Row], generator: np.random.Generator) -> tuple[list[Row], int]:
    """Make a negative of 15 % of the rows (5 % of negatives) the positive with a word less."""
    places = chosen(rows, 0.15, generator)
    for place in places:
        words = rows[place]["positives"][0].split()
        is_long = len(set(comparison_key(" ".join(words)).split())) > 45
        text = " ".join(words[:-1] if is_long else words).upper() + " !"
        rows[place]["negatives"][1] = text
        rows[place]["negative_ids"][1] = content_id("d", text)
    return rows, len(places)


def _script(rows: list[Row], generator: np.random.Generator) -> tuple[list[Row], int]:
    """Add a script, a handler or a link with code to 2 % of the queries."""
    places = chosen(rows, 0.02, generator)
    pieces = ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "javascript:alert(1)")
    for step, place in enumerate(places):
        rows[place]["query"] += " " + pieces[step % 3]
    return rows, len(places)


DEFECTS = [
    Defect(
        "queries in a wrong language, 5 %",
        _wrong_query_language,
        "languages",
        "query_wrong_language_share",
        0.01,
    ),
    Defect(
        "positives in a wrong language, 5 %",
        _wrong_positive_language,
        "languages",
        "positive_wrong_language_share",
        0.005,
    ),
    Defect("queries across splits, 10 %", _across_splits, "duplicates", "held_out_query_share"),
    Defect(
        "positives across splits, 10 %", _across_splits, "duplicates", "held_out_positive_share"
    ),
    Defect("copied queries, 10 %", _copied, "copied_queries", "copied_query_share"),
    Defect("private data in queries, 5 %", _private, "private_data", "query_share"),
    Defect("empty positives, 3 %", _empty, "lengths", "empty_positive_share"),
    Defect("swapped rows, 5 %", _swapped, "swapped_columns", "swapped_row_share", 0.005),
    Defect("all rows swapped", _all_swapped, "swapped_columns", "longer_query_share", 0.005),
    Defect("mojibake in queries, 5 %", _mojibake, "unsafe_text", "mojibake_query_share"),
    Defect(
        "near-duplicate negatives, 5 %",
        _near_negatives,
        "near_duplicate_negatives",
        "near_duplicate_of_positive_share",
        0.001,
    ),
    Defect("scripts in queries, 2 %", _script, "unsafe_text", "script_query_share"),
]


def render(outcomes: list[Outcome]) -> str:
    """Return the table of what was planted and what was found, as Markdown."""
    return render_table(
        [
            {
                "defect": one.defect.name,
                "figure": f"{one.defect.metric}.{one.defect.figure}",
                "planted": f"{one.planted:.2%}",
                "found": f"{one.found.value:.2%}",
                "interval": _interval(one.found),
                "clean copy": f"{one.clean.value:.2%}",
                "bound": f"{one.defect.clean_at_most:.2%}",
                "verdict": "found" if one.is_found and one.is_quiet else "MISSED",
            }
            for one in outcomes
        ]
    )


def _interval(figure: Figure) -> str:
    return "exact" if figure.low is None else f"{figure.low:.2%} to {figure.high:.2%}"


if __name__ == "__main__":
    print(render([examine(defect) for defect in DEFECTS]))
