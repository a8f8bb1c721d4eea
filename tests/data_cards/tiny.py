"""A finished data set of twelve documents and nine rows, built with the real functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_cards import breakdown, descriptions, layout, manifest, privacy
from data_cards.records import StageRecord
from sdg import assemble, store
from sdg.ids import canonical_json, content_id, fingerprint
from sdg.schemas import (
    DOCUMENTS,
    NEGATIVES,
    POSITIVES,
    QUERIES,
    REJECTIONS,
    REQUESTS,
    reject_rows,
    table_of,
)

LANGUAGES = ("eng-Latn", "fra-Latn", "spa-Latn")
TOPICS = {
    "river": (
        "A long river crosses the northern plain.",
        "Un long fleuve traverse la plaine du nord.",
        "Un largo cauce cruza la llanura del norte.",
    ),
    "bread": (
        "Bakers let the dough rise before dawn.",
        "Les boulangers laissent lever la farine avant l'aube.",
        "Quienes hornean dejan reposar la masa antes del alba.",
    ),
    "comet": (
        "The comet returns every seventy years.",
        "Cette boule de glace revient tous les soixante-dix ans.",
        "El cometa vuelve cada setenta años.",
    ),
    "loom": (
        "A loom holds threads under tension.",
        "Le métier à tisser garde les fils tendus.",
        "Un telar mantiene tensos los hilos.",
    ),
}
HOSTILE = (
    "<script>alert(1)</script> | **bold** [x](http://evil.example) \x1b[31m\u202e `code` {{ 7*7 }}"
)
HOSTILE_TEXTS = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1)) ![y](http://evil.example/pixel.png)",
    "{{ 7*7 }} {% raw %} {{ manifest }} ${7*7}",
    "gnp.\u202efdp \u2066hidden\u2069 \u2028line",
    "x\n---\n- pwned: true\n# heading\n...\n--- !!python/object:os.system",
    '"}], "@id": "x", "pwned": [{"',
    "| cell | `code` | \\",
    HOSTILE,
)
WRITER = "tiny-writer"
SETTINGS = assemble.AssembleConfig(splits={"train": 0.6, "validation": 0.4}, seed=5)


@dataclass(frozen=True, slots=True)
class Tables:
    """Everything that the last stages are given."""

    documents: pa.Table
    requests: pa.Table
    parsed: pa.Table
    queries: pa.Table
    positives: pa.Table
    negatives: pa.Table
    rejections: pa.Table


def doc_id(topic: str, language: str) -> str:
    return content_id("d", TOPICS[topic][LANGUAGES.index(language)])


def documents() -> pa.Table:
    rows = [
        {
            "doc_id": doc_id(topic, language),
            "text": text,
            "title": topic,
            "language": language,
            "language_score": 0.9,
            "topic": "things",
            "source": "tiny",
            "source_key": f"{language}/{topic}",
            "parent_id": doc_id(topic, language),
            "chunk_index": 0,
            "num_chunks": 1,
            "entity_key": topic,
            "group_id": f"g-{topic}-{language}",
            "natural_texts": [],
        }
        for topic, texts in TOPICS.items()
        for language, text in zip(LANGUAGES, texts, strict=True)
    ]
    return table_of(rows, DOCUMENTS)


def query_row(topic: str, language: str, text: str, task: str = "write_query") -> dict[str, Any]:
    generator = WRITER if task == "write_query" else ""
    request = content_id("r", topic, language, task)
    return {
        "query_id": content_id("q", request, text),
        "query": text,
        "query_language": language,
        "instruction": "Given a query, retrieve the passage that answers it",
        "task": task,
        "source_doc_id": doc_id(topic, language),
        "document_language": language,
        "request_id": request,
        "candidate_index": 0,
        "generator": generator,
        "model_revision": "abc123" if generator else "",
        "prompt": f"write_query/{language}.md" if generator else "",
        "prompt_sha256": "0" * 64 if generator else "",
        "seed": 1,
        "spec": "{}",
        "persona": "",
        "paraphrase_of": "",
        "mean_logprob": -1.0 if generator else None,
    }


def request_of(query: dict[str, Any], num_candidates: int) -> dict[str, Any]:
    shared = {name: query[name] for name in REQUESTS.names if name in query}
    return {**shared, "topic": "things", "num_candidates": num_candidates}


def negative_row(query: dict[str, Any]) -> dict[str, Any]:
    topic = next(
        t for t in TOPICS for lang in LANGUAGES if doc_id(t, lang) == query["source_doc_id"]
    )
    others = [doc_id(t, query["document_language"]) for t in TOPICS if t != topic]
    return {
        "query_id": query["query_id"],
        "positive_ids": [query["source_doc_id"]],
        "positive_scores": [0.8],
        "negative_ids": others[:2],
        "negative_scores": [0.5, 0.4],
        "negative_ranks": [1, 2],
        "negative_sources": ["dense:tiny", "dense:tiny"],
        "dropped": [{"reason": "same_entity", "count": 2}],
        "search_depth": 6,
    }


def tables() -> Tables:
    """Return nine finished rows; the writer's three French candidates are all rejected."""
    kept = [query_row(topic, "eng-Latn", f"what about the {topic}") for topic in TOPICS]
    kept[0]["query"] = HOSTILE
    kept += [
        query_row(t, lang, f"{t} {lang}", "natural_pair") for t in TOPICS for lang in LANGUAGES[1:]
    ]
    kept = kept[:9]
    poor = [query_row("loom", "fra-Latn", text) for text in ("the loom", "loom loom", "?")]
    asked = {q["request_id"]: request_of(q, 1) for q in kept} | {
        poor[0]["request_id"]: request_of(poor[0], len(poor))
    }
    gate = reject_rows(
        table_of(poor[:2], QUERIES),
        "query_id",
        "gate",
        ["wrong_language", "repeats_itself"],
        ["eng-Latn at 0.91", "loom twice"],
    )
    unparsed = {
        "row_id": content_id("x", poor[2]["request_id"], "2"),
        "stage": "generate",
        "reason": "no_words",
        "detail": "?",
        "row": canonical_json({"request_id": poor[2]["request_id"], "reply": "?"}),
    }
    positives = [
        {
            "query_id": q["query_id"],
            "positive_ids": [q["source_doc_id"]],
            "original_positive_id": q["source_doc_id"],
            "positive_was_relabelled": False,
        }
        for q in kept
    ]
    return Tables(
        documents=documents(),
        requests=table_of(asked.values(), REQUESTS),
        parsed=table_of([*kept, *poor[:2]], QUERIES),
        queries=table_of(kept, QUERIES),
        positives=table_of(positives, POSITIVES),
        negatives=table_of([negative_row(q) for q in kept], NEGATIVES),
        rejections=pa.concat_tables([table_of([unparsed], REJECTIONS), gate]),
    )


