"""`pairmill probe DIR --eval BEIR_DIR`: does training on a data set help, by its negatives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from data_cards import layout
from data_cards.manifest import load_manifest
from data_cards.probe import arms, results
from data_cards.probe.batches import plan_batches
from data_cards.probe.beir import EvalSet, read_eval_set
from data_cards.probe.bootstrap import Bootstrap
from data_cards.probe.config import ProbeConfig
from data_cards.probe.encoder import ProbeEncoder, load_encoder, threads_limited
from data_cards.probe.leaks import find_leaks
from data_cards.probe.metrics import RECALL_DEPTH, QueryMetrics, measure
from data_cards.probe.ranking import rank
from data_cards.probe.rows import TrainRows, read_train_rows
from flows.card_command import describe_again
from flows.progress import advance, stage_progress
from flows.settings import parse_settings, read_settings
from sdg import store
from sdg.errors import DataError
from sdg.ids import seed_for

BEFORE = "before"
# Decide speed, or are said elsewhere in the results.
_NOT_SETTINGS = {
    "model",
    "model_revision",
    "device",
    "threads",
    "arms",
    "steps",
    "seed",
    "unjudged",
}


class Prepared(NamedTuple):
    """What all arms share.

    Attributes:
        rows: Trained on.
        train: All rows and documents of the data set.
        pool: Documents to choose negatives from.
        before: Rows of `rows` with the negatives they had before judging; None where not known.
        other: doc_id -> text of the documents of `before`, which `train` may not have.
        record: Rows in = trained on + left out.
    """

    rows: pl.DataFrame
    train: TrainRows
    pool: arms.Pool
    before: pl.DataFrame | None
    other: dict[str, str]
    record: results.RowsRecord


class Probed(NamedTuple):
    """What a probe found.

    Attributes:
        results: As in probe.json.
        queries: Arm -> the metrics of every query, in the order of the evaluation set.
        path: Of probe.json.
    """

    results: results.ProbeResults
    queries: dict[str, QueryMetrics]
    path: Path


def run_probe(
    directory: Path, eval_directory: Path, out: Path | None, overrides: Sequence[str] = ()
) -> Probed:
    """Train on a data set's train split, once for each kind of negatives, and measure it.

    Args:
        directory: A finished data set.
        eval_directory: BEIR: corpus.jsonl, queries.jsonl, qrels/<split>.tsv.
        out: Folder for probe.json; None: DIR/audit.
        overrides: `key=value` of `ProbeConfig`.

    Raises:
        ConfigError: If a setting cannot work.
        DataError: If the data set or the evaluation set is none, or no row may be trained on.
        BackendError: If the model cannot be loaded.
    """
    config = parse_settings(read_settings(None, overrides), "--set", ProbeConfig).settled()
    train = read_train_rows(directory)
    manifest = load_manifest(directory)
    was_judged = manifest.judge is not None
    files = {name: file.sha256 for name, file in manifest.files.items()}
    evaluation = read_eval_set(eval_directory, config.eval_split)
    asked, skipped = _arms_to_run(config, was_judged=was_judged)
    with stage_progress("leaks", "documents", train.corpus.height):
        prepared = _prepare(config, train, evaluation, asked)
    with threads_limited(config.threads):
        found = _Run(config, prepared, evaluation, config.num_steps(prepared.rows.height))
        for arm in asked:
            found.train(arm)
        written = found.record(skipped, files)
    path = (out or directory / layout.AUDIT) / results.FILE
    store.write_json(path, written.to_json())
    if out is None:
        describe_again(directory)  # the card states what was measured
    return Probed(written, found.measured, path)


class _Run:
    """One encoder, trained once for each arm from the same start."""

    def __init__(
        self, config: ProbeConfig, prepared: Prepared, evaluation: EvalSet, steps: int
    ) -> None:
        self._config = config
        self._prepared = prepared
        self._evaluation = evaluation
        self.measured: dict[str, QueryMetrics] = {}
        rows = prepared.rows
        self._positives = rows["positive_ids"].list.first().to_list()
        groups = rows["group_id"].fill_null("").to_list()
        order = seed_for(config.seed, "batches")
        self._batches = plan_batches(self._positives, groups, config.batch_size, steps, order)
        corpus = prepared.train.corpus
        own = dict(corpus.select("doc_id", "text").iter_rows())
        self._text_of = {**prepared.other, **own}
        texts = [*evaluation.queries, *evaluation.documents, *rows["query"].to_list()]
        self._encoder = load_encoder(config, [*texts, *self._text_of.values()])
        self._measure(BEFORE, self._encoder)

    def train(self, arm: str) -> None:
        """Train from the start with one arm's negatives, and measure."""
        columns = self._columns(arm)
        with stage_progress(f"train {arm}", "steps", len(self._batches)):
            trained = self._encoder.trained(columns, self._batches, advance)
        self._measure(arm, trained.encoder)

    def record(self, skipped: dict[str, str], files: dict[str, str]) -> results.ProbeResults:
        """Return what was measured."""
        config, evaluation = self._config, self._evaluation
        own = Path(config.model)
        return results.ProbeResults(
            eval=results.EvalRecord(
                name=evaluation.name,
                queries=len(evaluation.queries),
                documents=len(evaluation.documents),
                queries_without_relevant=evaluation.queries_without_relevant,
                queries_truncated=self._encoder.count_truncated(evaluation.queries, "query"),
                documents_truncated=self._encoder.count_truncated(evaluation.documents, "document"),
            ),
            model=own.name if own.is_dir() else config.model,
            model_revision=self._encoder.revision,
            steps=len(self._batches),
            seed=config.seed,
            rows=self._prepared.record,
            kept_out=self._prepared.record.kept_out,
            settings=config.model_dump(mode="json", exclude=_NOT_SETTINGS),
            arms=tuple(self._records()),
            skipped_arms=skipped,
            files=files,
        )

    def _columns(self, arm: str) -> dict[str, list[str]]:
        rows, text_of = self._prepared.rows, self._text_of
        columns = {
            "anchor": rows["query"].to_list(),
            "positive": [text_of[doc_id] for doc_id in self._positives],
        }
        if arm == "none":
            return columns
        negatives = self._negatives(arm)
        for number in range(self._config.num_negatives):
            columns[f"negative_{number}"] = [text_of[own[number]] for own in negatives]
        return columns

    def _negatives(self, arm: str) -> list[list[str]]:
        prepared, count = self._prepared, self._config.num_negatives
        if arm == "random":
            return arms.random_negatives(prepared.rows, prepared.pool, count, self._config.seed)
        if arm == "naive":
            total = len(prepared.pool.texts) + prepared.rows.height
            with stage_progress("naive", "texts", total):
                return arms.naive_negatives(
                    prepared.rows,
                    prepared.pool,
                    count,
                    lambda texts: self._encoder.encode(texts, "query", advance),
                    lambda texts: self._encoder.encode(texts, "document", advance),
                )
        before = prepared.before
        stored = prepared.rows if arm == "judged" or before is None else before
        return arms.stored_negatives(stored, count)

    def _measure(self, arm: str, encoder: ProbeEncoder) -> None:
        evaluation = self._evaluation
        total = len(evaluation.queries) + len(evaluation.documents)
        with stage_progress(f"eval {arm}", "texts", total):
            queries = encoder.encode(evaluation.queries, "query", advance)
            documents = encoder.encode(evaluation.documents, "document", advance)
        ranked = rank(queries, documents, evaluation, RECALL_DEPTH)
        self.measured[arm] = measure(ranked, evaluation)

    def _records(self) -> list[results.ArmRecord]:
        config = self._config
        seed = seed_for(config.seed, "bootstrap")
        bootstrap = Bootstrap(len(self._evaluation.queries), config.resamples, seed)
        before = self.measured[BEFORE]
        return [
            results.ArmRecord(
                name=arm,  # type: ignore[arg-type]
                ndcg_at_10=bootstrap.interval(own.ndcg),
                recall_at_100=bootstrap.interval(own.recall),
                gain_ndcg_at_10=None if own is before else bootstrap.gain(before.ndcg, own.ndcg),
                gain_recall_at_100=(
                    None if own is before else bootstrap.gain(before.recall, own.recall)
                ),
            )
            for arm, own in self.measured.items()
        ]


