"""Tables with columns of any name become RAW_DOCUMENTS: what all tabular readers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from sdg.corpus.contract import RAW_DOCUMENTS
from sdg.corpus.readers import Reader
from sdg.errors import ConfigError, DataError
from sdg.ids import comparison_key
from sdg.language import language_tag

NOT_UTF8 = "not_utf8"


class TableReader(Reader):
    """A reader of rows with named columns.

    Why a class between Reader and the readers: these eight settings must mean the same everywhere.

    Attributes:
        text_column: Holds the document's text; null counts as empty.
        title_column: Holds its title; "" if there is none.
        language: Language of all documents, as `fra-Latn` or `fr`; "" if not known.
        language_column: Holds each document's language; not together with `language`.
        topic_column: Holds a topic to stratify by; "" if there is none.
        entity_column: Holds a name that is the same for the same thing in every language.
        natural_columns: Kind -> column with human-written text beside the document
            (description, question, anchor).
    """

    text_column: str = "text"
    title_column: str = ""
    language: str = ""
    language_column: str = ""
    topic_column: str = ""
    entity_column: str = ""
    natural_columns: dict[str, str] = Field(default_factory=dict)

    @field_validator("language")
    @classmethod
    def _full_language(cls, value: str) -> str:
        return language_tag(value) if value else value

    def columns(self) -> list[str]:
        """Return the columns that are read, each once, in a fixed order.

        Raises:
            ConfigError: If both `language` and `language_column` are set.
        """
        if self.language and self.language_column:
            raise ConfigError(
                f"`language` must be empty where `language_column` = {self.language_column!r} "
                f"is set, but is {self.language!r} instead. Remove one of the two."
            )
        named = [
            self.text_column,
            self.title_column,
            self.language_column,
            self.topic_column,
            self.entity_column,
            *(self.natural_columns[kind] for kind in sorted(self.natural_columns)),
        ]
        return list(dict.fromkeys(name for name in named if name))

    def check_columns(self, present: Sequence[str], where: str) -> list[str]:
        """Return the columns that are read if all of them are among `present`.

        Raises:
            DataError: If one is not; the message lists those that are.
        """
        wanted = self.columns()
        missing = [name for name in wanted if name not in present]
        if missing:
            raise DataError(
                f"`{where}` must have the columns {', '.join(wanted)}, but "
                f"{', '.join(missing)} is not there. Columns there: {', '.join(present)}. "
                "Set `text_column` and the other *_column settings to names from this list."
            )
        return wanted

    def to_raw(self, table: pa.Table, source_keys: Sequence[str], where: str) -> pa.Table:
        """Return `table` as RAW_DOCUMENTS.

        Args:
            table: R rows with at least `columns()`.
            source_keys: R keys for people.
            where: What messages call the table.

        Returns:
            R rows; those with invalid UTF-8 have the reason `not_utf8` and empty text.

        Raises:
            DataError: If a column is missing, not of text, not UTF-8 under `on_bad_text: error`,
                or the language column holds something that is no language.
        """
        self.check_columns(table.column_names, where)
        is_bad = pa.array([False] * table.num_rows, pa.bool_())
        values: dict[str, pa.Array] = {}
        for name in self.columns():
            values[name], bad = self._text_values(table[name], name, where, source_keys)
            is_bad = pc.or_(is_bad, bad)
        empty = pa.array([""] * table.num_rows, pa.string())
        entities = values.get(self.entity_column, empty).to_pylist()
        columns = {
            "source_key": pa.array(source_keys, pa.string()),
            "text": pc.if_else(is_bad, "", values[self.text_column]),
            "title": values.get(self.title_column, empty),
            "language": self._languages(values, table.num_rows, where),
            "topic": values.get(self.topic_column, empty),
            "entity_key": [comparison_key(entity) for entity in entities],
            "natural_texts": self._natural_texts(values, table.num_rows),
            "reason": pc.if_else(is_bad, NOT_UTF8, ""),
            "detail": pc.if_else(is_bad, "a column of this row holds invalid UTF-8", ""),
        }
        return pa.table(columns, schema=RAW_DOCUMENTS)

    def _text_values(
        self, column: pa.ChunkedArray, name: str, where: str, source_keys: Sequence[str]
    ) -> tuple[pa.Array, pa.Array]:
        """Return the values without nulls and with bad UTF-8 emptied, and where it was bad."""
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        if not (is_text or pa.types.is_string_view(kind) or pa.types.is_null(kind)):
            raise DataError(
                f"Column `{name}` of `{where}` must hold text, but holds {column.type} instead. "
                "Name another column, or write this one as strings."
            )
        array = column.cast(pa.large_string()).combine_chunks().fill_null("")
        none = pa.array([False] * len(array), pa.bool_())
        try:
            array.validate(full=True)
        except pa.ArrowInvalid:
            bad = [not _is_utf8(value) for value in array.view(pa.large_binary()).to_pylist()]
            if self.on_bad_text == "error":
                raise _not_utf8(source_keys[bad.index(True)], name) from None
            return pc.if_else(pa.array(bad), "", array).cast(pa.string()), pa.array(bad)
        return array.cast(pa.string()), none

    def _languages(self, values: dict[str, pa.Array], num_rows: int, where: str) -> pa.Array:
        if not self.language_column:
            return pa.array([self.language] * num_rows, pa.string())
        written = values[self.language_column].dictionary_encode()
        tags = []
        for value in written.dictionary.to_pylist():
            try:
                tags.append(language_tag(value) if value else "")
            except ConfigError as error:
                raise DataError(
                    f"Column `{self.language_column}` of `{where}`: {error} Or remove "
                    "`language_column`: the language is then detected."
                ) from error
        return pa.array(tags, pa.string()).take(written.indices)

    def _natural_texts(self, values: dict[str, pa.Array], num_rows: int) -> list[list[Any]]:
        texts: list[list[Any]] = [[] for _ in range(num_rows)]
        for kind in sorted(self.natural_columns):
            for row, text in enumerate(values[self.natural_columns[kind]].to_pylist()):
                if text:
                    texts[row].append({"kind": kind, "text": text})
        return texts


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _not_utf8(source_key: str, column: str) -> DataError:
    return DataError(
        f"Document `{source_key}` must be valid UTF-8, but its column `{column}` is not. Write the "
        "file again as UTF-8, or set `on_bad_text: reject` to go on without such documents."
    )
