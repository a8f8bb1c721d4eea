"""Pair rules: which queries may go on, by rules that need vectors or the whole run; one per file.

    queries + source_score + vectors of the run ─► rule 1 ─► rule 2 ─► … ─► go on
                                                     └────────┴──── verdicts, with a reason

A gate (`sdg.gates`) judges a query by itself. A pair rule judges it beside all others of the run,
so it runs once, and its verdicts are carried out shard by shard (`sdg.verdicts`). The first rule
that stops a query owns it; later rules see what earlier ones left, so reasons never overlap and the
counts add up. Order them from cheap to dear.

Rules compare only queries that they judge: with `tasks` or `generated_only` the others are no
part of a percentile and no twin of anything.

To add a rule: one file here that subclasses `PairRule` and registers in `PAIR_RULES`. Nothing else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from sdg.errors import ContractError
from sdg.part import Plugin
from sdg.registry import Registry
from sdg.verdicts import VERDICTS

STAGE = "pair_rules"
UNJUDGED = pa.schema([("query_id", pa.string()), ("rule", pa.string())])

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Originals:
    """Queries that paraphrases were made of and that are no longer among the run's queries.

    Attributes:
        query_ids: R different ids.
        texts: R texts.
        vectors: (R, D) float32 unit rows; None if no rule asked for vectors.
    """

    query_ids: Sequence[str] = ()
    texts: Sequence[str] = ()
    vectors: Floats | None = None

    def vectors_needed(self) -> Floats:
        """Return `vectors` as an array that compiled code reads; raises ContractError without."""
        return _given(self.vectors)


@dataclass(frozen=True, slots=True)
class Pairs:
    """The queries of a run, each with its source document.

    Attributes:
        rows: N rows by `query_id` ascending, ids unique: `query_id`, `query`, `query_language`,
            `document_language`, `task`, `generator` ("" for natural pairs), `source_doc_id`,
            `paraphrase_of` (id of the original, "" for none), `try_of` (equal for tries at the
            same query, of which one will stay; else the id), `source_score` (float64, cosine of
            query and source document), `place` (int64, its row of `vectors`), and `parent_id` if
            a rule asked for it.
        vectors: (M, D) float32 unit rows, maybe a file; None if no rule asked for vectors.
        originals: Of paraphrases, as far as they are neither in `rows` nor in `stopped`.
        stopped: What earlier rules stopped, columns of `rows`; None for nothing.
    """

    rows: pl.DataFrame
    vectors: Floats | None = None
    originals: Originals = field(default_factory=Originals)
    stopped: pl.DataFrame | None = None

    def without(self, query_ids: pl.Series) -> Pairs:
        """Return the pairs after these queries were stopped."""
        is_stopped = self.rows["query_id"].is_in(query_ids.implode())
        newly = self.rows.filter(is_stopped)
        stopped = newly if self.stopped is None else pl.concat([self.stopped, newly])
        return Pairs(self.rows.filter(~is_stopped), self.vectors, self.originals, stopped)

    def vectors_needed(self) -> Floats:
        """Return `vectors` as an array that compiled code reads; raises ContractError without."""
        return _given(self.vectors)


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """What a rule says.

    Attributes:
        stopped: `query_id`, `reason` (snake_case, states what is true of the row) and `detail` (the
            value that decided), one row per query that stops.
        unjudged: Ids of queries that the rule had too little to judge by; they go on, and are
            counted.
    """

    stopped: pl.DataFrame
    unjudged: Sequence[str] = ()


class PairRule(Plugin):
    """A rule that needs vectors or the whole run. Subclass, register in PAIR_RULES, done.

    Attributes:
        needs_parents: True if `judge` reads `parent_id`.
        needs_originals: True if `judge` reads `Pairs.originals`.
        tasks: Glob patterns; queries of other tasks are left alone. `("*",)` is every task.
        generated_only: True leaves natural pairs (`generator` is "") alone.
    """

    needs_originals: ClassVar[bool] = False

    tasks: tuple[str, ...] = ("*",)
    generated_only: bool = False

    @property
    def needs_vectors(self) -> bool:
        """Return whether `judge` reads vectors of queries; the caller loads them only then."""
        return False

    @property
    def needs_parents(self) -> bool:
        """Return whether `judge` reads `parent_id`; the caller looks them up only then."""
        return False

    @abstractmethod
    def judge(self, judged: pl.DataFrame, pairs: Pairs) -> PairVerdict:
        """Return which of the queries stop, and why.

        Args:
            judged: At least one row of `pairs.rows`: those the rule applies to, in the same order.
            pairs: All queries that no earlier rule stopped.

        Returns:
            A verdict on `judged`; it depends on what is in the rows, never on their number.
        """

    def applies_to(self, rows: pl.DataFrame) -> pl.Series:
        """Return (N,) True where the query's task and origin are among those this rule judges."""
        names = [t for t in rows["task"].unique() if any(fnmatchcase(t, p) for p in self.tasks)]
        is_judged = rows["task"].is_in(names)
        return is_judged & (rows["generator"] != "") if self.generated_only else is_judged