def _prepare(
    config: ProbeConfig, train: TrainRows, evaluation: EvalSet, asked: Sequence[str]
) -> Prepared:
    """Return the rows that all arms train on, and where their negatives come from."""
    leaks = find_leaks(train, evaluation, config.near_jaccard)
    clean = train.rows.filter(leaks.reasons.is_null())
    if not clean.height:
        kept_out = ", ".join(f"{reason} {n}" for reason, n in leaks.counts().items() if n)
        raise DataError(
            f"The train split must have rows that the evaluation set has not, but all "
            f"{train.rows.height} rows are kept out: {kept_out}. Give another evaluation set."
        )
    wanted = config.num_negatives if {"percent", "judged"} & set(asked) else 0
    unjudged, left_out = None, {arms.ABSENT_BEFORE: 0}
    if "percent" in asked and "judged" in asked and config.unjudged is not None:
        unjudged = read_train_rows(config.unjudged)
        clean, left_out = _usable_before(clean, unjudged, evaluation, config)
    chosen = arms.choose_rows(clean, wanted, config.max_rows, config.seed)
    before = None if unjudged is None else _same_rows(chosen.rows, unjudged.rows)
    usable = train.corpus.filter(~pl.Series(leaks.documents))
    return Prepared(
        chosen.rows,
        train,
        arms.pool_of(usable, config.max_pool, config.seed),
        before,
        {} if unjudged is None or before is None else _texts_of(before, unjudged.corpus),
        results.RowsRecord(
            train=train.rows.height,
            kept_out=leaks.counts(),
            left_out={**chosen.left_out, **left_out},
            trained_on=chosen.rows.height,
        ),
    )


