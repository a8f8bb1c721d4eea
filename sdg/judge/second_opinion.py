"""A second judge on a sample of what the cascade judged; decides nothing, only measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from sdg.errors import ContractError
from sdg.judge import Ask, Candidate, Case
from sdg.judge.agreement import compare_labels, labels_of, sample_pairs
from sdg.judge.cascade import judgments_of, run_cascade
from sdg.judge.config import JudgeConfig
from sdg.judge.negatives import Mined
from sdg.rate import Rate, rate


class SecondOpinion(NamedTuple):
    """What the second judge said, and what follows.

    Attributes:
        judgments: JUDGMENTS of the sample.
        figures: JSON: `judge`; `sampled` pairs and `unreadable` ones of them (by either judge);
            `same`, `first`, `second` and `false_negatives`, each {part, whole, low, high};
            `kappa`, `kappa_low`, `kappa_high`, null where not defined. `false_negatives` are the
            sampled pairs that are published as negatives and that the second judge flags.
    """

    judgments: pa.Table
    figures: Mapping[str, Any]


def last_verdicts(judgments: pa.Table) -> pl.DataFrame:
    """Return query_id, doc_id, is_false_negative: the last judge's word on every pair."""
    columns = ["query_id", "doc_id", "is_false_negative"]
    rows = pl.DataFrame(judgments.select(columns))
    return rows.unique(["query_id", "doc_id"], keep="last", maintain_order=True)


def ask_second_opinion(
    tables: tuple[Mined, pa.Table, pa.Table], config: JudgeConfig, ask: Ask, seed: int
) -> SecondOpinion:
    """Return the second judge's verdicts on a sample, and how they compare with the first ones.

    Args:
        tables: Rows with their positives as they were judged, at least those of the sampled
            queries; JUDGMENTS of the cascade over the whole run; NEGATIVES rows that stayed.
        config: The stage's settings.
        ask: Reaches the engines.
        seed: The run's seed.

    Raises:
        ContractError: If no second judge is configured, or a sampled row is missing.
    """
    mined, judgments, published = tables
    agreement = config.agreement
    if agreement is None:
        raise ContractError(
            "`agreement` must name a second judge, but is None. Ask only where one is configured."
        )
    pairs = sample_pairs(judgments, agreement.sample, seed)
    cases = [_case(mined, pair, config.max_document_characters) for pair in pairs]
    judged = run_cascade(cases, [agreement.judge], ask, seed)
    first_of = {
        (query_id, doc_id): verdict
        for query_id, doc_id, verdict in last_verdicts(judgments).iter_rows()
    }
    first = [first_of[pair] for pair in pairs]
    second = [judged.final[pair].is_relevant for pair in pairs]
    both = [
        (one, other)
        for one, other in zip(first, second, strict=True)
        if one is not None and other is not None
    ]
    compared = compare_labels(
        labels_of([one for one, _ in both]), labels_of([other for _, other in both]), seed
    )
    is_out = _published_pairs(published)
    told = [v for pair, v in zip(pairs, second, strict=True) if pair in is_out and v is not None]
    figures = {
        "judge": agreement.judge.name,
        "sampled": len(pairs),
        "unreadable": len(pairs) - len(both),
        "same": compared.same._asdict(),
        "first": compared.first._asdict(),
        "second": compared.second._asdict(),
        "false_negatives": _rate_of(told)._asdict(),
        "kappa": compared.kappa,
        "kappa_low": compared.kappa_low,
        "kappa_high": compared.kappa_high,
    }
    return SecondOpinion(judgments_of(judged, [agreement.judge], {}), figures)


def _case(mined: Mined, pair: tuple[str, str], limit: int) -> Case:
    """Return the case of one (query_id, doc_id) alone, its texts cut at `limit` characters."""
    query_id, doc_id = pair
    query, positive = (
        _only(table, "query_id", query_id) for table in (mined.queries, mined.positives)
    )
    texts = [
        _only(mined.documents, "doc_id", i)["text"][:limit]
        for i in (*positive["positive_ids"], doc_id)
    ]
    return Case(
        query_id,
        query["query"],
        query["query_language"],
        tuple(texts[:-1]),
        (Candidate(doc_id, texts[-1]),),
    )


def _only(table: pa.Table, column: str, value: str) -> dict[str, Any]:
    place = pc.index(table[column], value).as_py()
    if place < 0:
        raise ContractError(
            f"`{column}` {value} of the sample must be among the rows given, but is not. "
            "Pass the tables of every shard that was judged."
        )
    return dict(table.slice(place, 1).to_pylist()[0])


def _published_pairs(published: pa.Table) -> set[tuple[str, str]]:
    return {
        (query_id, doc_id)
        for query_id, ids in zip(
            published["query_id"].to_pylist(), published["negative_ids"].to_pylist(), strict=True
        )
        for doc_id in ids
    }


def _rate_of(verdicts: Sequence[bool]) -> Rate:
    return rate(sum(verdicts), len(verdicts))
