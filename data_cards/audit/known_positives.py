"""Negatives that the data set itself knows to be right: a lower bound that needs no judge."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from data_cards.audit.audited_set import AuditedSet, Role
from sdg.text_codes import text_codes

# Negatives compared by their words at a time: about 150 MB of hashes at 100 words a text.
_PAIRS = 50_000
# Drawn from the row's own document on purpose: sharing it is what they are for.
_IN_DOCUMENT = "in_document"

# In the order in which they own a negative that several are true of.
EQUAL_POSITIVE = "equals_its_positive"
EQUAL_QUERY = "positive_of_equal_query"
NEAR = "nearly_equals_positive"
KIN = {
    "entity_key": "same_entity_as_positive",
    "parent_id": "same_parent_as_positive",
    "group_id": "same_group_as_positive",
}


def known_reasons(data: AuditedSet) -> pl.DataFrame:
    """Return one line per negative, in the order of the links, with why it is right after all.

    Returns:
        `row`, `document`, `text` (place of its text), `reason`: EQUAL_POSITIVE, EQUAL_QUERY, one of
        KIN, or "" where nothing is known. Nearly equal texts are `nearly_equal`'s.
    """
    codes = _codes(data)
    positives = _linked(data, codes, "positive")
    negatives = _linked(data, codes, "negative")
    found = [
        (EQUAL_POSITIVE, _is_among(negatives, positives, ["row", "code"])),
        (EQUAL_QUERY, _is_among(negatives, positives, ["query", "code"])),
    ]
    is_drawn_there = negatives["source"].cast(pl.String).str.starts_with(_IN_DOCUMENT)
    for column, reason in KIN.items():
        keys = data.documents[column]
        own, others = (
            part.select("row", key=keys.gather(part["document"])) for part in (negatives, positives)
        )
        others = others.filter(pl.col("key") != "")
        found.append((reason, _is_among(own, others, ["row", "key"]) & ~is_drawn_there))
    owner = pl.coalesce(pl.when(is_so).then(pl.lit(reason)) for reason, is_so in found)
    return negatives.select("row", "document", "text", reason=owner.fill_null(""))


def nearly_equal(data: AuditedSet, negatives: pl.DataFrame, jaccard: float) -> pl.Series:
    """Return (N,) bool: whether a negative shares more than `jaccard` of its words with a positive.

    Compared are the positives of its own row.

    Args:
        data: The data set.
        negatives: N lines with `row`, ascending, and `text`.
        jaccard: Words in common / words in either.
    """
    positives = data.links_of("positive").select(
        "row", text=data.documents["text"].gather(data.links_of("positive")["document"])
    )
    parts = [
        _near_of(data, negatives.slice(start, _PAIRS), positives, jaccard)
        for start in range(0, negatives.height, _PAIRS)
    ]
    return pl.Series("near", np.concatenate([np.zeros(0, bool), *parts]), dtype=pl.Boolean)


def _near_of(
    data: AuditedSet, negatives: pl.DataFrame, positives: pl.DataFrame, jaccard: float
) -> npt.NDArray[np.bool_]:
    from mining.word_sets import any_exceeds, word_sets

    rows = negatives["row"].unique().sort()
    own = positives.join(pl.DataFrame({"row": rows}), on="row", how="semi", maintain_order="left")
    places = np.concatenate([negatives["text"].to_numpy(), own["text"].to_numpy()])
    asked, numbers = np.unique(places, return_inverse=True)
    # A "word" of a script without spaces is a whole sentence: equal or not, never nearly.
    sets = word_sets(data.texts.take(asked).to_pylist(), "word", 1)
    starts = np.searchsorted(own["row"].to_numpy(), rows.to_numpy())
    starts = np.append(starts, own.height)
    queries = np.searchsorted(rows.to_numpy(), negatives["row"].to_numpy())
    mine, others = np.split(numbers.astype(np.int64), [negatives.height])
    return any_exceeds(mine, sets, queries, starts.astype(np.int64), others, sets, jaccard)


def _linked(data: AuditedSet, codes: pl.Series, role: Role) -> pl.DataFrame:
    """Return row, document and source of links, place of their text, codes of query and text."""
    links = data.links_of(role).select("row", "document", "source")
    text = data.documents["text"].gather(links["document"])
    query = codes.gather(data.rows["query"].gather(links["row"]))
    return links.with_columns(query=query, text=text, code=codes.gather(text))


def _codes(data: AuditedSet) -> pl.Series:
    """Return the (U,) code of every text."""
    parts = [text_codes(texts) for _, texts in data.texts.blocks()]
    return pl.concat([pl.Series("code", [], dtype=pl.UInt64), *(p.alias("code") for p in parts)])


def _is_among(lines: pl.DataFrame, others: pl.DataFrame, on: list[str]) -> pl.Series:
    """Return (N,) bool: whether the values in `on` are those of a line of `others`."""
    known = others.select(on).unique().with_columns(is_there=pl.lit(value=True))
    joined = lines.join(known, on=on, how="left", maintain_order="left")
    return joined["is_there"].fill_null(value=False)