PAIR_RULES: Registry[PairRule] = Registry("rule", "mining.pair_rules")


class JudgedPairs(NamedTuple):
    """What all rules say.

    Attributes:
        verdicts: VERDICTS by `query_id`, each query at most once.
        unjudged: UNJUDGED by `query_id` and place of the rule in the list.
    """

    verdicts: pa.Table
    unjudged: pa.Table


def judge_pairs(pairs: Pairs, rules: Sequence[PairRule]) -> JudgedPairs:
    """Return which queries of the run stop by the first rule that objects.

    Args:
        pairs: The run.
        rules: In the order in which they judge.

    Raises:
        ContractError: If rows are not by `query_id` or a rule stops what it was not given.
    """
    _check_order(pairs.rows)
    stopped, unjudged = [], []
    for rule in rules:
        judged = pairs.rows.filter(rule.applies_to(pairs.rows))
        if judged.is_empty():
            continue
        verdict = rule.judge(judged, pairs)
        found = verdict.stopped.select("query_id", "reason", "detail").cast(pl.String)
        _check_stopped(rule, found["query_id"], judged["query_id"])
        stopped.append(found)
        unjudged.append(
            pl.DataFrame({"query_id": verdict.unjudged}, schema={"query_id": pl.String})
            .sort("query_id")
            .with_columns(rule=pl.lit(rule.name))
        )
        pairs = pairs.without(found["query_id"])
    return JudgedPairs(_joined(stopped, VERDICTS), _joined(unjudged, UNJUDGED))


def _given(vectors: Floats | None) -> Floats:
    if vectors is None:
        raise ContractError(
            "`vectors` must be given to a rule that needs them, but is None instead. "
            "Ask `needs_vectors` of the rules before."
        )
    return np.asarray(vectors)


def _joined(parts: Sequence[pl.DataFrame], schema: pa.Schema) -> pa.Table:
    if not parts:
        return schema.empty_table()
    return pl.concat(parts).sort("query_id", maintain_order=True).to_arrow().cast(schema)


def _check_order(rows: pl.DataFrame) -> None:
    ids = rows["query_id"]
    if not (ids.head(-1) < ids.tail(-1)).all() and len(ids) > 1:
        raise ContractError(
            f"`rows` must be by `query_id` ascending and each id once, but {len(ids)} rows with "
            f"{ids.n_unique()} ids are not. Sort them, or find out where a row was doubled."
        )


def _check_stopped(rule: PairRule, stopped: pl.Series, judged: pl.Series) -> None:
    strange = stopped.filter(~stopped.is_in(judged.implode()))
    if len(strange) or stopped.n_unique() != len(stopped):
        raise ContractError(
            f"Pair rule {rule.name!r} must stop queries that it judges, each once, but stops "
            f"{len(stopped)} with {stopped.n_unique()} ids, of which {len(strange)} are not its."
        )
