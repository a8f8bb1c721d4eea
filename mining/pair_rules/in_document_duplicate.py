"""Questions of one document must differ."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
from pydantic import Field

from mining.pair_rules import PAIR_RULES, PairRule, Pairs, PairVerdict
from mining.pair_rules.similar_vectors import twins_in_groups
from mining.pair_rules.twins import best_first, kin_of, stopped_by


@PAIR_RULES.register("in_document_duplicate")
class InDocumentDuplicate(PairRule):
    """Stop a query that is nearly one of its own document, by the cosine of the two queries.

    Greedy: a query stops if one that stays and comes before it is too close, so every query that
    stops has one that stays. The closer one to the document comes first, then the smaller id.

    Attributes:
        cosine: Queries with more than this are twins; 0.9 is the Nemotron recipe's.
        within: "document", or "parent": all passages of one unsplit document.
        across_languages: True compares queries of different languages too; a multilingual encoder
            then calls a question and its translation twins; own.
        compare_paraphrases: True compares a query with its paraphrases and those with each other
            too; else the rule `paraphrase` is there for that; own.
    """

    cosine: float = Field(default=0.9, ge=-1, le=1)
    within: Literal["document", "parent"] = "document"
    across_languages: bool = False
    compare_paraphrases: bool = False

    @property
    def needs_vectors(self) -> bool:
        """Return True."""
        return True

    @property
    def needs_parents(self) -> bool:
        """Return whether passages of one document are compared."""
        return self.within == "parent"

    def judge(self, judged: pl.DataFrame, pairs: Pairs) -> PairVerdict:
        """Return the queries with a twin in their document; the detail is the id that stays."""
        groups = ["parent_id" if self.within == "parent" else "source_doc_id"]
        if not self.across_languages:
            groups.append("query_language")
        rows = best_first(judged, *groups)
        is_start = rows.select(pl.struct(groups).rle_id().diff().fill_null(1) > 0).to_series()
        starts = np.append(np.flatnonzero(is_start.to_numpy()), len(rows)).astype(np.int64)
        kin = kin_of(rows, compare_paraphrases=self.compare_paraphrases)
        places = rows["place"].to_numpy(writable=True)
        twin = twins_in_groups(pairs.vectors_needed(), places, starts, *kin, self.cosine)
        return PairVerdict(stopped_by(rows, twin, "near_duplicate_in_document"))
