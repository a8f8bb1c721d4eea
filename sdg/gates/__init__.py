"""Gates: which queries may go on, one rule per file.

    queries (QUERIES) + source documents (DOCUMENTS) ─► gate 1 ─► gate 2 ─► … ─► kept
                                                          └───────┴──── rejected, with a reason

A gate sees the queries that every earlier gate let through, each beside its own source document,
and says which stop. The first gate that rejects a row owns it, so reasons never overlap and the
counts add up. Order the list from cheap to dear.

To add a gate: one file here that subclasses `Gate` and registers in `GATES`. Nothing else.

Rules that need more than one shard are not gates, because a gate's verdict must not depend on how
rows were cut into shards: see `sdg.duplicate_queries`, `sdg.round_trip`, `sdg.cell_yield` and the
`pair_rules` of a run.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdg.errors import ContractError
from sdg.part import Plugin
from sdg.registry import Registry
from sdg.schemas import (
    DOCUMENTS,
    QUERIES,
    REJECTIONS,
    StageResult,
    check_table,
    empty,
    reject_rows,
)

if TYPE_CHECKING:
    import numpy.typing as npt

STAGE = "gate"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a gate may look at besides the queries.

    Attributes:
        sources: DOCUMENTS, N rows; row i is the source document of query i.
        vocabularies: Language -> table (`word` string ascending, `num_documents` int64), see
            `sdg.vocabulary`; empty if no gate asks for one.
    """

    sources: pa.Table
    vocabularies: Mapping[str, pa.Table] = field(default_factory=dict)


class Objection(NamedTuple):
    """One thing that can be wrong with a query.

    Attributes:
        applies: (N,) bool, True where it is.
        reason: snake_case, states what is true of the row.
        details: (N,) values that decided, for people; formatted only where `applies`.
    """

    applies: npt.NDArray[np.bool_]
    reason: str
    details: Sequence[object] | npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate says of N queries.

    Attributes:
        rejected: (N,) bool, True where the query stops.
        reasons: One reason per rejected row, in row order.
        details: One detail per rejected row, in row order.
    """

    rejected: npt.NDArray[np.bool_]
    reasons: Sequence[str]
    details: Sequence[str]

    @classmethod
    def of(cls, *objections: Objection) -> Verdict:
        """Return the verdict in which the first objection that applies owns the row."""
        rejected = np.logical_or.reduce([o.applies for o in objections])
        owner = np.argmax(np.stack([o.applies for o in objections]), axis=0)
        rows = np.flatnonzero(rejected)
        return cls(
            rejected,
            [objections[owner[row]].reason for row in rows],
            [_format(objections[owner[row]].details[row]) for row in rows],
        )


class Gate(Plugin):
    """A rule that stops queries. Subclass, register in GATES, done.

    Attributes:
        needs_vocabulary: True if `judge` reads `Evidence.vocabularies`; the caller builds them only
            then.
        reads_written: True if `objections` may say something of documents that an LLM wrote.
        tasks: Glob patterns; queries of other tasks pass unseen. `("*",)` is every task.
        generated_only: True lets natural pairs (`generator` is "") pass unseen.
    """

    needs_vocabulary: ClassVar[bool] = False
    reads_written: ClassVar[bool] = False

    tasks: tuple[str, ...] = ("*",)
    generated_only: bool = False

    @abstractmethod
    def judge(self, queries: pa.Table, evidence: Evidence) -> Verdict:
        """Return which of the queries stop, and why.

        Args:
            queries: QUERIES, N >= 1 rows, all of tasks this gate applies to.
            evidence: Their source documents, aligned, and the vocabularies if asked for.

        Returns:
            A verdict on N rows. It depends on a row's own content, or on rows of the same request
            (which always share a shard), never on other rows or on their order.
        """

    def objections(self, written: pa.Table) -> dict[str, tuple[str, str]]:  # noqa: ARG002
        """Return which documents that an LLM wrote must not join the corpus, and why.

        They are looked at whatever `tasks` says: a document does not tell which task asked for it.

        Args:
            written: DOCUMENTS, each id once; may be empty.

        Returns:
            `doc_id` -> reason and detail. The default objects to none.
        """
        return {}

    def withhold(self, rejections: pa.Table) -> pa.Table:
        """Return REJECTIONS without what this gate keeps from being published.

        Rejected rows are published, too, and a row that another rule stopped may hold what this one
        would have stopped it for. The default withholds nothing.

        Args:
            rejections: REJECTIONS of any stage.

        Returns:
            The same rows in the same order, with the same ids, stages and reasons.
        """
        return rejections

    def applies_to(self, queries: pa.Table) -> npt.NDArray[np.bool_]:
        """Return (N,) True where the query's task and origin are among those this gate judges."""
        return rows_of_tasks(queries, self.tasks, generated_only=self.generated_only)


GATES: Registry[Gate] = Registry("gate", "sdg.gates")


