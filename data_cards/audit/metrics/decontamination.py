"""Texts of evaluation sets among queries, positives and documents."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.encoded import encode_texts, row_blocks
from data_cards.audit.measurement import (
    Breakdown,
    Figure,
    Measurement,
    findings_of,
    share,
)
from data_cards.audit.metric import METRICS, AuditContext, Metric
from mining.vectors import checked_vectors
from sdg.decontaminate import NGRAM_WORDS, BlockList

_KIN = ("parent_id", "group_id")


class _Hits(NamedTuple):
    """One line per row or document and evaluation set; -1 where it is about the other."""

    queries: pl.DataFrame
    positives: pl.DataFrame
    documents: pl.DataFrame
    sources: pl.DataFrame


@METRICS.register("decontamination")
class Decontamination(Metric):
    """Finds what an evaluation set holds, on each side, by equal text or 13 words in a row.

    "source" are rows whose positive shares its parent or group with a document that matches: their
    query was written for another part of a test passage. With an encoder, sampled queries are
    compared with the evaluation queries by meaning, too.

    Attributes:
        ngram_words: Words in a row that must be equal; 13 is NeMo Curator's and Dolma's.
        min_cosine: Queries at least this similar to an evaluation query nearly are it (own).
        sample: Queries compared by meaning (own).
        sample_evaluation: Evaluation queries they are compared with (own).
    """

    title: ClassVar[str] = "Evaluation data"
    about: ClassVar[str] = (
        "Above zero: results on that evaluation set will look better than the model is."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "queries",
        "positives",
        "sources",
        "rows",
        "documents",
        "near_queries",
    )
    ngram_words: int = Field(default=NGRAM_WORDS, ge=5, le=64)
    min_cosine: float = Field(default=0.95, gt=0, le=1)
    sample: int = Field(default=2000, ge=1)
    sample_evaluation: int = Field(default=5000, ge=1)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return shares and places per set and side; skipped without evaluation sets."""
        if not context.evaluation_sets:
            return Measurement(skipped="no evaluation sets were given")
        blocked = BlockList(context.evaluation_sets, self.ngram_words)
        hits = _hits(data, blocked)
        near, near_figures, notes = self._near(data, context, hits.queries)
        reasons = {
            "query_in_evaluation_set": hits.queries,
            "positive_in_evaluation_set": hits.positives,
            "source_in_evaluation_set": hits.sources,
            "document_in_evaluation_set": hits.documents,
            "query_near_evaluation_query": near,
        }
        return Measurement(
            figures=(*_figures(data, hits), *near_figures),
            breakdowns=(_by_set(blocked, reasons),),
            findings=pl.concat(
                [
                    findings_of(
                        self.name,
                        reason,
                        rows=found["row"],
                        documents=found["document"],
                        values=found["value"],
                        details=found["detail"],
                        at_most=context.max_findings,
                    )
                    for reason, found in reasons.items()
                ]
            ),
            finding_counts={reason: found.height for reason, found in reasons.items()},
            notes=notes,
        )

    def _near(
        self, data: AuditedSet, context: AuditContext, known: pl.DataFrame
    ) -> tuple[pl.DataFrame, tuple[Figure, ...], tuple[str, ...]]:
        """Return sampled rows whose query nearly is an evaluation query but is not equal to it."""
        queries = [
            (number, own, text)
            for number, one in enumerate(context.evaluation_sets)
            for own, kind, text in zip(one.item_ids, one.kinds, one.texts, strict=True)
            if kind == "query"
        ]
        if context.encoder is None or not queries:
            return known.clear(), (), ("No encoder: queries were not compared by meaning.",)
        asked = context.sample("decontamination items", len(queries), self.sample_evaluation)
        chosen = [queries[place] for place in asked]
        rows = context.sample("decontamination", data.rows.height, self.sample)
        mine = encode_texts(data, context.encoder, data.rows["query"].to_numpy()[rows], "query")
        theirs = checked_vectors(context.encoder, [text for *_, text in chosen], "query")
        best, nearest = _nearest(mine, theirs)
        found = pl.DataFrame(
            {
                "row": rows.astype(np.int32),
                "set": [chosen[place][0] for place in nearest],
                "value": best.astype(np.float64),
                "detail": [f"query {chosen[place][1]}" for place in nearest],
            },
            schema_overrides={"set": pl.Int64},
        )
        found = found.filter(pl.col("value") >= self.min_cosine).join(known, on="row", how="anti")
        found = found.with_columns(document=pl.lit(-1, pl.Int32), rule=pl.lit("meaning"))
        label = f"cosine of {self.min_cosine} or more with an evaluation query"
        figure = share("near_queries", found.height, len(rows), data.rows.height, label)
        note = (
            f"{len(rows)} of {data.rows.height} queries were compared by {context.encoder.name} "
            f"with {len(chosen)} of {len(queries)} evaluation queries."
        )
        return found.select(known.columns), (figure,), (note,)


