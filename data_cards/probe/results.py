"""DIR/audit/probe.json: what was measured, how, and what was kept out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from sdg import store
from sdg.errors import DataError
from sdg.part import Part

FILE = "probe.json"

Count = Annotated[int, Field(ge=0)]


class Interval(Part):
    """A mean over queries with the 95 % interval of the bootstrap."""

    value: float
    low: float
    high: float


class EvalRecord(Part):
    """What was evaluated on.

    Attributes:
        name: Of the evaluation set.
        queries: Measured.
        documents: Searched.
        queries_without_relevant: Judged queries without a relevant document; not measured.
        queries_truncated: Of which the model read only the beginning.
        documents_truncated: Likewise.
    """

    name: str
    queries: Count
    documents: Count
    queries_without_relevant: Count
    queries_truncated: Count
    documents_truncated: Count


class ArmRecord(Part):
    """One model: before training, or after it with one kind of negatives.

    Attributes:
        name: "before", or the kind of negatives.
        ndcg_at_10: Over all queries.
        recall_at_100: Over all queries.
        gain_ndcg_at_10: After minus before, paired by query; null before training.
        gain_recall_at_100: Likewise.
    """

    name: Literal["before", "none", "random", "naive", "percent", "judged"]
    ndcg_at_10: Interval
    recall_at_100: Interval
    gain_ndcg_at_10: Interval | None
    gain_recall_at_100: Interval | None


class RowsRecord(Part):
    """Rows in = kept + left out by reason.

    Attributes:
        train: In the train split.
        kept_out: Reason -> rows in which evaluation queries or documents are.
        left_out: Reason -> rows that could not be used alike by all arms, or were too many.
        trained_on: What is left.
    """

    train: Count
    kept_out: dict[str, Count]
    left_out: dict[str, Count]
    trained_on: Count


class ProbeResults(Part):
    """Everything in probe.json; there is no time in it, so that the same run gives the same file.

    Attributes:
        format_version: Of the file.
        eval: The evaluation set.
        model: As configured; where it lies is left out for a folder.
        model_revision: Commit, package version or hash of the files.
        steps: Of every arm.
        seed: Of everything drawn.
        rows: What was trained on.
        kept_out: As in `rows`.
        settings: The rest of the settings that decide the result.
        arms: "before" first, then in the order they were asked for.
        skipped_arms: Arm -> why it was not run.
        files: Path -> sha256 of the data set's files, so that old results are known as such.
    """

    format_version: Literal["0.1.0"] = "0.1.0"
    eval: EvalRecord
    model: str
    model_revision: str
    steps: Count
    seed: int
    rows: RowsRecord
    kept_out: dict[str, Count]
    settings: dict[str, Any]
    arms: tuple[ArmRecord, ...]
    skipped_arms: dict[str, str]
    files: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return JSON that `load_results` reads back to equal results."""
        return self.model_dump(mode="json")


def load_results(folder: Path) -> ProbeResults | None:
    """Return the results in a folder, or None if there are none.

    Raises:
        DataError: If the file cannot be read as results.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return ProbeResults.model_validate(store.read_json(path))
    except ValidationError as error:
        raise DataError(
            f"`{path}` must be results of `pairmill probe`, but is not: {error}. "
            "Delete it and probe again."
        ) from error
