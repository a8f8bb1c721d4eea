"""Where sentence-transformers' lines lie, and the ids of each line beside them.

    lines/<split>-00000-of-0000N.parquet    what the trainer reads: texts, then `label` or `labels`
    ids/<split>-00000-of-0000N.parquet      line for line: which query and documents these are

The trainer tokenises every column that is no label, so ids cannot lie beside the texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from data_cards.exports import Output

OUTPUTS = {
    "lines": Output("lines/{split}-{shard}.parquet", "parquet"),
    "ids": Output("ids/{split}-{shard}.parquet", "parquet"),
}
ADVICE = (
    "`load_dataset(DIR)` gives what the trainer reads; `load_dataset(DIR, 'ids')` gives, line for "
    "line, the query and documents in it.",
    "A query with several lines meets itself in a batch, where losses with in-batch negatives take "
    "its other positive for a negative: set `batch_sampler=BatchSamplers.NO_DUPLICATES`.",
)


def configurations(splits: Sequence[str]) -> list[dict[str, Any]]:
    """Return the lines as the default configuration, the ids as another."""
    return [
        {
            "config_name": name,
            **({"default": True} if name == "lines" else {}),
            "data_files": [
                {"split": split, "path": f"{name}/{split}-*.parquet"} for split in splits
            ],
        }
        for name in OUTPUTS
    ]
