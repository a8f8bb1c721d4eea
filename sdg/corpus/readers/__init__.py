"""Where documents come from: one file per kind of source.

A reader yields tables of RAW_DOCUMENTS and says what pins their content. It decides nothing about a
document except that it could not be read: such a row carries a `reason` and becomes a rejection.

Why `read` is here and readers only write `batches`: the bounds on batch and document size and the
refusal of an empty source hold for every reader, also for the next one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from sdg.corpus.contract import RAW_DOCUMENTS
from sdg.errors import DataError
from sdg.part import Plugin
from sdg.registry import Registry
from sdg.schemas import check_table

BATCH_ROWS = 4096
_SHOWN_CHARACTERS = 1000


class Reader(Plugin):
    """A source of raw documents. Subclass, register in READERS, done.

    Attributes:
        licence: Licence of the texts, for the data card; "" if not told.
        attribution: Whom the licence asks to name; "" if nobody.
        on_bad_text: What a document that is not valid text, or is too long, does: "error" stops the
            run, "reject" makes it a rejection (`not_utf8`, `over_max_document_characters`).
        max_document_characters: Longer documents are bad text (own: 500,000, a thick book).
    """

    licence: str = ""
    attribution: str = ""
    on_bad_text: Literal["error", "reject"] = "error"
    max_document_characters: int = Field(default=500_000, ge=1)

    @abstractmethod
    def batches(self) -> Iterator[pa.Table]:
        """Yield the source's documents, schema RAW_DOCUMENTS, in a fixed order.

        Raises:
            DataError: If the source cannot be read as configured.
        """

    @abstractmethod
    def content_identity(self) -> dict[str, Any]:
        """Return JSON of what pins the content: file hashes, package version, revision.

        Raises:
            DataError: If the source does not exist.
        """

    def num_documents(self) -> int | None:
        """Return how many documents there are, or None where only reading them would tell.

        Raises:
            DataError: If the source cannot be read as configured.
        """
        return None

    def read(self) -> Iterator[pa.Table]:
        """Yield the documents in tables of 1 to `BATCH_ROWS` rows, schema RAW_DOCUMENTS.

        A row with a `reason` could not be read; `cut_documents` makes it a rejection.

        Raises:
            DataError: If the source cannot be read as configured, holds a bad text under
                `on_bad_text: error`, or holds no document at all.
        """
        num_rows = 0
        for table in self.batches():
            check_table(table, RAW_DOCUMENTS, f"reader {self.name}")
            for start in range(0, table.num_rows, BATCH_ROWS):
                batch = self._without_long(table.slice(start, BATCH_ROWS))
                num_rows += batch.num_rows
                yield batch
        if not num_rows:
            raise DataError(
                f"The corpus read by `{self.name}` must hold at least one document, but is empty "
                f"instead ({self.model_dump_json(exclude_defaults=True)}). Correct the path, or "
                "fill the source."
            )

    def _without_long(self, table: pa.Table) -> pa.Table:
        """Return `table` with over-long documents refused."""
        lengths = pc.utf8_length(table["text"])
        is_long = pc.greater(lengths, self.max_document_characters)
        if not pc.any(is_long).as_py():
            return table
        row = pc.index(is_long, True).as_py()
        if self.on_bad_text == "error":
            raise DataError(
                f"Document `{table['source_key'][row]}` must hold at most "
                f"`max_document_characters` = {self.max_document_characters} characters, but holds "
                f"{lengths[row]} instead. Raise `max_document_characters`, or set `on_bad_text: "
                "reject` to go on without such documents."
            )
        details = pc.binary_join_element_wise(
            pc.cast(lengths, pa.string()),
            f"characters; only the first {_SHOWN_CHARACTERS} are kept in this record",
            " ",
        )
        starts = pc.utf8_slice_codeunits(table["text"], 0, _SHOWN_CHARACTERS)
        for name, values in (
            ("text", starts),
            ("reason", "over_max_document_characters"),
            ("detail", details),
        ):
            place = table.schema.get_field_index(name)
            column = pc.if_else(is_long, values, table[name])
            table = table.set_column(place, RAW_DOCUMENTS.field(name), column)
        return table


READERS: Registry[Reader] = Registry("reader", "sdg.corpus.readers")
