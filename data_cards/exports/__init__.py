"""A finished data set's rows in the form that a trainer reads: one format a file, no I/O.

    data/ (EXAMPLES, block by block) ──► Export.map_rows ──────► lines of named outputs + a Tally
    corpus/ (CORPUS, block by block) ──► Export.map_documents ──► lines of named outputs

    selection   which documents of a row are used; counts all that are not
    tally       conservation: rows and documents in = written + left out by reason
    record      export.json, what an export says about itself
    readme      README.md beside the files: configurations for `load_dataset`, counts, licences
    (others)    one format each

A new format is one new file here that registers a subclass of `Export`. Writing, checksums and the
command line are in `flows.export`; nothing here opens a file.

Two things hold for every format. A row or document that is not written is counted with the reason.
And nothing is made up: where a trainer demands a score and the row has none, the document is left
out, not given a zero.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import polars as pl
import pyarrow as pa

from data_cards.exports.tally import Tally
from sdg.errors import ContractError
from sdg.part import Plugin
from sdg.registry import Registry

Kind = Literal["parquet", "jsonl", "tsv"]


class Output(NamedTuple):
    """A kind of file that a format writes.

    Attributes:
        path: Relative to the export's directory. `{split}` stands for the split; `{shard}` for
            "00000-of-00002", and then there is one file per data file that is read.
        kind: "jsonl" is UTF-8 with one object per line, and no character inside a line that any
            reader takes for a line break.
    """

    path: str
    kind: Kind


class Mapped(NamedTuple):
    """What one block of rows becomes.

    Attributes:
        lines: Output name -> lines; every output of the format that rows fill, even if empty.
        tally: What was written and what was not.
    """

    lines: dict[str, pl.DataFrame]
    tally: Tally


class Facts(NamedTuple):
    """What is known only when every row of a split was mapped.

    Attributes:
        name: Of the data set, for people.
        fingerprint: Of the data set.
        splits: Split -> its distinct instructions, in the order of the splits' names.
    """

    name: str
    fingerprint: str
    splits: Mapping[str, Sequence[str]]


class Export(Plugin):
    """A format. Fields of a subclass are its settings.

    Attributes:
        trainer: Whose format it is, with the version whose loader was read or run.
        document_outputs: Names of the outputs that documents of the corpus fill; () for a format
            whose rows carry their texts.
    """

    trainer: ClassVar[str]
    document_outputs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def outputs(self) -> dict[str, Output]:
        """Return every kind of file that this format writes, by name."""

    @abstractmethod
    def map_rows(self, rows: pa.Table) -> Mapped:
        """Return the lines of a block of rows, in the order of the rows.

        Args:
            rows: Schema EXAMPLES without `provenance`, all of one split.
        """

    def map_documents(self, documents: pa.Table) -> dict[str, pl.DataFrame]:
        """Return the lines of a block of documents, by output name.

        Args:
            documents: Columns `doc_id`, `title` and `text`.
        """
        del documents
        raise ContractError(
            f"Export format {self.name!r} must map documents, because it names "
            f"{list(self.document_outputs)} as filled by them, but has no `map_documents`."
        )

    def configurations(self, splits: Sequence[str]) -> list[dict[str, Any]]:
        """Return the `configs` of README.md's front matter; [] if `load_dataset` needs none."""
        del splits
        return []

    def small_files(self, facts: Facts) -> dict[str, Any]:
        """Return path -> JSON value of files beside the lines. The default has none."""
        del facts
        return {}

    @abstractmethod
    def advice(self) -> tuple[str, ...]:
        """Return sentences (Markdown) that someone who trains on these files must know."""


EXPORTS: Registry[Export] = Registry("format", __name__)