def apply_gates(
    queries: pa.Table,
    documents: pa.Table,
    gates: Sequence[Gate],
    *,
    vocabularies: Mapping[str, pa.Table] | None = None,
) -> StageResult:
    """Return the queries that every gate lets through, and the others with the first reason.

    Args:
        queries: QUERIES, N rows, any order.
        documents: DOCUMENTS; holds at least the source document of every query, each id once.
        gates: In the order in which they judge; no gates keep every row.
        vocabularies: Language -> vocabulary; needed if a gate's `needs_vocabulary` is True.

    Returns:
        Kept rows in the order of `queries`; rejected rows in the same order, stage "gate".

    Raises:
        ContractError: If a schema differs, a source document is missing, or a gate that needs
            vocabularies is given none.
    """
    check_table(queries, QUERIES, "queries")
    check_table(documents, DOCUMENTS, "documents")
    _check_vocabularies(gates, vocabularies)
    if queries.num_rows == 0:
        return StageResult(queries, empty(REJECTIONS), 0)
    evidence = Evidence(align_sources(queries, documents), vocabularies or {})
    owner: dict[int, tuple[str, str]] = {}
    alive = np.arange(queries.num_rows)
    for gate in gates:
        alive = _pass_gate(gate, queries, evidence, alive, owner)
    rejected_rows = sorted(owner)
    rejected = reject_rows(
        queries.take(pa.array(rejected_rows, pa.int64())),
        "query_id",
        STAGE,
        [owner[row][0] for row in rejected_rows],
        [owner[row][1] for row in rejected_rows],
    )
    return StageResult(
        kept=queries.take(pa.array(alive)),
        rejected=withhold_all(rejected, gates),
        rows_in=queries.num_rows,
    )


def withhold_all(rejections: pa.Table, gates: Sequence[Gate]) -> pa.Table:
    """Return REJECTIONS of any stage without what one of the gates keeps from being published."""
    for gate in gates:
        rejections = gate.withhold(rejections)
    return rejections


def rows_of_tasks(
    queries: pa.Table, tasks: Sequence[str], *, generated_only: bool
) -> npt.NDArray[np.bool_]:
    """Return (N,) True where the task matches a glob of `tasks` and, if asked, a model wrote it."""
    codes = queries["task"].combine_chunks().dictionary_encode()
    is_judged = np.array(
        [any(fnmatchcase(t, p) for p in tasks) for t in codes.dictionary.to_pylist()], dtype=bool
    )
    mask: npt.NDArray[np.bool_] = is_judged[codes.indices.to_numpy(zero_copy_only=False)]
    if generated_only:
        mask &= pc.not_equal(queries["generator"], "").to_numpy()
    return mask


def align_sources(queries: pa.Table, documents: pa.Table) -> pa.Table:
    """Return `documents` rows such that row i is the source document of query i.

    Raises:
        ContractError: If a query's source document is not among `documents`.
    """
    rows = pc.index_in(queries["source_doc_id"], value_set=documents["doc_id"].combine_chunks())
    if rows.null_count:
        lost = queries.filter(pc.is_null(rows))["source_doc_id"][0].as_py()
        raise ContractError(
            f"Every query's source document must be given, but {rows.null_count} of "
            f"{queries.num_rows} queries have none, the first being {lost!r}. "
            "Pass the documents that the queries were made from."
        )
    return documents.take(rows)


def _pass_gate(
    gate: Gate,
    queries: pa.Table,
    evidence: Evidence,
    alive: npt.NDArray[np.int64],
    owner: dict[int, tuple[str, str]],
) -> npt.NDArray[np.int64]:
    judged = alive[gate.applies_to(queries.take(pa.array(alive)))] if len(alive) else alive
    if not len(judged):
        return alive
    rows = pa.array(judged)
    verdict = gate.judge(
        queries.take(rows), Evidence(evidence.sources.take(rows), evidence.vocabularies)
    )
    _check_verdict(gate, verdict, len(judged))
    stopped = judged[verdict.rejected]
    for row, reason, detail in zip(stopped, verdict.reasons, verdict.details, strict=True):
        owner[int(row)] = (reason, detail)
    return np.setdiff1d(alive, stopped, assume_unique=True)


def _check_verdict(gate: Gate, verdict: Verdict, num_rows: int) -> None:
    if verdict.rejected.shape != (num_rows,) or verdict.rejected.dtype != np.bool_:
        raise ContractError(
            f"Gate {gate.name!r} must return a bool mask of shape ({num_rows},), but it is "
            f"{verdict.rejected.dtype} {verdict.rejected.shape} instead."
        )


def _check_vocabularies(gates: Sequence[Gate], vocabularies: Mapping[str, pa.Table] | None) -> None:
    needy = [gate.name for gate in gates if gate.needs_vocabulary]
    if needy and vocabularies is None:
        raise ContractError(
            f"Gates {needy} must be given vocabularies, but got none. "
            "Build them with sdg.vocabulary.build_vocabularies."
        )


def _format(value: object) -> str:
    if isinstance(value, (float, np.floating)):
        return f"{value:.3f}"
    return str(value)
