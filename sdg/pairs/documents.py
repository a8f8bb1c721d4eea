"""Rows of a corpus that people already have -> DOCUMENTS, attributes and keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator

from sdg.errors import DataError
from sdg.ids import comparison_key, content_id, normalise_text
from sdg.language import language_tag
from sdg.lookup import ABSENT, Keys, Lookup, keys_of
from sdg.pairs.columns import find_column, need_column, texts_of
from sdg.pairs.tables import Batch, TableSource
from sdg.schemas import DOCUMENTS, reject_rows

STAGE = "corpus"
UNKNOWN_LANGUAGE = "und-Zyyy"
# Place in the source, id and text of each document, as hashes.
DOCUMENT_KEYS = pa.schema(
    [
        ("row", pa.int64()),
        ("id_high", pa.uint64()),
        ("id_low", pa.uint64()),
        ("text_high", pa.uint64()),
        ("text_low", pa.uint64()),
    ]
)

_USUAL = {
    "id": ("doc_id", "id", "_id", "docid", "corpus_id"),
    "text": ("text", "document", "passage", "contents"),
    "title": ("title",),
    "language": ("language", "lang"),
    "entity": ("entity_key", "entity"),
    "group": ("group_id", "group"),
    "parent": ("parent_id", "parent"),
    "chunk_index": ("chunk_index",),
}


class DocumentSource(TableSource):
    """A corpus with names of its columns; "" looks for the usual names, "-" takes none.

    Attributes:
        id_column: Ids; where null or "", the id is a hash of the text.
        text_column: Texts.
        title_column: Titles, for people: only the text is embedded.
        language_column: Languages.
        language: Of every document, where there is no such column; "" is unknown (`und-Zyyy`).
        entity_column: Same thing in any language.
        group_column: What must stay in one split; default the parent.
        parent_column: The document that a passage was cut from.
        chunk_index_column: A passage's place in it, from 0.
        attributes: More columns to keep for rules and strata ("domain", "source").
        licence: Of the texts, for the card.
        attribution: Whom to credit.
        setting: The section of the configuration that it is, for messages.
    """

    setting: ClassVar[str] = "corpus"

    id_column: str = ""
    text_column: str = ""
    title_column: str = ""
    language_column: str = ""
    language: str = ""
    entity_column: str = ""
    group_column: str = ""
    parent_column: str = ""
    chunk_index_column: str = ""
    attributes: tuple[str, ...] = Field(default=())
    licence: str = "unknown"
    attribution: str = "unknown"

    _full_language = field_validator("language")(lambda value: language_tag(value) if value else "")

    def choose(self, present: Sequence[str], where: str) -> dict[str, str]:
        """Return which column holds what, by the keys of a document.

        Raises:
            DataError: If the text column or a configured one is not there.
        """
        columns = {
            key: find_column(
                f"{self.setting}.{key}_column",
                getattr(self, f"{key}_column"),
                usual,
                present,
                where,
            )
            for key, usual in _USUAL.items()
            if key != "text"
        }
        columns["text"] = need_column(
            f"{self.setting}.text_column", self.text_column, _USUAL["text"], present, where
        )
        for name in self.attributes:
            need_column(f"{self.setting}.attributes", name, (), present, where)
        return columns


class CutDocuments(NamedTuple):
    """What a batch of rows became; kept, attributes and keys are row for row the same documents.

    Attributes:
        kept: DOCUMENTS.
        rejected: REJECTIONS: `empty_text`, `repeated_document` (same id and same text as before).
        attributes: The extra columns, as text.
        keys: DOCUMENT_KEYS.
        rows_in: Rows of the source.
    """

    kept: pa.Table
    rejected: pa.Table
    attributes: pa.Table
    keys: pa.Table
    rows_in: int


def read_documents(source: DocumentSource) -> Iterator[CutDocuments]:
    """Yield the documents of a corpus, batch by batch, in its order.

    Raises:
        DataError: If the source cannot be read, a column is missing or holds no text, two rows have
            one id and different texts, or there is no row at all.
    """
    seen = _Seen()
    chosen: dict[str, str] = {}

    def choose(present: Sequence[str], where: str) -> list[str]:
        chosen.clear()
        chosen.update(source.choose(present, where))
        return list(dict.fromkeys([*filter(None, chosen.values()), *source.attributes]))

    num_rows = 0
    for batch in source.batches(choose):
        num_rows += batch.rows.num_rows
        yield _cut(batch, chosen, source, seen)
    if not num_rows:
        raise DataError(
            f"`{source.setting}.path` must hold at least one document, but {source.path!r} is "
            "empty instead. Correct the path."
        )


class _Seen:
    """Ids of the documents so far, and the key of each one's text."""

    def __init__(self) -> None:
        self.ids = Lookup()
        self._texts: list[Keys] = []

    def text_keys(self, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Keys:
        return self._all()[rows]

    def add(self, ids: Keys, texts: Keys) -> None:
        self.ids.add(ids)
        self._texts.append(texts)

    def _all(self) -> Keys:
        self._texts = [np.concatenate([np.empty((0, 2), np.uint64), *self._texts])]
        return self._texts[0]


def _cut(batch: Batch, chosen: dict[str, str], source: DocumentSource, seen: _Seen) -> CutDocuments:
    values = {key: texts_of(batch.rows, name, batch.where) for key, name in chosen.items()}
    texts = [normalise_text(text) for text in values["text"]]
    values["text"] = texts
    ids = [own or content_id("d", text) for own, text in zip(values["id"], texts, strict=True)]
    id_keys, text_keys = keys_of(ids), keys_of(texts)
    is_empty = np.array([not text for text in texts], bool)
    is_repeated = _repeated(ids, id_keys, text_keys, is_empty, seen, batch, source.setting)
    kept = np.flatnonzero(~(is_empty | is_repeated))
    seen.add(id_keys[kept], text_keys[kept])
    table = make_documents(ids, values, source.language, "corpus", batch.first_row)
    stopped = np.flatnonzero(is_empty | is_repeated)
    rejected = reject_rows(
        table.take(pa.array(stopped)),
        "doc_id",
        STAGE,
        ["empty_text" if is_empty[row] else "repeated_document" for row in stopped],
        [f"row {batch.first_row + row}" for row in stopped.tolist()],
    )
    attributes = pa.table(
        {
            name: pa.array(texts_of(batch.rows, name, batch.where), pa.string())
            for name in source.attributes
        }
        or {"row": pa.array(range(batch.rows.num_rows), pa.int64())}
    )
    return CutDocuments(
        table.take(pa.array(kept)),
        rejected,
        attributes.take(pa.array(kept)),
        keys_table(kept + batch.first_row, id_keys[kept], text_keys[kept]),
        batch.rows.num_rows,
    )


def _repeated(
    ids: Sequence[str],
    id_keys: Keys,
    text_keys: Keys,
    is_empty: np.ndarray[tuple[int], np.dtype[np.bool_]],
    seen: _Seen,
    batch: Batch,
    setting: str,
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return where id and text were there before; the same id with another text is refused."""
    inside = Lookup()
    inside.add(id_keys)
    before = seen.ids.find(id_keys)
    first = inside.find(id_keys)
    texts = text_keys[first]
    is_old = before != ABSENT
    if is_old.any():
        texts[is_old] = seen.text_keys(before[is_old])
    is_repeated = (is_old | (first != np.arange(len(ids)))) & ~is_empty
    clash = np.flatnonzero(is_repeated & (texts != text_keys).any(axis=1))
    if len(clash):
        row = int(clash[0])
        raise DataError(
            f"Documents of one id must have one text, but {ids[row]!r} has another one in row "
            f"{batch.first_row + row} of `{batch.where}` than before ({len(clash)} such rows). "
            f"Give each text its own id, or leave the id column out: `{setting}.id_column: '-'`."
        )
    return is_repeated


def make_documents(
    ids: Sequence[str],
    values: dict[str, list[str]],
    language: str,
    source: str,
    first_row: int,
) -> pa.Table:
    """Return DOCUMENTS of texts with ids.

    Args:
        ids: R ids.
        values: R normalised `text`s; and, or not, `title`, `language`, `entity`, `group`, `parent`,
            `chunk_index`, all as text.
        language: Of the rows that name none; "" is unknown.
        source: Where they come from: "corpus" or "pairs".
        first_row: Of the source, for `source_key`.
    """
    count = len(ids)
    none = [""] * count
    parents = [own or doc for own, doc in zip(values.get("parent", none), ids, strict=True)]
    groups = [own or up for own, up in zip(values.get("group", none), parents, strict=True)]
    titles = values.get("title", none)
    columns = {
        "doc_id": ids,
        "text": values["text"],
        "title": [" ".join(normalise_text(t).split()) if t else "" for t in titles],
        "language": tags_of(values.get("language", none), language),
        "language_score": pa.nulls(count, pa.float32()),
        "topic": none,
        "source": [source] * count,
        "source_key": [str(first_row + row) for row in range(count)],
        "parent_id": parents,
        "chunk_index": _places(values.get("chunk_index", none), ids, parents),
        "num_chunks": np.ones(count, np.int32),
        "entity_key": [comparison_key(e) if e else "" for e in values.get("entity", none)],
        "group_id": groups,
        "natural_texts": [[]] * count,
    }
    return pa.table(columns, schema=DOCUMENTS)


def _places(values: Sequence[str], ids: Sequence[str], parents: Sequence[str]) -> list[int | None]:
    """Return each document's place in its parent: 0 if it is whole, null if it is not known."""
    for value in set(values) - {""}:
        if not value.isdecimal():
            raise DataError(
                f"`corpus.chunk_index_column` must hold whole numbers from 0, but holds {value!r} "
                "instead. Name another column, or '-' for none."
            )
    return [
        int(value) if value else (0 if own == parent else None)
        for value, own, parent in zip(values, ids, parents, strict=True)
    ]


def tags_of(values: Sequence[str], default: str) -> list[str]:
    """Return languages in full; where a value is "", `default`, or unknown if that is "" too.

    Raises:
        ConfigError: If a value is no language.
    """
    known: dict[str, str] = {"": default or UNKNOWN_LANGUAGE}
    for value in set(values) - {""}:
        known[value] = language_tag(value)
    return [known[value] for value in values]


def keys_table(
    rows: np.ndarray[tuple[int], np.dtype[np.int64]], id_keys: Keys, text_keys: Keys
) -> pa.Table:
    """Return DOCUMENT_KEYS."""
    columns = [rows, id_keys[:, 0], id_keys[:, 1], text_keys[:, 0], text_keys[:, 1]]
    return pa.Table.from_arrays([pa.array(c) for c in columns], schema=DOCUMENT_KEYS)
