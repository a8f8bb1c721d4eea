"""The RAI properties of Croissant, each a sentence about counts in the manifest; nothing invented.

The specification and the platforms that check it spell `rai:dataManipulationProtocol`;
`mlcroissant` 1.1.1 looks for another name and passes over it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from data_cards.manifest import DataSetManifest
from data_cards.records import StageRecord
from data_cards.statistics import DataSetStatistics
from sdg.schemas import GIVEN_PAIR

PERSONAL_DATA = "Personal data in the source documents was not removed."
NOBODY_ASSESSED = "Nobody assessed it."
NOBODY_PROMISED = "Nobody promised to maintain it."


def responsible_ai(manifest: DataSetManifest, statistics: DataSetStatistics) -> dict[str, Any]:
    """Return the RAI properties of a data set; what nobody stated is said to be so."""
    card = manifest.card
    return {
        "rai:dataCollection": _collection(manifest, statistics),
        "rai:dataCollectionType": ["Secondary Data analysis"],
        "rai:dataPreprocessingProtocol": [told_stage(stage) for stage in manifest.stages],
        "rai:dataManipulationProtocol": _mining(manifest),
        "rai:dataAnnotationProtocol": _annotation(manifest),
        "rai:dataAnnotationPlatform": [f"Pairmill {manifest.pairmill_version}"],
        "rai:dataAnnotationAnalysis": [_agreement(manifest)],
        "rai:machineAnnotationTools": _tools(manifest),
        "rai:dataBiases": _biases(manifest, statistics),
        "rai:dataLimitations": _limitations(manifest),
        "rai:dataUseCases": [
            *(f"For: {use}." for use in card.intended_use),
            *(f"Not for: {use}." for use in card.not_for),
        ],
        "rai:personalSensitiveInformation": [PERSONAL_DATA, *card.personal_information],
        "rai:dataSocialImpact": card.social_impact or NOBODY_ASSESSED,
        "rai:dataReleaseMaintenancePlan": card.maintenance or NOBODY_PROMISED,
    }


def _collection(manifest: DataSetManifest, statistics: DataSetStatistics) -> str:
    sources = "; ".join(
        f"{s.name}: {s.documents:,} read, licence {s.licence}, attribution {s.attribution}"
        for s in manifest.sources
    )
    counts = statistics.row_counts
    written = sum(entry.rows for entry in counts if entry.generator)
    given = sum(entry.rows for entry in counts if entry.task == GIVEN_PAIR)
    kinds = {
        "have a query that a language model wrote for the document": written,
        "came as pairs, written by whoever their source says": given,
        "have a query that stood beside the document in its source": statistics.rows
        - written
        - given,
    }
    told = "; ".join(f"{n:,} of {statistics.rows:,} rows {what}" for what, n in kinds.items() if n)
    return f"Sources: {sources}. {told}."


def told_stage(stage: StageRecord) -> str:
    """Return what a stage was given, kept and rejected, as one sentence."""
    reasons = sorted(((n, r) for r, n in stage.rejected.items() if n), key=lambda x: (-x[0], x[1]))
    told = ", ".join(f"{reason} {count:,}" for count, reason in reasons)
    return (
        f"{stage.name}: {stage.rows_in:,} {stage.unit} in, {stage.kept:,} kept, "
        f"rejected {told or 'none'}."
    )


def _mining(manifest: DataSetManifest) -> str:
    mining, encoder = manifest.mining, manifest.encoder
    rules = ", ".join(f"{rule.rule} (dropped {rule.dropped:,})" for rule in mining.rules)
    told = (
        f"Hard negatives: encoder {encoder.name}, revision {encoder.revision}; index "
        f"{mining.index}, {'exact' if mining.is_exact else 'approximate'}, over "
        f"{mining.corpus_documents:,} documents; rules in order: {rules or 'none'}; "
        f"{mining.selected:,} of {mining.candidates:,} candidates became negatives."
    )
    if manifest.relabel is None:
        return told + " Positives were not relabelled."
    return told + (
        f" Positives were relabelled by {', '.join(manifest.relabel.scorers)}: changed for "
        f"{manifest.relabel.changed:,} of {manifest.relabel.queries:,} queries judged."
    )


def _annotation(manifest: DataSetManifest) -> list[str]:
    told = [
        f"Prompt {p.path}, sha256 {p.sha256}, written by {p.written_by}, reviewed by "
        f"{p.reviewed_by or 'nobody'}."
        for p in manifest.prompts
    ]
    for reviewer in manifest.review.reviewers if manifest.review else ():
        told.append(
            f"Reviewer {reviewer.reviewer}, engine {reviewer.engine}, read {reviewer.asked:,} "
            f"pairs before mining and stopped {reviewer.rejected:,}."
        )
    record = manifest.judge
    if record is not None:
        told.append(
            f"Judges of negatives: {', then '.join(record.judges)}; policy {record.policy}; "
            f"{record.pairs_flagged:,} of {record.pairs:,} candidates flagged as answering the "
            f"query, {record.pairs_unreadable:,} without a readable verdict."
        )
    return told or ["No row was annotated, by people or by a model."]


def _agreement(manifest: DataSetManifest) -> str:
    record = manifest.judge
    if record is None:
        return "No judge read the rows."
    if record.agreement is None:
        return "No second judge was asked."
    opinion = record.agreement
    same = f"{opinion.same.part:,} of {opinion.same.whole:,} verdicts are the same"
    if opinion.kappa is None:
        return f"Second judge {opinion.judge}: {same}; Cohen's kappa is not defined."
    return (
        f"Second judge {opinion.judge}: {same}; Cohen's kappa {opinion.kappa:.3f}, 95 % interval "
        f"{opinion.kappa_low:.3f} to {opinion.kappa_high:.3f}."
    )


def _tools(manifest: DataSetManifest) -> list[str]:
    models = [
        f"{m.role}: {m.name}, revision {m.revision}, engine {m.engine}" for m in manifest.models
    ]
    encoder = manifest.encoder
    return [*models, f"mining: encoder {encoder.name}, revision {encoder.revision}"]


def _biases(manifest: DataSetManifest, statistics: DataSetStatistics) -> list[str]:
    rows: Counter[str] = Counter()
    for entry in statistics.row_counts:
        rows[entry.query_language] += entry.rows
    languages = ", ".join(f"{name} {rows[name]:,}" for name in sorted(rows))
    found = [
        f"Rows by language of the query: {languages}.",
        f"The encoder {manifest.encoder.name} decided which documents are near a query.",
    ]
    unreviewed = sorted({p.language for p in manifest.prompts if p.reviewed_by is None})
    if unreviewed:
        found.append(f"No reader of the language reviewed the prompts in {', '.join(unreviewed)}.")
    return [*found, *manifest.card.biases]


def _limitations(manifest: DataSetManifest) -> list[str]:
    read = "no judge has read the rows" if manifest.judge is None else "judges err"
    found = [f"A negative may still be relevant: {read}."]
    found += [
        f"Nothing usable of {cell.requested:,} candidates: {cell.generator or 'natural pairs'}, "
        f"{cell.task}, queries in {cell.query_language} for documents in {cell.document_language}."
        for cell in manifest.cells
        if cell.requested and not cell.kept
    ]
    return found + [f"{f.stage}: {f.text}" for f in manifest.facts if f.kind != "note"]
