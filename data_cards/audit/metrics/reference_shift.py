"""Whether generated queries look like those that people write."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.bins import even_histogram
from data_cards.audit.encoded import encode_texts
from data_cards.audit.measurement import Figure, Measurement, findings_of
from data_cards.audit.metric import METRICS, NO_ENCODER, AuditContext, Metric
from mining.encoders import Floats
from mining.vectors import checked_vectors

Depths = npt.NDArray[np.float64]

# Below it neither statistic says anything (own).
_FEWEST = 20


@METRICS.register("reference_shift")
class ReferenceShift(Metric):
    """TTE depth of generated queries among reference queries, with Q statistic and rank-sum test.

    A text's depth is 2 minus its mean cosine distance to the reference: deep texts lie in the
    middle of it. Q is the chance that a reference text is no deeper than a generated one (ties
    count half): 0.5 means no shift, less means that generated queries lie further out, more that
    they crowd in the middle. A reference text is not compared with itself (own).

    Reference queries are the context's; where there are none, the data set's own queries by people.

    Attributes:
        sample: Texts of each side (own).

    Reference: Seegmiller and Preum 2023, Statistical Depth for Ranking and Characterizing
        Transformer-Based Text Embeddings, arXiv 2310.15010.
    """

    title: ClassVar[str] = "Shift from human queries"
    about: ClassVar[str] = (
        "Q far from 0.5 with a small p: generated queries are unlike those people ask, and a model "
        "trained on them may not carry over."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "q",
        "rank_sum_z",
        "rank_sum_p",
        "depth_generated",
        "depth_reference",
    )
    sample: int = Field(default=1000, ge=_FEWEST)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return Q, z and p; skipped without encoder, reference, or generated queries."""
        from scipy import stats

        if context.encoder is None:
            return Measurement(skipped=NO_ENCODER)
        is_generated = data.rows["generator"] != ""
        people = data.rows.filter(~is_generated)["query"].unique().sort().to_numpy()
        rows = np.flatnonzero(is_generated.to_numpy())
        available = len(context.reference) or len(people)
        if min(available, len(rows)) < _FEWEST:
            return Measurement(
                skipped=f"fewer than {_FEWEST} generated queries or {_FEWEST} reference texts"
            )
        reference = self._reference(data, context, people)
        mine = rows[context.sample("reference_shift", len(rows), self.sample)]
        places = data.rows["query"].to_numpy()[mine]
        generated = encode_texts(data, context.encoder, places, "query")
        human, depths = _own_depths(reference), _depths(generated, reference)
        z, p = stats.ranksums(human, depths)
        ranked = stats.mannwhitneyu(depths, human).statistic / (len(human) * len(depths))
        sizes = (len(depths), len(rows))
        of = "the given reference" if context.reference else "the data set's own human queries"
        return Measurement(
            figures=(
                Figure("q", float(ranked), "score", None, None, *sizes, "0.5 is no shift"),
                Figure("rank_sum_z", float(z), "score", None, None, *sizes, "Wilcoxon's z"),
                Figure("rank_sum_p", float(p), "", None, None, *sizes, "chance of it unshifted"),
                Figure("depth_generated", float(depths.mean()), "score", None, None, *sizes),
                Figure(
                    "depth_reference",
                    float(human.mean()),
                    "score",
                    None,
                    None,
                    len(human),
                    available,
                ),
            ),
            histograms=(
                even_histogram("depths", "TTE depth", {"reference": human, "generated": depths}),
            ),
            findings=_outliers(self.name, mine, depths, human, context),
            finding_counts={"outside_reference": int((depths < human.min()).sum())},
            notes=(f"Compared with {len(human)} texts of {of}, by {context.encoder.name}.",),
        )

    def _reference(
        self, data: AuditedSet, context: AuditContext, people: npt.NDArray[np.int32]
    ) -> Floats:
        """Return vectors of a sample of the given texts, else of the queries at `people`."""
        if context.encoder is None:
            return np.zeros((0, 1), np.float32)
        available = len(context.reference) or len(people)
        drawn = context.sample("reference_shift reference", available, self.sample)
        if not context.reference:
            return encode_texts(data, context.encoder, people[drawn], "query")
        texts = [context.reference[place] for place in drawn]
        return checked_vectors(context.encoder, texts, "query")


def _depths(vectors: Floats, reference: Floats) -> Depths:
    """Return (N,) depths: 2 - mean of 1 - cosine."""
    centre = reference.astype(np.float64).mean(axis=0)
    return 1.0 + vectors.astype(np.float64) @ centre


def _own_depths(reference: Floats) -> Depths:
    """Return the depth of every reference text among the others."""
    total = reference.astype(np.float64).sum(axis=0)
    own = np.einsum("nd,nd->n", reference, reference, dtype=np.float64)
    return 1.0 + (reference.astype(np.float64) @ total - own) / (len(reference) - 1)


def _outliers(
    metric: str,
    rows: npt.NDArray[np.int64],
    depths: Depths,
    human: Depths,
    context: AuditContext,
) -> pl.DataFrame:
    outside = np.flatnonzero(depths < human.min())
    return findings_of(
        metric,
        "outside_reference",
        rows=pl.Series(rows[outside]),
        values=pl.Series(human.min() - depths[outside]),
        at_most=context.max_findings,
    )
