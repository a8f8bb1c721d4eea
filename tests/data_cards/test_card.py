from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from huggingface_hub import DatasetCard

from data_cards import card, layout
from data_cards.card import render_card
from data_cards.evidence import Evidence
from data_cards.manifest import DataSetManifest, checked_manifest, load_manifest
from data_cards.statistics import DataSetStatistics, compute_statistics
from sdg.assemble import AssembleConfig
from sdg.errors import ContractError
from tests.data_cards import tiny

DIRTY = "x\n---\n- pwned: true\n# heading <img src=x onerror=1> | a \u202e https://evil.example"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_data_set(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def manifest(directory: Path) -> DataSetManifest:
    return load_manifest(directory)


@pytest.fixture
def statistics(directory: Path) -> DataSetStatistics:
    return compute_statistics(directory)


def edited(manifest: DataSetManifest, **fields: Any) -> DataSetManifest:
    return checked_manifest(manifest.to_json() | fields)


def table_after(text: str, heading: str) -> list[list[str]]:
    """Return the body cells of the first table below `heading`."""
    lines = text.split(heading, 1)[1].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    cells = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return cells


def test_front_matter_is_what_the_hub_parses(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    data = DatasetCard(render_card(manifest, statistics)).data.to_dict()
    assert data["pretty_name"] == "Tiny pairs"
    assert data["license"] == "cc-by-sa-4.0"
    assert data["language"] == ["eng", "fra", "spa"]
    assert data["size_categories"] == ["n<1K"]
    assert data["language_creators"] == ["machine-generated", "found"]
    assert data["task_categories"][:2] == ["text-retrieval", "sentence-similarity"]
    assert [c["config_name"] for c in data["configs"]] == ["data", "corpus", "rejected"]
    assert data["configs"][0]["default"] is True


def test_attrition_table_equals_the_manifest(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    rows = table_after(render_card(manifest, statistics), "## What became of every row")
    assert rows == [
        ["`generate`", "candidates", "12", "11", "`no_words` 1"],
        ["`gate`", "candidates", "11", "9", "`repeats_itself` 1, `wrong_language` 1"],
        ["`assemble`", "queries", "9", "9", "none"],
    ]


def test_card_says_with_numbers_that_a_model_writes_no_usable_french(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    text = render_card(manifest, statistics)
    assert (
        "- **Nothing usable:** `tiny-writer`, `write_query`, queries in `fra-Latn` for documents "
        "in `fra-Latn`: 3 candidates, 0 kept, because `no_words` 1, `repeats_itself` 1, "
        "`wrong_language` 1."
    ) in text
    assert table_after(text, "### Yield per task")[3][4:6] == ["3", "0 of 3 (0.0 %)"]
    assert table_after(text, "## Two kinds of pairs")[0] == ["`eng-Latn`", "4 of 4 (100.0 %)"]


def test_card_shows_drops_of_each_rule_and_prompts_nobody_reviewed(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    text = render_card(manifest, statistics)
    assert table_after(text, "## Hard negatives")[0] == [
        "`entity`",
        "none",
        "`same_entity`",
        "18 of 54 (33.3 %)",
    ]
    assert "**Prompts that no reader of the language reviewed:** `fra-Latn`." in text


def test_rendering_is_a_function_of_its_inputs(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    assert render_card(manifest, statistics) == render_card(manifest, statistics)


@pytest.mark.parametrize("field", ["name", "licence"])
def test_hostile_configuration_stays_text_in_the_card(
    field: str, manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    text = render_card(edited(manifest, **{field: DIRTY}), statistics)
    data = DatasetCard(text).data.to_dict()
    assert data[{"name": "pretty_name", "licence": "license"}[field]] == DIRTY
    assert "pwned" not in data
    body = DatasetCard(text).text
    assert not re.search(r"<img|https://evil|\u202e|^# heading|^- pwned", body, re.MULTILINE)


def test_hostile_query_stays_text_in_the_card(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    row = dataclasses.replace(statistics.typical_rows[0], query=tiny.HOSTILE, task=DIRTY)
    text = render_card(manifest, dataclasses.replace(statistics, typical_rows=(row,)))
    assert not re.search("<script|\x1b|\u202e|http://evil|{{ 7|^# heading", text, re.MULTILINE)
    shown = table_after(text, "### Typical rows")
    assert len(shown) == 1
    assert len(shown[0]) == 4
    assert shown[0][1].startswith(r"&lt;script&gt;alert(1)&lt;/script&gt; \| \*\*bold\*\*")


@pytest.mark.parametrize("field", ["name", "licence"])
@pytest.mark.parametrize("hostile", tiny.HOSTILE_TEXTS, ids=repr)
def test_hostile_names_stay_text_in_front_matter_and_body(
    field: str, hostile: str, manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    text = render_card(edited(manifest, **{field: hostile}), statistics)
    parsed = DatasetCard(text)
    plain = DatasetCard(render_card(manifest, statistics))
    key = {"name": "pretty_name", "licence": "license"}[field]
    assert parsed.data.to_dict() == {**plain.data.to_dict(), key: hostile}
    assert not re.search("[\u2028\u202a-\u202e\u2066-\u2069]", text)
    tiny.check_inert(parsed.text)


@pytest.mark.parametrize("hostile", tiny.HOSTILE_TEXTS, ids=repr)
def test_hostile_models_sources_facts_and_statements_stay_text_in_the_card(
    hostile: str, manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    fields = manifest.to_json()
    fields["models"][0] |= {"name": hostile, "revision": hostile, "licence": hostile}
    fields["sources"][0] |= {"name": hostile, "licence": hostile, "attribution": hostile}
    fields["facts"] = [{"kind": k, "stage": hostile, "text": hostile} for k in ("note", "problem")]
    lists = ("creators", "intended_use", "not_for", "training_datasets", "biases")
    stated = {"citation": hostile, "social_impact": hostile, "maintenance": hostile}
    fields["card"] = dict.fromkeys(lists, (hostile,)) | stated
    body = DatasetCard(render_card(checked_manifest(fields), statistics)).text
    tiny.check_inert(body)
    assert body.count("\n|") == DatasetCard(render_card(manifest, statistics)).text.count("\n|")


def test_a_text_of_a_megabyte_is_shown_whole_on_one_line(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    text = render_card(edited(manifest, name="é<b>\n" * 2**18), statistics)
    title = next(line for line in text.splitlines() if line.startswith("# "))
    assert title == "# " + "é&lt;b&gt; " * 2**18


def test_the_card_has_every_section_of_a_data_card(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    headings = re.findall(r"^##+ (.*)$", render_card(manifest, statistics), re.MULTILINE)
    wanted = [
        "Summary",
        "Composition",
        "How it was made",
        "Languages whose prompts no reader reviewed",
        "What became of every row",
        "Hard negatives",
        "Relabelled positives",
        "Quality evidence",
        "Decontamination",
        "Sources and licences",
        "Intended use",
        "Known problems",
        "Checksums",
        "Changelog",
    ]
    assert [name for name in headings if name in wanted] == wanted


def test_what_the_publisher_states_is_in_the_card(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    card = {
        "version": "1.2.0",
        "date_published": "2026-11-21",
        "creators": ["Ada", "Bob"],
        "training_datasets": ["MSMARCO"],
        "not_for": ["dinner"],
        "maintenance": "Until 2030.",
    }
    text = render_card(edited(manifest, card=card), statistics)
    assert "- Version: 1.2.0; published: 2026-11-21; format version 0.1.0." in text
    assert "- Created by: Ada, Bob." in text
    assert "must declare as training data:\n\n- MSMARCO\n" in text
    assert "Not for:\n\n- dinner\n\nSocial impact: Nobody assessed it. Maintenance: Until" in text
    unstated = render_card(manifest, statistics)
    assert "- Version: none yet; published: not yet; format" in unstated
    assert "- Created by: not stated." in unstated


@pytest.mark.parametrize(
    "card",
    [{"version": "1.2"}, {"homepage": "javascript:alert(1)"}, {"date_published": "soon"}],
    ids=str,
)
def test_a_statement_that_cannot_be_is_refused(
    card: dict[str, Any], manifest: DataSetManifest
) -> None:
    with pytest.raises(ContractError, match="card"):
        edited(manifest, card=card)


def test_a_split_without_rows_is_left_out_of_the_front_matter(tmp_path: Path) -> None:
    splits = {"train": 0.999999, "validation": 0.000001}
    tiny.write_data_set(tmp_path, config=AssembleConfig(splits=splits, seed=0))
    front = yaml.safe_load((tmp_path / layout.CARD).read_text().split("---")[1])
    assert front["configs"][0]["data_files"] == [{"split": "train", "path": "data/train-*.parquet"}]
    body = (tmp_path / layout.CARD).read_text()
    assert "| `validation` | 0 | 0 |" in body


def test_card_without_models_prompts_and_relabelling_says_so(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    text = render_card(edited(manifest, models=[], prompts=[], relabel=None), statistics)
    assert "No language model took part." in text
    assert "No prompt was used." in text
    assert "Positives were not relabelled." in text


def test_a_fallback_is_told(manifest: DataSetManifest, statistics: DataSetStatistics) -> None:
    fact = {"kind": "fallback", "stage": "embed", "text": "CPU was used: no GPU was found."}
    text = render_card(edited(manifest, facts=[fact]), statistics)
    assert "Fallbacks taken:\n\n- `embed`: CPU was used: no GPU was found." in text
    assert "No fallback was taken." not in text
    assert "No fallback was taken." in render_card(edited(manifest, facts=[]), statistics)


def test_rendering_fails_when_a_fact_is_missing(
    manifest: DataSetManifest, statistics: DataSetStatistics, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = card._facts(manifest, statistics, Evidence())
    del facts["drops"]
    monkeypatch.setattr(card, "_facts", lambda *_: facts)
    with pytest.raises(ContractError, match="'drops' is undefined"):
        render_card(manifest, statistics)


@pytest.mark.parametrize("source", ["{{ missing }}", "{{ manifest.missing }}", "{{ null }}"])
def test_every_kind_of_missing_value_fails(source: str, manifest: DataSetManifest) -> None:
    template = card._environment().from_string(source)
    with pytest.raises(jinja2.UndefinedError):
        template.render(manifest=manifest, null=None)


def test_rendering_fails_when_manifest_and_files_disagree(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    fewer = dataclasses.replace(statistics, row_counts=statistics.row_counts[1:])
    with pytest.raises(ContractError, match="its manifest counts 9 rows"):
        render_card(manifest, fewer)


@pytest.mark.parametrize(
    ("rows", "category"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1_000, "1K<n<10K"),
        (10**6, "1M<n<10M"),
        (10**9, "1B<n<10B"),
        (10**12, "n>1T"),
    ],
)
def test_size_category_uses_the_hubs_names(rows: int, category: str) -> None:
    assert card._size_category(rows) == category
