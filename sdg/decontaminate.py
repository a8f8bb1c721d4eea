"""Which texts are those of an evaluation set: equal, or with a run of words in common.

Two rules, both blind to case, punctuation and white space:

    equal_text     all words are equal, wherever the spaces are (E5-Mistral's rule)
    shared_words   13 words in a row are equal (the length of NeMo Curator and Dolma)

A text of fewer words can only be equal. Every match counts, however often its words occur: Curator
ignores runs that occur more than ten times, but a leak that occurs often still is one.

In memory are 64-bit hashes of the block list, never those of the corpus: texts pass by in blocks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from sdg.errors import ConfigError
from sdg.ids import comparison_key
from sdg.text_codes import folded_words
from sdg.words import SPACELESS

Kind = Literal["query", "document"]
Hashes = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

NGRAM_WORDS = 13

MATCHES: dict[str, Any] = {
    "text": pl.Int64,  # place among the texts that were asked about
    "item": pl.Int64,  # place in the block list
    "rule": pl.String,  # "equal_text" or "shared_words"
}

# Odd 64-bit constants (Knuth's multiplicative hashing; splitmix64's finaliser).
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class EvaluationSet:
    """What must not be trained on.

    Attributes:
        name: For people and cards.
        item_ids: (I,) the set's own ids of its texts.
        kinds: (I,) whether each is a query or a document.
        texts: (I,) the texts themselves; they leave memory in no form.
        blocked_ids: Ids of documents that are blocked whatever their text.
    """

    name: str
    item_ids: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    texts: tuple[str, ...] = ()
    blocked_ids: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """The name as part of a reason: small letters, digits, and underscores."""
        return _SLUG.sub("_", self.name.lower()).strip("_") or "unnamed"

    def sha256(self) -> str:
        """Return a digest of what is blocked, whatever its order: texts by their words."""
        digest = hashlib.sha256()
        parts = [f"{k}\x00{comparison_key(t)}" for k, t in zip(self.kinds, self.texts, strict=True)]
        for part in sorted([*parts, *(f"id\x00{own}" for own in self.blocked_ids)]):
            data = part.encode("utf-8", "replace")
            digest.update(len(data).to_bytes(8, "big") + data)
        return digest.hexdigest()


class BlockList:
    """The hashed texts of several evaluation sets.

    Attributes:
        sets: In their order.
        items: One line per text: `set` (place in `sets`), `item_id`, `kind`.
    """

    def __init__(self, sets: Sequence[EvaluationSet], ngram_words: int = NGRAM_WORDS) -> None:
        """Hash the texts.

        Args:
            sets: With different slugs.
            ngram_words: Words in a row that must be equal.

        Raises:
            ConfigError: If two sets have the same slug.
        """
        slugs = [one.slug for one in sets]
        if len(set(slugs)) != len(slugs):
            raise ConfigError(
                f"Evaluation sets must have different names, but are called {slugs} instead. "
                "Give each a `name`."
            )
        self.sets = tuple(sets)
        self.ngram_words = ngram_words
        sizes = [len(one.texts) for one in sets]
        self.items = pl.DataFrame(
            {
                "set": np.repeat(np.arange(len(sets)), sizes),
                "item_id": [own for one in sets for own in one.item_ids],
                "kind": [kind for one in sets for kind in one.kinds],
            },
            schema={"set": pl.Int64, "item_id": pl.String, "kind": pl.String},
        )
        texts = pl.Series("text", [t for one in sets for t in one.texts], dtype=pl.String)
        folded = folded_words(texts)
        self._keys = self._first_of_each(_keys(folded), np.arange(len(texts)))
        hashes, owners = _runs(folded, ngram_words)
        runs = self._first_of_each(pl.Series("hash", hashes, dtype=pl.UInt64), owners)
        self._runs = runs.rename({"text": "hash"}).sort("hash", "item")
        self._sorted = self._runs["hash"].unique().sort().to_numpy()
        # Nearly all runs of a corpus end here: at most one in 16 passes by chance.
        size = 1 << max(16, min(28, int(len(self._sorted) * 16).bit_length()))
        self._may_hold = np.zeros(size, bool)
        self._may_hold[self._sorted & np.uint64(size - 1)] = True

    def match(self, texts: pl.Series | pa.Array | pa.ChunkedArray) -> pl.DataFrame:
        """Return the matches of texts, schema MATCHES, by text then item.

        A run of words that several items of a set have counts for the first of them; a text that
        equals an item is not listed as sharing words with it.

        Args:
            texts: (N,) strings, no nulls; held in memory with their words: at most some 100,000.
        """
        given: Any = texts
        series = pl.Series("text", given, dtype=pl.String)
        folded = folded_words(series)
        keys = pl.DataFrame({"place": np.arange(len(series)), "text": _keys(folded)})
        equal = keys.join(self._keys, on="text").select(
            text="place", item="item", rule=pl.lit("equal_text")
        )
        hashes, owners = _runs(folded, self.ngram_words)
        maybe = self._may_hold[hashes & np.uint64(len(self._may_hold) - 1)]
        hashes, owners = hashes[maybe], owners[maybe]
        places = np.searchsorted(self._sorted, hashes)
        places[places == len(self._sorted)] = 0
        is_held = self._sorted[places] == hashes if len(self._sorted) else np.zeros(0, bool)
        held = pl.DataFrame({"text": owners[is_held], "hash": hashes[is_held]}).unique()
        shared = (
            held.join(self._runs, on="hash")
            .select("text", "item", rule=pl.lit("shared_words"))
            .unique()
            .join(equal, on=["text", "item"], how="anti")
        )
        found = pl.concat([part.cast(pl.Schema(MATCHES)) for part in (equal, shared)])
        return found.sort("text", "item")

    def match_blocks(self, blocks: Iterable[tuple[int, pl.Series]]) -> pl.DataFrame:
        """Return the matches of all (first place, texts), schema MATCHES."""
        parts = [self.match(texts).with_columns(pl.col("text") + first) for first, texts in blocks]
        return pl.concat([pl.DataFrame(schema=MATCHES), *parts])

    def described(self, matches: pl.DataFrame) -> pl.DataFrame:
        """Return matches with `set`, `slug`, `item_id`, `kind` and `detail` for people: no text."""
        slugs = pl.Series("slug", [one.slug for one in self.sets], dtype=pl.String)
        items = self.items.with_row_index("item").cast({"item": pl.Int64})
        joined = matches.join(items, on="item", how="left", maintain_order="left")
        return joined.with_columns(
            slug=slugs.gather(joined["set"]),
            detail=pl.format("{}: {} {}", "rule", "kind", "item_id"),
        )

    def blocked_ids(self) -> pl.DataFrame:
        """Return `id`, `slug` of documents that are blocked by their id; the first set owns one."""
        ids = [own for one in self.sets for own in one.blocked_ids]
        slugs = [one.slug for one in self.sets for _ in one.blocked_ids]
        frame = pl.DataFrame({"id": ids, "slug": slugs}, {"id": pl.String, "slug": pl.String})
        return frame.unique("id", keep="first", maintain_order=True)

    def _first_of_each(self, values: pl.Series, items: Rows) -> pl.DataFrame:
        """Return `text`, `item` with each value once per set: of its first item."""
        frame = pl.DataFrame(
            {"text": values, "item": items, "set": self.items["set"].gather(items)}
        )
        first = frame.unique(["text", "set"], keep="first", maintain_order=True)
        return first.select("text", pl.col("item").cast(pl.Int64)).drop_nulls()


def _keys(folded: pl.Series) -> pl.Series:
    """Return the code of each text's letters; null for the empty text, which equals nothing."""
    letters = folded.str.replace_all(" ", "", literal=True)
    return letters.hash().zip_with(letters != "", pl.Series([None], dtype=pl.UInt64))


def _runs(folded: pl.Series, length: int) -> tuple[Hashes, Rows]:
    """Return the hash of every run of `length` words, and the place of its text."""
    is_spaceless = folded.str.contains(f"[{SPACELESS}]")
    if is_spaceless.any():
        # As everywhere, a character of a script without spaces is a word of its own.
        apart = folded.str.replace_all(f"([{SPACELESS}])", " $1 ").str.replace_all(" +", " ")
        folded = folded.zip_with(~is_spaceless, apart.str.strip_chars())
    words = folded.str.split(" ")
    counts = words.list.len().to_numpy()
    rows = np.repeat(np.arange(len(folded)), counts)
    codes = words.explode(empty_as_null=True).hash().to_numpy()
    if len(codes) < length:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    num = len(codes) - length + 1
    hashes = np.zeros(num, np.uint64)
    for offset in range(length):
        hashes *= _STEP
        hashes += codes[offset : offset + num]
    hashes ^= hashes >> np.uint64(29)
    hashes *= _MIX
    hashes ^= hashes >> np.uint64(32)
    is_whole = rows[:num] == rows[length - 1 :]
    return hashes[is_whole], rows[:num][is_whole]
