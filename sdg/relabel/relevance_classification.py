"""Whether the model would rather call the document relevant than not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sdg.llm import Score, ScoreRequest
from sdg.relabel import SCORERS, Pair, Scorer
from sdg.relabel.wording import load_wording, split_answers


@SCORERS.register("relevance_classification")
class RelevanceClassification(Scorer):
    """log P(label "relevant" | query, document) - log P(label "irrelevant" | query, document).

    One of Gecko's two scorers. The difference of two labels, not the likelihood of one: what the
    model thinks of the words themselves cancels out. The labels are the prompt's last line.

    Needs a model that understands the question: with a 135M model, fused with query likelihood, it
    changed 30 of 96 positives, 27 of them for the worse (read by one person); query likelihood
    alone changed 3, all of them well. Use it with models that answer such questions.
    """

    requests_per_pair: ClassVar[int] = 2

    def requests(self, pair: Pair) -> Sequence[ScoreRequest]:
        """Return two requests: the same prompt with either label."""
        wording = load_wording(self.name, self.language_for(pair.query_language))
        document, query = (" ".join(text.split()) for text in (pair.document, pair.query))
        rendered = wording.render_chat(document=document, query=query)
        prompt, answers = split_answers(rendered)
        return tuple(
            ScoreRequest(f"{pair.key}/{name}", prompt, f" {answer}")
            for name, answer in zip(("relevant", "irrelevant"), answers, strict=True)
        )

    def score(self, answers: Sequence[Score]) -> float | None:
        """Return the difference of the labels' log-probabilities (sums over tokens)."""
        relevant, irrelevant = answers
        if relevant.mean_logprob is None or irrelevant.mean_logprob is None:
            return None
        return (
            relevant.mean_logprob * relevant.num_tokens
            - irrelevant.mean_logprob * irrelevant.num_tokens
        )

    def prompt_sha256(self, query_language: str) -> str:
        """Return the hash of the prompt used for a language."""
        return load_wording(self.name, self.language_for(query_language)).sha256
