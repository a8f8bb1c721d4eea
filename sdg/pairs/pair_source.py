"""Where pairs are, and which of their columns hold what."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import field_validator

from sdg.language import language_tag
from sdg.pairs.columns import find_column, need_column
from sdg.pairs.tables import TableSource

_QUERY = ("query", "anchor", "question")
_POSITIVE = ("positive", "positives", "pos", "answer", "document", "text")
_USUAL = {
    "query_id": ("query_id", "qid"),
    "language": ("query_language", "language", "lang"),
    "instruction": ("instruction",),
}


class PairSource(TableSource):
    """Pairs with names of their columns; "" looks for the usual names, "-" takes none.

    Attributes:
        query_column: Queries.
        positive_ids_column: One id of the corpus per row, or a list of them.
        positive_column: One positive text per row, or a list; read where there are no ids.
        query_id_column: Ids; where null or "", the id is a hash of the query.
        language_column: Languages of the queries.
        language: Of every query, where there is no such column; "" is unknown (`und-Zyyy`).
        instruction_column: Instructions to put before the queries.
        licence: Of the texts, for the card.
        attribution: Whom to credit.
    """

    query_column: str = ""
    positive_ids_column: str = ""
    positive_column: str = ""
    query_id_column: str = ""
    language_column: str = ""
    language: str = ""
    instruction_column: str = ""
    licence: str = "unknown"
    attribution: str = "unknown"

    _full_language = field_validator("language")(lambda value: language_tag(value) if value else "")

    def choose(self, present: Sequence[str], where: str, *, has_corpus: bool) -> dict[str, str]:
        """Return which column holds what; one of `positive_ids` and `positive` is "".

        Ids are taken where there is a corpus that they can point into, texts otherwise.

        Raises:
            DataError: If there are no queries or no positives, or a configured column is missing.
        """
        columns = {
            key: find_column(
                f"pairs.{key}_column", getattr(self, f"{key}_column"), usual, present, where
            )
            for key, usual in _USUAL.items()
        }
        columns["query"] = need_column(
            "pairs.query_column", self.query_column, _QUERY, present, where
        )
        ids = ""
        if has_corpus and not self.positive_column:
            ids = find_column(
                "pairs.positive_ids_column",
                self.positive_ids_column,
                ("positive_ids", "positive_id"),
                present,
                where,
            )
        columns["positive_ids"] = ids
        columns["positive"] = (
            ""
            if ids
            else need_column(
                "pairs.positive_column", self.positive_column, _POSITIVE, present, where
            )
        )
        return columns
