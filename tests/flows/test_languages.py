"""Languages as a plan: quotas across languages and scripts, built with the scripted engine."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from data_cards.manifest import load_manifest
from data_cards.verify import verify_data_set
from flows.build import run_build
from flows.config import load_config
from sdg.errors import ConfigError
from tests.flows.six_scripts import PAIRS, QUERIES, TEXTS, cross_lingual_settings
from tests.flows.small import write_config


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished data set of six document and six query languages."""
    folder = tmp_path_factory.mktemp("languages")
    config = write_config(folder / "c.yaml", cross_lingual_settings(folder))
    run_build(config, folder / "out")
    assert verify_data_set(folder / "out") == []
    return folder / "out"


def test_every_planned_pair_of_languages_gives_its_rows(built: Path) -> None:
    rows = pl.read_parquet(built / "data" / "*.parquet")
    found = {
        (row["positive_languages"][0], row["query_language"], row["query"], row["positives"][0])
        for row in rows.iter_rows(named=True)
    }
    assert found == {
        (language, PAIRS[language], query, text)
        for language, queries in QUERIES.items()
        for query, text in zip(queries, TEXTS[language], strict=True)
    }


def test_the_manifest_says_of_each_pair_what_was_asked_kept_and_why_not(built: Path) -> None:
    cells = {
        (cell.document_language, cell.query_language): cell for cell in load_manifest(built).cells
    }
    assert set(cells) == set(PAIRS.items())
    for cell in cells.values():
        assert (cell.requested, cell.kept) == (6, 2)
        # The second reply is in Spanish, the third is no JSON.
        wrong = {"not_in_query_language", "query_language_unsure"} & set(cell.rejected)
        assert cell.rejected == {"invalid_json": 2, wrong.pop(): 2}


def test_the_card_shows_the_yield_of_each_pair(built: Path) -> None:
    card = (built / "README.md").read_text(encoding="utf-8")
    for documents, queries in PAIRS.items():
        start = f"| `llm_query` | `{documents}` | `{queries}` | `script` | 6 | 2 of 6 (33.3 %) |"
        (line,) = (line for line in card.splitlines() if line.startswith(start))
        assert "`invalid_json` 2" in line


def test_english_instructions_in_place_of_a_prompt_are_told(built: Path) -> None:
    facts = [fact.text for fact in load_manifest(built).facts if fact.kind == "fallback"]
    told = [text for text in facts if text.startswith("Instructions in English")]
    assert told[0] == "Instructions in English for: tha-Thai (llm_query has no prompt in them)."
    assert any("query_likelihood" in text for text in told)
    card = (built / "README.md").read_text(encoding="utf-8")
    assert "Instructions in English for: tha-Thai" in card
    rows = pl.read_parquet(built / "data" / "*.parquet").unnest("provenance")
    used = dict(rows.select("query_language", "prompt").iter_rows())
    assert used["tha-Thai"] == "llm_query/eng-Latn"
    assert used["kor-Kore"] == "llm_query/kor-Kore"


def test_a_run_that_forbids_fallbacks_is_refused_with_the_files_it_lacks(tmp_path: Path) -> None:
    values = {**cross_lingual_settings(tmp_path), "prompts_fallback": "none"}
    path = write_config(tmp_path / "c.yaml", values)
    with pytest.raises(ConfigError, match=r"llm_query/tha-Thai\.md, query_likelihood/tha-Thai\.md"):
        load_config(path)


def test_a_run_with_a_prompt_for_every_language_has_no_fallback_to_forbid(tmp_path: Path) -> None:
    values = {**cross_lingual_settings(tmp_path), "prompts_fallback": "none"}
    quotas = values["plan"]["entries"][0]["quotas"]
    values["plan"]["entries"][0]["quotas"] = [q for q in quotas if q["queries"] != "tha-Thai"]
    config = load_config(write_config(tmp_path / "c.yaml", values))
    assert config.prompt_fallbacks() == []
