"""A query must be written in the letters of its language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from sdg.gates import GATES, Evidence, Gate, Objection, Verdict
from sdg.scripts import shares_in
from sdg.words import script_of

if TYPE_CHECKING:
    import pyarrow as pa


@GATES.register("script")
class ScriptOfQuery(Gate):
    """Stop queries with too few letters of the script in `query_language`.

    Models that know a language badly write it in Latin letters, or fall back into English halfway.
    No detector of languages is asked, so languages that none knows are judged, too, and it costs
    next to nothing. Digits and punctuation do not count; a query without letters, or in a language
    whose tag names no known script, passes. Japanese may mix kana and Chinese characters, Korean
    hangul and Chinese characters. That letters are shared (Chinese in Japanese, French in English)
    is for the gate `language`.

    Attributes:
        min_share: Share of the letters that must be of the script, in [0, 1]; 0.5 is own: names of
            products and people often stay in Latin letters.
    """

    min_share: float = Field(default=0.5, ge=0, le=1)

    def judge(self, queries: pa.Table, evidence: Evidence) -> Verdict:  # noqa: ARG002
        """Return which queries are in other letters; the detail is the share."""
        scripts = [script_of(tag) for tag in queries["query_language"].to_pylist()]
        _, shares = shares_in(queries["query"].to_pylist(), scripts)
        return Verdict.of(
            Objection(shares < self.min_share, "not_in_script_of_language", shares)  # NaN: False
        )
