"""Whether the files hold what the manifest says; only a Pairmill data set has one."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import polars as pl

from data_cards.audit.audited_set import NEGATIVE, AuditedSet
from data_cards.audit.measurement import FINDINGS, Measurement, count, findings_of
from data_cards.audit.metric import METRICS, AuditContext, Metric
from data_cards.manifest import DataSetManifest
from data_cards.problem import Problem
from data_cards.verify import verify_counts

_REASONS = {
    "files": "file_differs_from_manifest",
    "schema": "file_differs_from_manifest",
    "conservation": "count_differs_from_manifest",
}


@METRICS.register("conservation")
class Conservation(Metric):
    """Checks checksums, rows in = kept + rejected at every stage, and what rows refer to."""

    title: ClassVar[str] = "Conservation of counts"
    about: ClassVar[str] = "Above zero: rows were lost, invented or edited after the data was made."
    figures: ClassVar[tuple[str, ...]] = ("violations",)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return the number of broken promises; skipped without a manifest."""
        if data.manifest is None:
            return Measurement(skipped="the data set has no manifest")
        problems = list(_counts(data, data.manifest))
        if data.folder:
            problems += verify_counts(Path(data.folder), data.manifest)
        reasons: dict[str, list[str]] = {}
        for problem in problems:
            reasons.setdefault(_REASONS[problem.check], []).append(problem.message)
        findings = [
            findings_of(self.name, reason, details=texts, at_most=context.max_findings)
            for reason, texts in sorted(reasons.items())
        ]
        return Measurement(
            figures=(count("violations", len(problems), len(data.manifest.stages), "promises"),),
            findings=pl.concat([pl.DataFrame(schema=FINDINGS), *findings]),
            finding_counts={reason: len(texts) for reason, texts in sorted(reasons.items())},
        )


def _counts(data: AuditedSet, manifest: DataSetManifest) -> list[Problem]:
    """Return how rows and negatives that were read differ from the manifest's.

    Its own laws (rows in = kept + rejected, kept = rows in of the next stage) held when it was
    read.
    """
    negatives = int((data.links["role"] == NEGATIVE).sum())
    stated = {
        "rows": (manifest.rows, data.rows.height),
        "negatives": (manifest.mining.selected, negatives),
    }
    return [
        Problem("conservation", f"{wanted} {name} must be there, but {found} are.")
        for name, (wanted, found) in stated.items()
        if wanted != found
    ]
