"""Negatives that nearly are a positive, the query, or another negative."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.folding import folded_words
from data_cards.audit.measurement import Measurement, findings_of, share
from data_cards.audit.metric import METRICS, AuditContext, Metric
from data_cards.audit.sides import Places, Side, side_of
from data_cards.audit.text_scan import scan_texts

if TYPE_CHECKING:
    from mining.word_sets import WordSets

_REASONS = {
    "near_duplicate_of_positive": "negatives that nearly are a positive of their row",
    "near_duplicate_of_query": "negatives that nearly are their query",
    "near_duplicate_of_negative": "negatives that nearly are an earlier negative of their row",
}


@METRICS.register("near_duplicate_negatives")
class NearDuplicateNegatives(Metric):
    """Compares the distinct words of every negative with those of the other texts of its row.

    Attributes:
        jaccard: Words in common / words in either; above it two texts are nearly the same. 0.95
            is what CodeR drops while mining (arXiv 2505.12697).
    """

    title: ClassVar[str] = "Near-duplicate negatives"
    about: ClassVar[str] = (
        "A negative that nearly is the positive teaches the encoder to push the right answer "
        "away; should be 0. One that repeats another negative teaches nothing new."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "near_duplicate_of_positive_share",
        "near_duplicate_of_query_share",
        "near_duplicate_of_negative_share",
    )
    jaccard: float = Field(default=0.95, gt=0, lt=1)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return the share of negatives per kind of likeness; all negatives are looked at."""
        if not data.has_negatives():
            return Measurement(skipped="the data set has no negatives")
        negatives = side_of(data, "negative")
        sets = _sets_of_texts(data, context)
        compared = {
            "near_duplicate_of_positive": side_of(data, "positive"),
            "near_duplicate_of_query": side_of(data, "query"),
        }
        found = {
            reason: self._like(sets, negatives.texts, negatives.rows, _by_row(others, data))
            for reason, others in compared.items()
        }
        found["near_duplicate_of_negative"] = self._like(
            sets, negatives.texts, np.arange(len(negatives)), _earlier(negatives)
        )
        places = {reason: np.flatnonzero(mask) for reason, mask in found.items()}
        return Measurement(
            figures=tuple(
                share(f"{reason}_share", len(places[reason]), len(negatives), label=label)
                for reason, label in _REASONS.items()
            ),
            findings=pl.concat(
                findings_of(
                    self.name,
                    reason,
                    rows=pl.Series(negatives.rows[own]),
                    documents=pl.Series(negatives.documents[own]),
                    at_most=context.max_findings,
                )
                for reason, own in places.items()
            ),
            finding_counts={reason: len(own) for reason, own in places.items()},
            notes=(f"Nearly the same: Jaccard similarity of words above {self.jaccard}.",),
        )

    def _like(
        self, sets: WordSets, texts: Places, owners: Places, lists: _Lists
    ) -> npt.NDArray[np.bool_]:
        """Return (O,) whether each text is like one of those listed for its owner."""
        from mining.word_sets import any_exceeds

        return any_exceeds(texts, sets, owners, lists.starts, lists.texts, sets, self.jaccard)


class _Lists(NamedTuple):
    """Lists of texts in one array.

    Attributes:
        starts: (L + 1,) list i is `texts[starts[i] : starts[i + 1]]`.
        texts: Places of texts.
    """

    starts: Places
    texts: Places


def _sets_of_texts(data: AuditedSet, context: AuditContext) -> WordSets:
    from mining.word_sets import WordSets, sets_of_keys

    parts = list(
        scan_texts(
            data.texts,
            lambda _first, block: sets_of_keys(folded_words(block).to_arrow().cast("large_string")),
            context,
        )
    )
    sizes = [np.diff(part.starts) for part in parts]
    return WordSets(_starts(np.concatenate(sizes)), np.concatenate([part.hashes for part in parts]))


def _by_row(others: Side, data: AuditedSet) -> _Lists:
    return _Lists(_starts(np.bincount(others.rows, minlength=data.rows.height)), others.texts)


def _earlier(negatives: Side) -> _Lists:
    """Return for each negative the earlier ones of its row."""
    places = np.arange(len(negatives))
    is_first = np.ones(len(places), bool)
    is_first[1:] = negatives.rows[1:] != negatives.rows[:-1]
    counts = places - np.maximum.accumulate(np.where(is_first, places, 0))
    starts = _starts(counts)
    within = np.arange(starts[-1]) - np.repeat(starts[:-1], counts)
    return _Lists(starts, negatives.texts[np.repeat(places - counts, counts) + within])


def _starts(counts: Places) -> Places:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
