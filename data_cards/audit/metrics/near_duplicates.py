"""Near duplicates among queries and among documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.folding import folded
from data_cards.audit.held_out import is_held_out
from data_cards.audit.measurement import Figure, Measurement, findings_of, share
from data_cards.audit.metric import METRICS, AuditContext, Metric
from data_cards.audit.sides import Places, document_texts
from data_cards.audit.text_scan import scan_some
from sdg.shingles import Hashes, Shingles, band_keys

if TYPE_CHECKING:
    from mining.word_sets import WordSets

# Half of what the corpus stage takes: every proposed pair is verified anyway.
_PERMUTATIONS = 128
# Texts in front of it in the same bucket that each text is compared with.
_NEIGHBOURS = 8


@METRICS.register("near_duplicates")
class NearDuplicates(Metric):
    """Proposes pairs by MinHash and verifies each by the Jaccard similarity of character runs.

    Texts are compared without case, punctuation and spaces; equal ones are the business of
    `duplicates` and count as one here. MinHash misses one pair in a hundred at the bound.

    Attributes:
        jaccard: Character runs in common / in either; above it two texts are nearly the same. 0.8
            is what NeMo Curator's bands mean.
        document_run: Characters per run in documents; Curator's.
        query_run: Characters per run in queries, which are short; own.
        sample: Different texts per side; own. In a sample each text meets fewer others, so the
            share is a lower bound then.
    """

    title: ClassVar[str] = "Near duplicates"
    about: ClassVar[str] = (
        "Near duplicates weigh more than other texts and, mined against each other, become false "
        "negatives; between splits they leak."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "near_duplicate_query_share",
        "near_duplicate_document_share",
        "held_out_near_duplicate_share",
    )
    jaccard: float = Field(default=0.8, ge=0.3, lt=1)
    document_run: int = Field(default=24, ge=1)
    query_run: int = Field(default=5, ge=1)
    sample: int = Field(default=500_000, ge=1)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return the share of different queries and documents that nearly equal another one."""
        if data.rows.is_empty() or data.documents.is_empty():
            return Measurement(skipped="the data set has no rows or no documents")
        queries = self._pairs(data, data.rows["query"].to_numpy(), "query", context)
        documents = self._pairs(data, document_texts(data), "document", context)
        leaks = _leaks(data, queries)
        held_out = int(is_held_out(data).sum())
        cut = queries.population > queries.sample or documents.population > documents.sample
        found = {
            "near_duplicate_query": self._findings(data, queries, context),
            "near_duplicate_document": self._findings(data, documents, context),
            "near_duplicate_query_in_other_split": findings_of(
                self.name,
                "near_duplicate_query_in_other_split",
                rows=leaks,
                at_most=context.max_findings,
            ),
        }
        return Measurement(
            figures=(
                _figure("near_duplicate_query_share", queries, "queries"),
                _figure("near_duplicate_document_share", documents, "documents"),
                share(
                    "held_out_near_duplicate_share",
                    len(leaks),
                    held_out,
                    label="held-out rows whose query nearly is one of another split",
                ),
            ),
            findings=pl.concat(found.values()),
            finding_counts={
                "near_duplicate_query": len(queries.texts),
                "near_duplicate_document": len(documents.texts),
                "near_duplicate_query_in_other_split": len(leaks),
            },
            notes=(
                f"Nearly the same: Jaccard similarity of runs of {self.query_run} (queries) or "
                f"{self.document_run} (documents) characters above {self.jaccard}.",
                *(
                    (
                        f"Of more than {self.sample:,} texts a sample was compared: the shares are "
                        "lower bounds.",
                    )
                    if cut
                    else ()
                ),
            ),
        )

    def _pairs(
        self, data: AuditedSet, places: Places, name: str, context: AuditContext
    ) -> _Compared:
        """Return verified pairs of different texts among those at `places`."""
        from mining.word_sets import any_exceeds

        texts = np.unique(places)
        population = len(texts)
        texts = texts[context.sample(f"near_duplicates/{name}", population, self.sample)]
        run = self.query_run if name == "query" else self.document_run
        bands, keys = self._bands(data, texts, run, context)
        candidates = _candidates(bands, keys)
        ends = np.unique(candidates)
        sets = _sets_of(_folded(data, texts[ends]), run)
        left, right = np.searchsorted(ends, candidates.T)
        pairs = np.arange(len(candidates))
        is_near = any_exceeds(
            left, sets, pairs, np.arange(len(pairs) + 1), right, sets, self.jaccard
        )
        near = candidates[is_near]
        # The other text of each, the first of several.
        both = pl.DataFrame(
            {
                "text": texts[np.concatenate([near[:, 0], near[:, 1]])],
                "other": texts[np.concatenate([near[:, 1], near[:, 0]])],
            },
            schema={"text": pl.Int64, "other": pl.Int64},
        ).sort("text", "other")
        return _Compared(name, len(texts), population, both)

    def _bands(
        self, data: AuditedSet, texts: Places, run: int, context: AuditContext
    ) -> tuple[Hashes, Hashes]:
        """Return (T, B) band keys of the texts, and (T,) keys of the folded texts."""

        def look(first: int, block: pl.Series) -> tuple[Hashes, Hashes]:
            del first
            same = folded(block)
            sets = _sets_of(same, run)
            shingles = Shingles(sets.hashes, sets.starts.astype(np.uint64))
            bands = band_keys(shingles, self.jaccard, _PERMUTATIONS)
            return bands, same.hash(seed=0).to_numpy()

        bands, keys = zip(*scan_some(data.texts, texts, look, context), strict=True)
        return np.concatenate(bands), np.concatenate(keys)

    def _findings(
        self, data: AuditedSet, compared: _Compared, context: AuditContext
    ) -> pl.DataFrame:
        is_query = compared.name == "query"
        frame, column = (data.rows, "query") if is_query else (data.documents, "text")
        identifier = "query_id" if is_query else "doc_id"
        located = frame.select(pl.col(column).cast(pl.Int64).alias("text"), identifier)
        located = located.with_row_index("place").unique("text", keep="first", maintain_order=True)
        first = compared.pairs.unique("text", keep="first", maintain_order=True)
        found = first.join(located, on="text").join(
            located.select(pl.col("text").alias("other"), pl.col(identifier).alias("name")),
            on="other",
        )
        return findings_of(
            self.name,
            f"near_duplicate_{compared.name}",
            rows=found["place"] if is_query else None,
            documents=None if is_query else found["place"],
            details=("nearly the same as " + found["name"]) if found.height else [],
            at_most=context.max_findings,
        )


