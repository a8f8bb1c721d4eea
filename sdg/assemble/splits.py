"""Splits by document group: no group spans two."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sdg.assemble import arrow_lists
from sdg.assemble.config import AssembleConfig
from sdg.errors import ContractError
from sdg.ids import seed_for
from sdg.schemas import check_table

GROUPS = pa.schema([("query_id", pa.string()), ("group_ids", pa.list_(pa.string()))])
SPLITS = pa.schema([("query_id", pa.string()), ("group_id", pa.string()), ("split", pa.string())])

Integers = npt.NDArray[np.int64]


def group_table(queries: pa.Table, positives: pa.Table, documents: pa.Table) -> pa.Table:
    """Return the document groups that each query joins, schema GROUPS, in the order of `positives`.

    A query joins the groups of its source document, of each positive, and of the positive it had
    before relabelling.

    Args:
        queries: Schema QUERIES, the same query ids as `positives`.
        positives: Schema POSITIVES.
        documents: Columns `doc_id` and `group_id` of at least the documents referred to.

    Raises:
        ContractError: If the two tables differ in query ids, or a document is missing.
    """
    arrow_lists.check_same_ids(positives, queries, "queries")
    rows = arrow_lists.positions(positives["query_id"], queries["query_id"], "queries")
    sources = queries["source_doc_id"].take(rows)
    own = [
        _groups(sources, documents),
        _groups(positives["original_positive_id"], documents),
    ]
    ids = arrow_lists.flat(positives["positive_ids"])
    joined = arrow_lists.interleave(own, _groups(ids.values, documents), ids.lengths)
    return pa.Table.from_arrays([arrow_lists.one(positives["query_id"]), joined], schema=GROUPS)


def assign_splits(groups: pa.Table, config: AssembleConfig) -> pa.Table:
    """Return a split for every query such that no group spans two splits, schema SPLITS.

    Groups joined by one query become one group, named after its smallest member; its split is
    drawn from a hash of (seed, name). So the outcome does not depend on row order, and rows
    elsewhere move nothing unless they join groups. Shares hold for groups in expectation: a split
    may come out empty when there are few groups.

    Args:
        groups: Schema GROUPS, every list with at least one entry.
        config: Splits and seed.

    Returns:
        One row per row of `groups`, in the same order.

    Raises:
        ContractError: If a query joins no group.
    """
    check_table(groups, GROUPS, "groups")
    lists = arrow_lists.flat(groups["group_ids"])
    if lists.lengths.size and lists.lengths.min() == 0:
        query = groups["query_id"][int(lists.lengths.argmin())].as_py()
        raise ContractError(
            f"Each query must join at least one document group, but {query} joins none. "
            "Its source document and positives have no group id."
        )
    names, codes = arrow_lists.encode(lists.values)
    roots = _join_groups(names, codes, lists.lengths)
    firsts = np.cumsum(lists.lengths) - lists.lengths
    root_of_query = roots[codes[firsts]]
    splits = np.array([_split_of(name, config) for name in names.tolist()], dtype=object)
    return pa.Table.from_arrays(
        [
            arrow_lists.one(groups["query_id"]),
            pa.array(names[root_of_query], pa.string()),
            pa.array(splits[root_of_query], pa.string()),
        ],
        schema=SPLITS,
    )


def _groups(ids: pa.Array, documents: pa.Table) -> pa.Array:
    places = arrow_lists.positions(ids, documents["doc_id"], "documents")
    return arrow_lists.one(documents["group_id"].take(places))


def _join_groups(names: npt.NDArray[np.object_], codes: Integers, lengths: Integers) -> Integers:
    """Return, for each group, the code of the smallest group it is joined with."""
    # `names` ascends, so the smallest code is the smallest name.
    roots = np.arange(len(names))

    def find(code: int) -> int:
        while roots[code] != code:
            roots[code] = roots[roots[code]]
            code = roots[code]
        return code

    firsts = np.repeat(codes[np.cumsum(lengths) - lengths], lengths)
    is_join = firsts != codes
    for left, right in np.unique(np.stack([firsts[is_join], codes[is_join]], axis=1), axis=0):
        one, other = sorted((find(int(left)), find(int(right))))
        roots[other] = one
    while not np.array_equal(roots, roots[roots]):
        roots = roots[roots]
    return roots


def _split_of(group: str, config: AssembleConfig) -> str:
    draw = seed_for(config.seed, "split", group) / 2**63
    names = list(config.splits)
    bounds = np.cumsum(list(config.splits.values()))
    # The last bound may fall short of 1 by rounding.
    return names[min(int(np.searchsorted(bounds, draw, side="right")), len(names) - 1)]
