"""How many negatives answer their query after all: known for sure, and estimated by a judge."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.known_positives import (
    EQUAL_POSITIVE,
    EQUAL_QUERY,
    KIN,
    NEAR,
    known_reasons,
    nearly_equal,
)
from data_cards.audit.measurement import (
    Breakdown,
    Figure,
    Measurement,
    count,
    findings_of,
    share,
)
from data_cards.audit.metric import METRICS, AuditContext, FalseNegativeJudge, JudgedCase, Metric

_REASONS = (EQUAL_POSITIVE, EQUAL_QUERY, NEAR, *KIN.values())
_JUDGED = "judged_relevant"


class _Near(NamedTuple):
    """Negatives that were compared with their positives word by word."""

    lines: pl.DataFrame
    compared: int


class _Verdicts(NamedTuple):
    """Sampled negatives with a verdict, and how many had none that could be read."""

    lines: pl.DataFrame
    unreadable: int


@METRICS.register("false_negatives")
class FalseNegatives(Metric):
    """Share of negatives that are right.

    `known_false_negative_rate` is a lower bound without a judge: negatives with the words of a
    positive of an equal query in any row, nearly the words of their own row's positive, or its
    entity, parent or group. `false_negative_rate` is the judge's if there is a judge, else the same
    lower bound, and the label says which. The judge sees one negative of each sampled row, so that
    its verdicts are independent and Wilson's interval holds.

    Attributes:
        sample: Negatives shown to the judge; 500 (own) know a rate of 10 % to 2.7 points.
        near_sample: Negatives compared word by word if there are more (own: ten seconds).
        jaccard: Words shared with a positive from which on texts are nearly equal; 0.8 as in the
            corpus stage (own).
    """

    title: ClassVar[str] = "False negatives"
    about: ClassVar[str] = (
        "A negative that answers its query teaches the model to push right answers away; naive "
        "mining gives 20 % to 47 %."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "false_negative_rate",
        "known_false_negative_rate",
        "judge_unreadable",
    )
    sample: int = Field(default=500, ge=1)
    near_sample: int = Field(default=200_000, ge=1)
    jaccard: float = Field(default=0.8, gt=0, lt=1)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return both rates and the negatives found; skipped without negatives."""
        if not data.has_negatives():
            return Measurement(skipped="the data set has no negatives")
        known = known_reasons(data)
        near = self._near(data, context, known)
        rate = _known_rate(known, near)
        listed = pl.concat([known.filter(pl.col("reason") != ""), near.lines])
        findings = [self._known_findings(listed, reason, context) for reason in _REASONS]
        counts = dict(listed.group_by("reason").agg(pl.len()).sort("reason").iter_rows())
        figures: list[Figure] = [rate]
        notes = _near_notes(near, known.height)
        head = rate._replace(
            name="false_negative_rate", label="by known duplicates: a lower bound, no judge"
        )
        if context.judge is not None:
            verdicts = self._judge(data, context, context.judge, known)
            wrong = verdicts.lines.filter("is_relevant")
            judged = verdicts.lines.height
            asked = judged + verdicts.unreadable
            label = f"judged by {context.judge.name}"
            # Without a verdict there is no rate: a gate on it is broken, not kept by a zero.
            head = share("false_negative_rate", wrong.height, judged, known.height, label)
            figures.append(count("judge_unreadable", verdicts.unreadable, asked))
            findings.append(self._judged_findings(wrong, context))
            counts[_JUDGED] = wrong.height
            notes.append(f"{judged} negatives, one a row, were judged by {context.judge.name}.")
        return Measurement(
            figures=(head, *figures) if head.sample else tuple(figures),
            breakdowns=(_by_reason(counts), _by_language(data, known, near)),
            findings=pl.concat(findings),
            finding_counts=counts,
            notes=tuple(notes),
        )

    def _near(self, data: AuditedSet, context: AuditContext, known: pl.DataFrame) -> _Near:
        """Compare a sample of all negatives, so that what is known otherwise takes part in it."""
        places = context.sample("false_negatives near", known.height, self.near_sample)
        drawn = known[places]
        others = drawn.filter(pl.col("reason") == "")
        near = others.filter(nearly_equal(data, others, self.jaccard))
        return _Near(near.with_columns(reason=pl.lit(NEAR)), drawn.height)

    def _judge(
        self,
        data: AuditedSet,
        context: AuditContext,
        judge: FalseNegativeJudge,
        negatives: pl.DataFrame,
    ) -> _Verdicts:
        lines = _one_per_row(data, context, negatives, self.sample)
        cases = _cases(data, lines)
        verdicts: list[bool | None] = []
        for start in range(0, len(cases), 64):
            verdicts += judge.judge(cases[start : start + 64])
            context.report(len(verdicts), len(cases))
        judged = lines.with_columns(is_relevant=pl.Series(verdicts, dtype=pl.Boolean))
        readable = judged.filter(pl.col("is_relevant").is_not_null())
        return _Verdicts(readable, judged.height - readable.height)

    def _known_findings(
        self, listed: pl.DataFrame, reason: str, context: AuditContext
    ) -> pl.DataFrame:
        mine = listed.filter(pl.col("reason") == reason)
        # A row with many of them is worse than a row with one.
        mine = mine.with_columns(together=pl.len().over("row").cast(pl.Float64))
        return findings_of(
            self.name,
            reason,
            rows=mine["row"],
            documents=mine["document"],
            values=mine["together"],
            at_most=context.max_findings,
        )

    def _judged_findings(self, wrong: pl.DataFrame, context: AuditContext) -> pl.DataFrame:
        return findings_of(
            self.name,
            _JUDGED,
            rows=wrong["row"],
            documents=wrong["document"],
            at_most=context.max_findings,
        )


