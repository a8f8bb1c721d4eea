"""Evaluation sets as block lists: BEIR directories, tables of texts, lists of ids."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from sdg.decontaminate import NGRAM_WORDS, BlockList, EvaluationSet, Kind
from sdg.errors import DataError
from sdg.pairs.tables import TableSource
from sdg.part import Part

_IDS = (".txt", ".ids")
# Columns that hold the id of a text, in the order in which they are looked for.
_ID_COLUMNS = ("_id", "id", "query_id", "doc_id")


class EvaluationSource(Part):
    """Where an evaluation set is.

    Attributes:
        path: A BEIR directory (queries.jsonl, corpus.jsonl, qrels/*.tsv); a Parquet or JSON file, a
            folder of them or a Hugging Face data set with a column of texts; or a .txt file with
            one document id per line.
        name: In reasons and cards; "" takes the name of the file or folder.
        documents: Of a BEIR directory: "judged" blocks the documents that are relevant to a blocked
            query, "all" the whole corpus, "none" none (own: a corpus such as Wikipedia is no
            secret, the answers in it are).
        splits: Of a BEIR directory: qrels whose queries are blocked; () is all but `train`, and
            all queries where there are no qrels.
        column: Of a table: the texts.
        kind: Of a table: what its texts are.
    """

    path: str
    name: str = ""
    documents: Literal["judged", "all", "none"] = "judged"
    splits: tuple[str, ...] = ()
    column: str = "text"
    kind: Kind = "query"

    @property
    def shown_name(self) -> str:
        """The name, or that of the file or folder."""
        return self.name or Path(self.path).name.split(".")[0]


class DecontaminateConfig(Part):
    """What must not be trained on; nothing is checked without `against`.

    Attributes:
        against: The evaluation sets.
        ngram_words: Words in a row that must be equal; 13 is NeMo Curator's and Dolma's. More suits
            a corpus whose texts follow a pattern: whatever shares a set phrase is stopped.
    """

    against: tuple[EvaluationSource, ...] = ()
    ngram_words: int = Field(default=NGRAM_WORDS, ge=5, le=64)


def open_block_list(config: DecontaminateConfig) -> BlockList:
    """Return the block list of all evaluation sets.

    Raises:
        ConfigError: If two sets have the same name.
        DataError: If a set is missing or cannot be read.
    """
    return BlockList([read_evaluation_set(one) for one in config.against], config.ngram_words)


def read_evaluation_set(source: EvaluationSource) -> EvaluationSet:
    """Return what `source` holds.

    Raises:
        DataError: If it is missing, cannot be read, or blocks nothing.
    """
    place = Path(source.path)
    if place.suffix in _IDS:
        found = EvaluationSet(source.shown_name, blocked_ids=tuple(_lines(place)))
    elif (place / "queries.jsonl").is_file():
        found = _read_beir(place, source)
    else:
        found = _set_of(source.shown_name, _texts(source.path, (source.column,), source.kind))
    if not found.texts and not found.blocked_ids:
        raise DataError(
            f"`{source.path}` must block a text or an id, but blocks none. Check `splits`, "
            "`column` and the files."
        )
    return found


def _read_beir(folder: Path, source: EvaluationSource) -> EvaluationSet:
    judged = _judged(folder, source.splits)
    queries = [
        (own, kind, text)
        for own, kind, text in _texts(str(folder / "queries.jsonl"), ("text",), "query")
        if judged is None or own in judged
    ]
    wanted = None if judged is None else {own for found in judged.values() for own in found}
    documents = (
        [
            (own, kind, text)
            for own, kind, text in _texts(str(folder / "corpus.jsonl"), ("text",), "document")
            if source.documents == "all" or wanted is None or own in wanted
        ]
        if source.documents != "none"
        else []
    )
    return _set_of(source.shown_name, [*queries, *documents])


def _judged(folder: Path, splits: Sequence[str]) -> dict[str, set[str]] | None:
    """Return query -> relevant documents of the splits; None without any qrels."""
    files = sorted((folder / "qrels").glob("*.tsv"))
    missing = sorted(set(splits) - {file.stem for file in files})
    if missing:
        raise DataError(
            f"`splits` must name files in {folder / 'qrels'}, but {missing} are none of "
            f"{[file.stem for file in files]}. Correct the name."
        )
    chosen = [f for f in files if (f.stem in splits if splits else f.stem != "train")]
    if not files:
        return None
    judged: dict[str, set[str]] = {}
    for file in chosen:
        for query, document, score in _qrels(file):
            judged.setdefault(query, set())
            if score > 0:
                judged[query].add(document)
    return judged


def _qrels(file: Path) -> Iterator[tuple[str, str, float]]:
    number = 0
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            for number, cells in enumerate(csv.reader(lines, delimiter="\t", quotechar=None), 1):
                if number == 1 and cells[-1:] == ["score"]:
                    continue
                # TREC's form has a column between query and document.
                yield cells[0], cells[-2], float(cells[-1])
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise DataError(
            f"`{file}` must hold query, document and score, separated by tabs, but line {number} "
            f"gave: {error}. Correct the line."
        ) from error


def _texts(path: str, columns: Sequence[str], kind: Kind) -> list[tuple[str, Kind, str]]:
    """Return (id, kind, text) of every row; the row number where there is no id."""

    def choose(names: Sequence[str], where: str) -> list[str]:
        if columns[0] not in names:
            raise DataError(
                f"`column` must name a column of {where}, but {columns[0]!r} is none of "
                f"{sorted(names)}. Correct the name."
            )
        return [*columns, *[name for name in _ID_COLUMNS if name in names][:1]]

    found: list[tuple[str, Kind, str]] = []
    for batch in TableSource(path=path).batches(choose):
        texts = batch.rows[columns[0]].to_pylist()
        names = [name for name in batch.rows.column_names if name in _ID_COLUMNS]
        numbers = range(batch.first_row, batch.first_row + len(texts))
        ids = batch.rows[names[0]].to_pylist() if names else list(numbers)
        found += [
            (str(own), kind, text)
            for own, text in zip(ids, texts, strict=True)
            if isinstance(text, str) and text.strip()
        ]
    return found


def _set_of(name: str, rows: Sequence[tuple[str, Kind, str]]) -> EvaluationSet:
    ids, kinds, texts = zip(*rows, strict=True) if rows else ((), (), ())
    return EvaluationSet(name, ids, kinds, texts)


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"`{file}` must hold one document id per line, in UTF-8, but reading it gave: {error}. "
            "Check the path."
        ) from error
    return [line.strip() for line in text.splitlines() if line.strip()]