def manifest_fields(parts: Tables, rows: pa.Table, directory: Path) -> dict[str, Any]:
    num = rows.num_rows
    return {
        "name": "Tiny pairs",
        "pairmill_version": "0.1.0",
        "licence": "cc-by-sa-4.0",
        "config": privacy.publishable({"corpus": {"path": "/somewhere/tiny.parquet"}, "seed": 5}),
        "fingerprint": fingerprint("tiny"),
        "seeds": {"run": 5},
        "versions": {"pyarrow": "26.0.1"},
        "sources": [
            {
                "name": "tiny",
                "reader": "parquet",
                "content": "sha256:1",
                "documents": 12,
                "licence": "cc-by-sa-4.0",
                "attribution": "whoever writes <b>this</b>",
            }
        ],
        "models": [
            {
                "role": "generate",
                "name": WRITER,
                "revision": "abc123",
                "engine": "scripted",
                "sampling": {"temperature": 0.7},
            }
        ],
        "prompts": [
            {
                "path": "write_query/fra-Latn.md",
                "language": "fra-Latn",
                "sha256": "0" * 64,
                "written_by": "us",
                "reviewed_by": None,
            }
        ],
        "encoder": {"name": "tiny", "revision": "1", "dimensions": 4},
        "splits": SETTINGS.splits,
        "stages": [
            StageRecord(
                name="generate",
                unit="candidates",
                rows_in=num + 3,
                kept=num + 2,
                rejected={"no_words": 1},
            ),
            StageRecord(
                name="gate",
                unit="candidates",
                rows_in=num + 2,
                kept=num,
                rejected={"repeats_itself": 1, "wrong_language": 1},
            ),
            StageRecord(name="assemble", unit="queries", rows_in=num, kept=num, rejected={}),
        ],
        "cells": breakdown.count_cells(
            parts.requests, parts.parsed, rows["query_id"], parts.rejections
        ),
        "mining": {
            "index": "exact",
            "is_exact": True,
            "num_negatives": 2,
            "corpus_documents": 12,
            "candidates": 6 * num,
            "rules": [
                {"rule": "entity", "reason": "same_entity", "settings": {}, "dropped": 2 * num}
            ],
            "selected": 2 * num,
            "not_needed": 2 * num,
        },
        "relabel": {
            "scorers": ["query_likelihood"],
            "candidates_per_query": 3,
            "judged": 3 * num,
            "queries": num,
            "changed": 0,
        },
        "facts": [{"kind": "problem", "stage": "generate", "text": "The writer is very small."}],
        "files": manifest.file_records(directory),
    }


