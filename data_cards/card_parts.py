"""Parts of cards that are written by plain code, of data sets and of other results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from data_cards import layout
from data_cards.escape import escape_markdown
from data_cards.records import Fact, SourceRecord, StageRecord
from sdg.ids import fingerprint


class Summed(Protocol):
    """A file whose content is known."""

    @property
    def sha256(self) -> str:
        """Of its bytes."""


def marked(
    configs: Sequence[Mapping[str, Any]], files: Mapping[str, Summed]
) -> list[dict[str, Any]]:
    """Return Hugging Face configurations that say which files they are of.

    `datasets` keeps what it has read under the folder's name and the text of its configurations:
    without a mark of the content, `load_dataset` gives the rows of an earlier run in the same
    folder, or of another folder of that name.
    """
    mark = fingerprint({path: record.sha256 for path, record in files.items()})[:16]
    return [{**config, "description": f"content {mark}"} for config in configs]


def configs_of(files: Mapping[str, Summed]) -> list[dict[str, Any]]:
    """Return the Hugging Face configurations: the data, and the rejections if there are any."""
    data = [{"split": "train", "path": layout.data_glob("train")}]
    configs = [{"config_name": layout.DEFAULT_CONFIG, "data_files": data, "default": True}]
    if any(path.startswith(f"{layout.REJECTED}/") for path in files):
        rejected = [{"split": layout.REJECTED, "path": f"{layout.REJECTED}/*.parquet"}]
        configs.append({"config_name": layout.REJECTED, "data_files": rejected})
    return marked(configs, files)


def stage_lines(stages: Sequence[StageRecord]) -> Iterator[str]:
    """Yield the table of stages with what each rejected."""
    yield "\n| stage | unit | in | kept | rejected |\n|---|---|---:|---:|---|"
    for stage in stages:
        reasons = ", ".join(f"{reason} {count}" for reason, count in stage.rejected.items())
        cells = [stage.name, stage.unit, stage.rows_in, stage.kept, reasons or "none"]
        yield "| " + " | ".join(str(cell) for cell in cells) + " |"


def source_lines(sources: Sequence[SourceRecord], facts: Sequence[Fact]) -> Iterator[str]:
    """Yield where the rows come from, and what else must be known; texts are escaped."""
    yield "\n## Sources and licences\n"
    for source in sources:
        licence, credit = escape_markdown(source.licence), escape_markdown(source.attribution)
        yield f"- {source.name}: {source.documents} rows, licence {licence}, by {credit}"
    if facts:
        yield "\n## Notes\n"
        yield from (f"- {fact.stage}: {escape_markdown(fact.text)}" for fact in facts)
