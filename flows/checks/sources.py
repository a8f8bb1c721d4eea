"""Whether every source of documents can be read, and what its first document is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from flows.checks import Question, Setup, Told, shortened
from sdg.corpus.readers import Reader
from sdg.evaluation_sets import EvaluationSource, read_evaluation_set


def questions(setup: Setup) -> Iterator[Question]:
    """Ask each source for its first documents, and each evaluation set for its texts."""
    config = setup.config
    for number, reader in enumerate(config.sources):
        yield _source(f"{number} {reader.name}", reader)
    against = {
        *config.decontaminate.against,
        *(config.audit.against if config.audit.enabled else ()),
    }
    for source in sorted(against, key=lambda one: one.path):
        yield _evaluation_set(source)


def _source(name: str, reader: Reader) -> Question:
    def ask() -> Told:
        total = reader.num_documents()
        batches = reader.read()
        # A source that is streamed from elsewhere is asked for one batch only.
        is_here = Path(getattr(reader, "path", ".")).exists()
        with closing(batches):  # type: ignore[type-var]
            first = next(batches)
            if total is None and is_here and next(batches, None) is None:
                total = first.num_rows
        row = first.slice(0, 1).to_pylist()[0]
        count = f"more than {first.num_rows:,}" if total is None else f"{total:,}"
        is_bad = f" (it cannot be read: {row['reason']}, {row['detail']})" if row["reason"] else ""
        told = f"{count} documents, the first is {shortened(row['source_key'])}: "
        told += shortened(row["text"]) + is_bad
        return Told(told, {"documents": total, "at_least": first.num_rows})

    return Question("source", name, "for its first document", ask)


def _evaluation_set(source: EvaluationSource) -> Question:
    def ask() -> Told:
        found = read_evaluation_set(source)
        count = len(found.texts) + len(found.blocked_ids)
        return Told(f"{count:,} texts and ids of it are kept out", {"blocked": count})

    return Question("evaluation set", source.path, "for its texts", ask)