def write_data_set(
    directory: Path, parts: Tables | None = None, config: assemble.AssembleConfig = SETTINGS
) -> Path:
    """Write a finished data set as the flow does, and return its directory."""
    parts = parts or tables()
    used = assemble.used_ids(parts.queries, parts.positives, parts.negatives)
    corpus = assemble.corpus_rows(parts.documents, used)
    groups = assemble.group_table(parts.queries, parts.positives, corpus)
    splits = assemble.assign_splits(groups, config)
    rows = assemble.join_rows(parts.queries, parts.positives, parts.negatives, splits)
    for file in assemble.plan_files(rows, corpus, config):
        table = assemble.fill_texts(file.rows, corpus)
        store.write_parquet(directory / layout.DATA / file.name, table)
    for file in assemble.plan_corpus_files(corpus, config):
        store.write_parquet(directory / layout.CORPUS / file.name, file.rows)
    for file in assemble.plan_rejected_files(parts.rejections, config):
        store.write_parquet(directory / layout.REJECTED / file.name, file.rows)
    fields = manifest_fields(parts, rows, directory)
    fields["splits"] = config.splits
    finished = manifest.checked_manifest(fields)
    store.write_json(directory / layout.MANIFEST, finished.to_json())
    write_card(directory)
    return directory


def write_card(directory: Path) -> None:
    """Write card and Croissant that belong to manifest, files and evidence."""
    for name, text in descriptions.describe(directory, manifest.load_manifest(directory)).items():
        store.write_text(directory / name, text)


def check_inert(markdown: str) -> None:
    """Check that nothing hostile in HOSTILE_TEXTS is active where it stands in Markdown.

    What stands in code is text already, so it is left out.
    """
    outside = re.sub(r"(?<!\\)(`+)(?!`).*?(?<!`)\1(?!`)", "", markdown)
    active = (
        r"<(?:script|/script|img|b)\b",
        r"(?<![\\])\]\((?:javascript|http)",
        r"!\[",
        r"https?://evil",
        r"javascript:",
        r"^# heading|^- pwned|^---",
    )
    for pattern in active:
        assert not re.search(pattern, outside, re.MULTILINE), pattern
    assert not re.search("[\x00-\x09\x0b-\x1f\u2028\u2029\u202a-\u202e\u2066-\u2069]", markdown)
