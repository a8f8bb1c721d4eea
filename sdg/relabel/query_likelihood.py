"""How likely the query is after reading the document."""

from __future__ import annotations

from collections.abc import Sequence

from sdg.llm import Score, ScoreRequest
from sdg.relabel import SCORERS, Pair, Scorer
from sdg.relabel.wording import load_wording


@SCORERS.register("query_likelihood")
class QueryLikelihood(Scorer):
    """Mean log P(query token | document, query so far), natural logarithm, <= 0.

    One of Gecko's two scorers. Needs no instruction following: with a plain prompt a model of 135M
    parameters ranked the right one of 21 similar passages first for 24 of 30 English queries.
    """

    def requests(self, pair: Pair) -> Sequence[ScoreRequest]:
        """Return one request: the query as the continuation of the document."""
        wording = load_wording(self.name, self.language_for(pair.query_language))
        prompt = wording.render_chat(document=" ".join(pair.document.split()))
        return (ScoreRequest(pair.key, prompt, f" {pair.query}"),)

    def score(self, answers: Sequence[Score]) -> float | None:
        """Return the mean log-probability of the query's tokens."""
        (answer,) = answers
        return answer.mean_logprob

    def prompt_sha256(self, query_language: str) -> str:
        """Return the hash of the prompt used for a language."""
        return load_wording(self.name, self.language_for(query_language)).sha256
