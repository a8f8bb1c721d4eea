"""All stages' tables -> splits by document group, canonical example rows, files of bounded size.

    queries ─┐
    positives┼─► group_table ─► assign_splits ─┐
    negatives┘                                 ├─► join_rows ─► plan_files ─► fill_texts ─► a file
    documents ─► corpus_rows ──────────────────┴───────────────────────────────┘

`relevance` holds judges' grades (`sdg.judge`), of positives then negatives, and null where no judge
gave one: rank-fusion scores of relabelling order the candidates of one query but are no grades, and
a null can be told from a grade while a made-up grade cannot.

Memory: ids of all rows at once, texts of one file at a time, texts of the used documents. After
`assign_splits` rows are independent: `join_rows` may be given a range of query ids at a time. It
must be where the ids of one call exceed 2 GiB (about 60 million listed documents).
"""

from sdg.assemble.config import AssembleConfig
from sdg.assemble.files import (
    PlannedFile,
    plan_corpus_files,
    plan_files,
    plan_miner_files,
    plan_rejected_files,
    plan_review_files,
)
from sdg.assemble.rows import (
    CORPUS,
    ROWS,
    assemble_rows,
    corpus_rows,
    fill_texts,
    join_rows,
    used_ids,
)
from sdg.assemble.splits import GROUPS, SPLITS, assign_splits, group_table

__all__ = [
    "CORPUS",
    "GROUPS",
    "ROWS",
    "SPLITS",
    "AssembleConfig",
    "PlannedFile",
    "assemble_rows",
    "assign_splits",
    "corpus_rows",
    "fill_texts",
    "group_table",
    "join_rows",
    "plan_corpus_files",
    "plan_files",
    "plan_miner_files",
    "plan_rejected_files",
    "plan_review_files",
    "used_ids",
]
