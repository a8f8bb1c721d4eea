"""A paraphrase must mean what its original means, in other words."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from mining.kernels import exact_pairs
from mining.pair_rules import PAIR_RULES, PairRule, Pairs, PairVerdict
from sdg.words import split_words


@PAIR_RULES.register("paraphrase")
class Paraphrase(PairRule):
    """Stop paraphrases that lose the meaning or keep the words; other queries are left alone.

    A floor on the cosine of the two queries and a ceiling on the words they share. PTEB gates its
    paraphrasers by gold ratings of STS pairs and gives no threshold: score STS pairs of your
    languages with your encoder and put the floor where people still say "same".

    Attributes:
        min_cosine: Lowest cosine of paraphrase and original that stays, in [-1, 1]; an encoder's
            number, so there is no default.
        max_overlap: Highest share of different words in common / in either that stays, in [0, 1];
            0.8 is own. In scripts without spaces each character is a word. Word order does not
            count.
        missing_original: What of a paraphrase whose original is no longer among the run's queries:
            "judge" it against the text it was made of, or "reject" it; own.

    Reference: PTEB, arXiv 2510.06730.
    """

    needs_originals: ClassVar[bool] = True

    min_cosine: float = Field(ge=-1, le=1)
    max_overlap: float = Field(default=0.8, ge=0, le=1)
    missing_original: Literal["judge", "reject"] = "judge"

    @property
    def needs_vectors(self) -> bool:
        """Return True."""
        return True

    def judge(self, judged: pl.DataFrame, pairs: Pairs) -> PairVerdict:
        """Return the paraphrases that stop; the detail is the id of the original or the value.

        A paraphrase whose original nobody knows is `original_missing` in any case.
        """
        rows = _beside_originals(judged.filter(pl.col("paraphrase_of") != ""), pairs)
        is_missing = pl.col("original").is_null()
        if self.missing_original == "reject":
            is_missing |= ~pl.col("is_in_run")
        missing = rows.filter(is_missing)
        rows = rows.filter(~is_missing)
        rows = rows.with_columns(
            cosine=pl.Series(_cosines(rows, pairs)),
            overlap=_overlaps(rows["query"], rows["original"]),
        )
        is_far = pl.col("cosine") < float(np.float32(self.min_cosine))
        is_same = pl.col("overlap") > self.max_overlap
        cosine, overlap = pl.col("cosine").round(4), pl.col("overlap").round(4)
        return PairVerdict(
            pl.concat(
                [
                    _stopped(missing, "original_missing", pl.col("paraphrase_of")),
                    _stopped(rows.filter(is_far), "paraphrase_below_cosine", cosine),
                    _stopped(rows.filter(~is_far & is_same), "paraphrase_above_overlap", overlap),
                ]
            )
        )


def _beside_originals(rows: pl.DataFrame, pairs: Pairs) -> pl.DataFrame:
    """Return the rows with their originals.

    Returns:
        `original`, its text, null if nobody knows it; `at`, its row of the vectors of the run or of
        those given; `is_in_run`, whether it still may become a row; `is_given`, whether it is one
        of `pairs.originals`.
    """
    given = pairs.originals
    parts = [_originals(pairs.rows, is_in_run=True)]
    if pairs.stopped is not None:
        parts.append(_originals(pairs.stopped, is_in_run=False))
    columns = {"query_id": given.query_ids, "query": given.texts}
    handed = pl.DataFrame(columns, schema={"query_id": pl.String, "query": pl.String})
    handed = handed.with_columns(place=pl.int_range(pl.len(), dtype=pl.Int64))
    parts.append(_originals(handed, is_in_run=False, is_given=True))
    known = pl.concat(parts).unique("paraphrase_of", keep="first", maintain_order=True)
    return rows.join(known, on="paraphrase_of", how="left", maintain_order="left")


def _originals(queries: pl.DataFrame, *, is_in_run: bool, is_given: bool = False) -> pl.DataFrame:
    return queries.select(
        paraphrase_of="query_id",
        original="query",
        at="place",
        is_in_run=pl.lit(is_in_run),
        is_given=pl.lit(is_given),
    )


def _cosines(rows: pl.DataFrame, pairs: Pairs) -> npt.NDArray[np.float64]:
    """Return (N,) cosines of each paraphrase and its original."""
    vectors = pairs.vectors_needed()
    cosines = np.empty(len(rows), np.float32)
    places, at = (rows[name].to_numpy(writable=True) for name in ("place", "at"))
    is_given = rows["is_given"].to_numpy()
    for mask in (~is_given, is_given):
        if mask.any():
            others = pairs.originals.vectors_needed() if mask is is_given else vectors
            found = np.empty(int(mask.sum()), np.float32)
            exact_pairs(vectors, places[mask], others, at[mask], found)
            cosines[mask] = found
    return cosines.astype(np.float64)


def _overlaps(left: pl.Series, right: pl.Series) -> pl.Series:
    """Return (N,) shares of different words in both texts among those in either; 1 for none."""
    words = pl.DataFrame(
        {"left": split_words(left.to_arrow()), "right": split_words(right.to_arrow())}
    )
    both = pl.col("left").list.set_intersection("right").list.len()
    either = pl.col("left").list.set_union("right").list.len()
    return words.select(overlap=pl.when(either == 0).then(1.0).otherwise(both / either)).to_series()


def _stopped(rows: pl.DataFrame, reason: str, detail: pl.Expr) -> pl.DataFrame:
    return rows.select("query_id", reason=pl.lit(reason), detail=detail.cast(pl.String))
