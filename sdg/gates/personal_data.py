"""A query must hold neither personal data nor a secret."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from sdg.gates import GATES, Evidence, Gate, Verdict
from sdg.ids import canonical_json
from sdg.private_data import KINDS, Kind, find_private, regions_of
from sdg.text_leaves import text_leaves

if TYPE_CHECKING:
    import numpy.typing as npt

_BLOCK = 8_192
# Fields of rejected rows that hold ids and digests, in which nobody wrote anything.
_NAMES = ("_id", "_ids", "_sha256")
_LANGUAGES = ("query_language", "document_language", "language")
_DETAIL = "detail of the rejection"


class _Leaf(NamedTuple):
    """A text within a rejected row."""

    row: int
    field: str
    regions: tuple[str, ...]
    text: str


@GATES.register("personal_data")
class PersonalData(Gate):
    """Stop queries with e-mail addresses, phone, card, account or national numbers, or secrets.

    What is found is decided by form alone, see `sdg.private_data`; 0 findings do not mean that
    nothing is personal. The detail names kinds and never repeats a value. In rejected rows, those
    of every other stage and gate included, each field with a finding is withheld as a whole: a
    value cut out of its sentence could be guessed again from the row's content hash.

    Queries stop here, and documents that an LLM wrote, whatever `where` says. A document of the
    corpus that holds personal data may still be published as another query's negative: clean the
    corpus for that.

    Attributes:
        where: Text that is looked at: the "query", its source "document", or "both". A model that
            is trained on the pair sees both; own.
        kinds: What counts; all that the finder knows.
    """

    reads_written: ClassVar[bool] = True

    where: Literal["query", "document", "both"] = "query"
    kinds: tuple[Kind, ...] = Field(default=KINDS, min_length=1)

    def judge(self, queries: pa.Table, evidence: Evidence) -> Verdict:
        """Return which queries stop: `secret` if one is among the findings, or `personal_data`."""
        found: dict[int, dict[str, set[str]]] = {}
        if self.where != "document":
            every = np.arange(queries.num_rows)
            self._note(found, "query", queries["query"], queries["query_language"], every)
        if self.where != "query":
            sources = evidence.sources
            codes = queries["source_doc_id"].combine_chunks().dictionary_encode().indices
            _, firsts, places = np.unique(codes, return_index=True, return_inverse=True)
            own = sources.take(pa.array(firsts))
            self._note(found, "document", own["text"], own["language"], places)
        rejected = np.zeros(queries.num_rows, dtype=np.bool_)
        rejected[list(found)] = True
        stopped = [found[row] for row in sorted(found)]
        return Verdict(
            rejected,
            [_reason(_kinds(sides)) for sides in stopped],
            ["; ".join(f"{s}: {', '.join(sorted(k))}" for s, k in x.items()) for x in stopped],
        )

    def objections(self, written: pa.Table) -> dict[str, tuple[str, str]]:
        """Return which documents hold some; the detail names the kinds."""
        regions = [regions_of([language]) for language in written["language"].to_pylist()]
        kinds: dict[int, set[str]] = {}
        for place, kind in self._found(regions, written["text"].to_pylist()):
            kinds.setdefault(place, set()).add(kind)
        ids = written["doc_id"].to_pylist()
        return {ids[at]: (_reason(own), ", ".join(sorted(own))) for at, own in kinds.items()}

    def _note(
        self,
        found: dict[int, dict[str, set[str]]],
        side: str,
        texts: pa.ChunkedArray,
        languages: pa.ChunkedArray,
        places: npt.NDArray[np.int64],
    ) -> None:
        """Add the findings in `texts`; row i of the queries belongs to text `places[i]`."""
        regions = [regions_of([language]) for language in languages.to_pylist()]
        kinds: dict[int, set[str]] = {}
        for place, kind in self._found(regions, texts.to_pylist()):
            kinds.setdefault(place, set()).add(kind)
        for row, place in enumerate(places.tolist()):
            if place in kinds:
                found.setdefault(row, {})[side] = kinds[place]

    def _found(self, regions: list[tuple[str, ...]], texts: list[str]) -> Iterator[tuple[int, str]]:
        """Yield (place, kind) of all findings; texts of the same countries make one block."""
        by_regions: dict[tuple[str, ...], list[int]] = {}
        for place, own in enumerate(regions):
            by_regions.setdefault(own, []).append(place)
        for own, places in by_regions.items():
            block = pl.Series([texts[place] for place in places], dtype=pl.String)
            for at, kind in find_private(block, own, self.kinds).select("place", "kind").rows():
                yield places[at], kind

    def withhold(self, rejections: pa.Table) -> pa.Table:
        """Return REJECTIONS in which fields with a finding say only what was found there."""
        parts = [
            self._withhold(rejections.slice(first, _BLOCK))
            for first in range(0, rejections.num_rows, _BLOCK)
        ]
        return pa.concat_tables(parts).combine_chunks() if parts else rejections

    def _withhold(self, rejections: pa.Table) -> pa.Table:
        rows = [json.loads(row) for row in rejections["row"].to_pylist()]
        details = rejections["detail"].to_pylist()
        leaves = [
            leaf
            for at, (row, detail) in enumerate(zip(rows, details, strict=True))
            for leaf in _leaves(at, row, detail)
        ]
        found = self._found([leaf.regions for leaf in leaves], [leaf.text for leaf in leaves])
        kinds: dict[tuple[int, str], set[str]] = {}
        for place, kind in found:
            kinds.setdefault((leaves[place].row, leaves[place].field), set()).add(kind)
        if not kinds:
            return rejections
        texts = rejections["row"].to_pylist()
        for (at, name), own in kinds.items():
            said = f"<withheld: {', '.join(sorted(own))}>"
            if name == _DETAIL:
                details[at] = said
            else:
                rows[at][name] = said
                texts[at] = canonical_json(rows[at])
        table = rejections
        for column, values in (("row", texts), ("detail", details)):
            at = table.schema.get_field_index(column)
            table = table.set_column(at, table.schema.field(at), pa.array(values, pa.string()))
        return table


def _reason(kinds: set[str]) -> str:
    return "secret" if "secret" in kinds else "personal_data"


def _kinds(sides: dict[str, set[str]]) -> set[str]:
    return set().union(*sides.values())


def _leaves(at: int, row: dict[str, Any], detail: str) -> Iterable[_Leaf]:
    regions = regions_of(str(row[name]) for name in _LANGUAGES if row.get(name))
    for name, value in {**row, _DETAIL: detail}.items():
        if not name.endswith(_NAMES):
            for text in text_leaves(value):
                yield _Leaf(at, name, regions, text)