class _Compared(NamedTuple):
    """Pairs of texts that are nearly the same.

    Attributes:
        name: "query" or "document".
        sample: Different texts compared.
        population: Different texts there are.
        pairs: `text` and `other`, places of texts; each pair in both directions, ascending.
    """

    name: str
    sample: int
    population: int
    pairs: pl.DataFrame

    @property
    def texts(self) -> Places:
        """Places of the texts that have a near duplicate."""
        return self.pairs["text"].unique().sort().to_numpy()


def _folded(data: AuditedSet, places: Places) -> pl.Series:
    return folded(pl.Series(data.texts.take(places), dtype=pl.String))


def _sets_of(block: pl.Series, run: int) -> WordSets:
    from mining.word_sets import sets_of_keys

    return sets_of_keys(block.to_arrow().cast("large_string"), run)


def _candidates(bands: Hashes, keys: Hashes) -> Places:
    """Return (P, 2) different pairs of texts that share a band and are not equal, ascending."""
    found = [np.empty((0, 2), np.int64)]
    for band in range(bands.shape[1]):
        order = np.argsort(bands[:, band], kind="stable")
        ordered = bands[order, band]
        for distance in range(1, _NEIGHBOURS + 1):
            is_shared = ordered[distance:] == ordered[:-distance]
            if not is_shared.any():
                break
            pairs = np.column_stack([order[:-distance][is_shared], order[distance:][is_shared]])
            found.append(pairs[keys[pairs[:, 0]] != keys[pairs[:, 1]]])
    codes = np.unique(np.concatenate(found) @ np.array([len(keys), 1]))
    return np.column_stack(np.divmod(codes, max(len(keys), 1)))


def _figure(name: str, compared: _Compared, label: str) -> Figure:
    return share(
        name,
        len(compared.texts),
        compared.sample,
        compared.population,
        f"different {label} that nearly equal another one",
    )


def _leaks(data: AuditedSet, queries: _Compared) -> pl.Series:
    """Return the held-out rows with a near duplicate of the query in another split."""
    rows = data.rows.select(
        pl.int_range(pl.len(), dtype=pl.Int32).alias("row"),
        "split",
        text=pl.col("query").cast(pl.Int64),
        is_held_out=is_held_out(data),
    )
    held_out = rows.filter("is_held_out").join(queries.pairs, on="text")
    elsewhere = rows.select("split", other="text").unique()
    met = held_out.join(elsewhere, on="other", suffix="_other")
    return met.filter(pl.col("split") != pl.col("split_other"))["row"].unique().sort()
