"""Prefect tasks: each body is one call, so that all logic and all tests live elsewhere.

A task is a shard, and its results are not kept by Prefect: what is finished is decided by our own
manifests. Retries belong to the engines' clients, which know what can be retried.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows import (
    bitext_stages,
    corpus_stages,
    decontamination,
    generation_stages,
    given_miners,
    given_stages,
    given_tables,
    judging,
    miners,
    mining_stages,
    pair_stages,
    persona_stage,
    query_stages,
    relabel_rows,
    reviewing,
    subsample_stages,
    variation_stages,
    written_stages,
)

_OPTIONS: dict[str, Any] = {"persist_result": False, "cache_policy": NO_CACHE}


def _task(function: Callable[..., Any], name: str) -> Any:  # noqa: ANN401 - Prefect's task
    return task(name=name, **_OPTIONS)(function)


read = _task(corpus_stages.read_source, "read")
find_duplicates = _task(corpus_stages.find_corpus_duplicates, "find-duplicates")
deduplicate = _task(corpus_stages.drop_corpus_duplicates, "deduplicate")
find_contaminated = _task(decontamination.find_contaminated, "find-evaluation-data")
drop_contaminated = _task(decontamination.drop_contaminated, "drop-evaluation-data")
decontaminate_queries = _task(decontamination.decontaminate_queries, "decontaminate-queries")
decontaminate_rows = _task(decontamination.decontaminate_rows, "decontaminate-rows")
vocabulary = _task(corpus_stages.corpus_vocabulary, "vocabulary")
choose_personas = _task(persona_stage.persona_shard, "choose-personas")
prepare = _task(generation_stages.prepare_shard, "prepare")
generate = _task(generation_stages.generate_shard, "generate")
check_written = _task(written_stages.check_written_shard, "check-written")
gate = _task(query_stages.gate_shard, "gate")
find_equal_queries = _task(query_stages.find_run_duplicates, "find-equal-queries")
carry_out = _task(query_stages.carry_out, "carry-out")
embed = _task(mining_stages.embed_corpus, "embed")
retrieve = _task(mining_stages.retrieve_shard, "retrieve")
judge_pairs = _task(pair_stages.judge_run_pairs, "judge-pairs")
apply_pair_rules = _task(pair_stages.apply_pair_rules, "apply-pair-rules")
round_trip = _task(query_stages.round_trip_shard, "round-trip")
find_low_yield = _task(query_stages.find_low_yield, "find-low-yield")
plan_variations = _task(variation_stages.plan_variations_shard, "plan-variations")
review = _task(reviewing.review_shard, "review")
relabel = _task(mining_stages.relabel_shard, "relabel")
prepare_miners = _task(miners.prepare_miners, "prepare-miners")
propose = _task(miners.propose_shard, "propose")
measure_recall = _task(miners.measure_run_recall, "measure-recall")
link = _task(written_stages.link_shard, "link")
mine = _task(mining_stages.mine_shard, "mine")
add_written = _task(written_stages.add_written_shard, "add-written")
add_last_ranked = _task(judging.add_last_ranked_shard, "add-last-ranked")
judge = _task(judging.judge_shard, "judge")
relabel_existing = _task(relabel_rows.relabel_existing_shard, "relabel-existing")
second_opinion = _task(judging.agreement_shard, "second-opinion")
read_corpus = _task(given_tables.read_corpus, "read-corpus")
read_given_pairs = _task(given_tables.read_given_pairs, "read-pairs")
embed_given = _task(given_stages.embed_given, "embed-documents")
embed_queries = _task(given_stages.embed_queries, "embed-queries")
mine_given = _task(given_miners.mine_given, "mine-given")
propose_given = _task(given_miners.propose_given, "propose-given")
measure_given_recall = _task(given_miners.measure_given_recall, "measure-given-recall")
find_near = _task(subsample_stages.find_near, "find-near")
mine_bitext = _task(bitext_stages.mine_sides, "mine-bitext")