def _known_rate(known: pl.DataFrame, near: _Near) -> Figure:
    """Return the lower bound: known of all negatives, and nearly equal ones of the sample."""
    sure = known.filter(pl.col("reason") != "").height
    label = "negatives known to be right"
    if near.compared == known.height:
        return share(
            "known_false_negative_rate", sure + near.lines.height, known.height, label=label
        )
    part = share("near", near.lines.height, near.compared, known.height)
    base = sure / known.height
    low, high = base + (part.low or 0.0), min(1.0, base + (part.high or 0.0))
    return Figure(
        "known_false_negative_rate",
        base + part.value,
        "share",
        low,
        high,
        near.compared,
        known.height,
        label,
    )


def _one_per_row(
    data: AuditedSet, context: AuditContext, negatives: pl.DataFrame, size: int
) -> pl.DataFrame:
    """Return one negative each of up to `size` rows that have a positive; rows ascending."""
    with_positive = data.links_of("positive")["row"].unique()
    lines = negatives.filter(pl.col("row").is_in(with_positive.implode()))
    rows = lines["row"].to_numpy()
    firsts = np.flatnonzero(np.diff(rows, prepend=-1))
    sizes = np.diff(np.append(firsts, len(rows)))
    chosen = context.sample("false_negatives rows", len(firsts), size)
    # `sample` gives places without order of rows; one draw per row decides which negative.
    draws = np.array(
        [
            int(context.sample(f"false_negatives {rows[firsts[c]]}", int(sizes[c]), 1)[0])
            for c in chosen
        ],
        np.int64,
    )
    return lines[firsts[chosen] + draws]


def _cases(data: AuditedSet, lines: pl.DataFrame) -> list[JudgedCase]:
    positives = data.links_of("positive").filter(pl.col("place") == 0)
    own = lines.select("row").join(
        positives.select("row", "document"), on="row", how="left", maintain_order="left"
    )
    texts = [
        data.texts.take(places.to_numpy()).to_pylist()
        for places in (
            data.rows["query"].gather(lines["row"]),
            data.documents["text"].gather(own["document"]),
            lines["text"],
        )
    ]
    ids = data.rows["query_id"].gather(lines["row"]).to_list()
    languages = data.rows["query_language"].gather(lines["row"]).to_list()
    doc_ids = data.documents["doc_id"].gather(lines["document"]).to_list()
    return [
        JudgedCase(f"{query_id} {doc_id}", query, language, positive, candidate)
        for query_id, doc_id, language, query, positive, candidate in zip(
            ids, doc_ids, languages, *texts, strict=True
        )
    ]


def _near_notes(near: _Near, negatives: int) -> list[str]:
    if near.compared == negatives:
        return []
    return [f"{near.compared} of {negatives} negatives were compared word by word with positives."]


def _by_reason(counts: dict[str, int]) -> Breakdown:
    lines = tuple((reason, counts[reason]) for reason in (*_REASONS, _JUDGED) if reason in counts)
    return Breakdown("by_reason", "Why", ("reason", "negatives"), lines)


def _by_language(data: AuditedSet, known: pl.DataFrame, near: _Near) -> Breakdown:
    languages = data.rows.select(language="query_language").with_row_index("row")
    languages = languages.cast({"row": pl.Int32})
    lines = pl.concat([known.filter(pl.col("reason") != ""), near.lines]).select("row")
    every = known.join(languages, on="row").group_by("language").agg(negatives=pl.len())
    wrong = lines.join(languages, on="row").group_by("language").agg(known=pl.len())
    joined = every.join(wrong, on="language", how="left").fill_null(0).sort("language")
    columns = ("query language", "negatives", "known to be right")
    return Breakdown(
        "by_language", "Known false negatives by language", columns, tuple(joined.rows())
    )