def _usable_before(
    clean: pl.DataFrame, unjudged: TrainRows, evaluation: EvalSet, config: ProbeConfig
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the rows that can be trained on as they were before judging, too; why others not."""
    leaks = find_leaks(unjudged, evaluation, config.near_jaccard)
    is_long = pl.col("negative_ids").list.len() >= config.num_negatives
    steps = {
        arms.ABSENT_BEFORE: unjudged.rows,
        arms.LEAKS_BEFORE: unjudged.rows.filter(leaks.reasons.is_null()),
        arms.FEW_BEFORE: unjudged.rows.filter(leaks.reasons.is_null()).filter(is_long),
    }
    left_out = {}
    for reason, usable in steps.items():
        both = clean.join(usable, on="query_id", how="semi", maintain_order="left")
        left_out[reason], clean = clean.height - both.height, both
    return clean, left_out


def _texts_of(rows: pl.DataFrame, corpus: pl.DataFrame) -> dict[str, str]:
    ids = rows.select(doc_id=pl.col("negative_ids").explode()).unique()
    return dict(corpus.join(ids, on="doc_id", how="semi").select("doc_id", "text").iter_rows())


def _same_rows(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    return rows.select("query_id").join(others, on="query_id", maintain_order="left")


def _arms_to_run(config: ProbeConfig, *, was_judged: bool) -> tuple[list[str], dict[str, str]]:
    """Return the arms there can be, and why the others cannot."""
    skipped = {}
    if not was_judged:
        skipped["judged"] = "the data set was not judged"
    elif config.unjudged is None:
        skipped["percent"] = "the data set was judged; `unjudged` names it as it was before"
    asked: list[str] = [arm for arm in dict.fromkeys(config.arms) if arm not in skipped]
    return asked, {arm: why for arm, why in skipped.items() if arm in config.arms}