def _hits(data: AuditedSet, blocked: BlockList) -> _Hits:
    matches = blocked.described(blocked.match_blocks(data.texts.blocks()))
    first = matches.unique(["text", "set"], keep="first", maintain_order=True).select(
        pl.col("text").cast(pl.Int32), "set", "rule", "detail"
    )
    rows = data.rows.select(text="query").with_row_index("row").cast({"row": pl.Int32})
    documents = data.documents.select("doc_id", "text", *_KIN).with_row_index("document")
    documents = documents.cast({"document": pl.Int32})
    in_set = pl.concat(
        [
            documents.join(first, on="text", maintain_order="left").select(
                "document", "set", "rule", "detail"
            ),
            _by_id(documents, blocked),
        ]
    ).unique(["document", "set"], keep="first", maintain_order=True)
    links = data.links_of("positive").select("row", "document")
    positives = links.join(in_set, on="document", maintain_order="left")
    kin = pl.concat([_kin(documents, in_set, column) for column in _KIN])
    kin = kin.unique(["document", "set"], keep="first", maintain_order=True)
    sources = links.join(kin.join(in_set, on=["document", "set"], how="anti"), on="document")
    return _Hits(
        _lines(rows.join(first, on="text")),
        _lines(positives),
        _lines(in_set),
        _lines(sources.join(positives, on=["row", "set"], how="anti")),
    )


def _by_id(documents: pl.DataFrame, blocked: BlockList) -> pl.DataFrame:
    slugs = {one.slug: number for number, one in enumerate(blocked.sets)}
    ids = blocked.blocked_ids()
    found = documents.join(ids, left_on="doc_id", right_on="id", maintain_order="left")
    return found.select(
        "document",
        set=pl.col("slug").replace_strict(slugs, return_dtype=pl.Int64),
        rule=pl.lit("id"),
        detail=pl.format("id: {}", "doc_id"),
    )


def _kin(documents: pl.DataFrame, in_set: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the documents that share `column` with one that matches."""
    known = in_set.join(documents, on="document", maintain_order="left").filter(
        pl.col(column) != ""
    )
    known = known.unique([column, "set"], keep="first", maintain_order=True)
    return documents.join(
        known.select(column, "set", "detail"), on=column, maintain_order="left"
    ).select(
        "document",
        "set",
        rule=pl.lit(column),
        detail=pl.format("{} of {}", pl.lit(column), "detail"),
    )


def _lines(found: pl.DataFrame) -> pl.DataFrame:
    """Return `row`, `document`, `set`, `rule`, `value`, `detail`; -1 where there is no row."""
    for name in ("row", "document"):
        if name not in found.columns:
            found = found.with_columns(pl.lit(-1, pl.Int32).alias(name))
    found = found.with_columns(
        value=pl.lit(1.0),
        row=pl.col("row").cast(pl.Int32),
        document=pl.col("document").cast(pl.Int32),
    )
    return found.select("row", "document", "set", "rule", "value", "detail").sort(
        "row", "document", "set"
    )


def _nearest(
    mine: npt.NDArray[np.float32], theirs: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    best, nearest = np.zeros(len(mine), np.float32), np.zeros(len(mine), np.int64)
    for part in row_blocks(len(mine), len(theirs)):
        scores = mine[part] @ theirs.T
        nearest[part] = scores.argmax(axis=1)
        best[part] = scores.max(axis=1)
    return best, nearest


def _figures(data: AuditedSet, hits: _Hits) -> list[Figure]:
    rows, documents = data.rows.height, data.documents.height
    of_rows = {
        "queries": hits.queries,
        "positives": hits.positives,
        "sources": hits.sources,
        "rows": pl.concat([hits.queries, hits.positives, hits.sources]),
    }
    labels = {
        "queries": "rows whose query is evaluation data",
        "positives": "rows with a positive that is evaluation data",
        "sources": "rows whose positive is of the same source as evaluation data",
        "rows": "rows with any of these",
    }
    figures = [
        share(name, found["row"].n_unique(), rows, label=labels[name])
        for name, found in of_rows.items()
    ]
    inside = hits.documents["document"].n_unique()
    return [*figures, share("documents", inside, documents, label="documents in an evaluation set")]


def _by_set(blocked: BlockList, reasons: dict[str, pl.DataFrame]) -> Breakdown:
    lines: list[tuple[str | int | float, ...]] = []
    for reason, found in reasons.items():
        counted = found.group_by("set", "rule").agg(pl.len()).sort("set", "rule")
        for number, rule, height in counted.iter_rows():
            lines.append((blocked.sets[number].name, reason, rule, height))
    columns = ("evaluation set", "what", "rule", "found")
    return Breakdown("by_set", "By evaluation set and side", columns, tuple(sorted(lines)))
