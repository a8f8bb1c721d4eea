"""What tasks share whose query somebody types into a search engine and whose documents are long."""

from __future__ import annotations

from typing import Any

from sdg.tasks.brainstormed import BrainstormedTask
from sdg.tasks.placeholders import (
    CLARITIES,
    DIFFICULTIES,
    QUERY_LENGTHS,
    QUERY_TYPES,
    WORD_COUNTS,
    Clarity,
    Difficulty,
    QueryLength,
    QueryType,
    Values,
    WordCount,
    drawn,
)


class RetrievalTask(BrainstormedTask):
    """A brainstormed retrieval task; every placeholder is E5-Mistral's (arXiv 2401.00368).

    Attributes:
        query_types: How many people search for it.
        query_lengths: Of the query, in words. The paper says 5 to 10 for the second in one place.
        difficulties: Education that it takes to understand the texts.
        clarities: Of the query.
        num_words: Least length of a document, in words.
    """

    query_types: Values[QueryType] = QUERY_TYPES
    query_lengths: Values[QueryLength] = QUERY_LENGTHS
    difficulties: Values[Difficulty] = DIFFICULTIES
    clarities: Values[Clarity] = CLARITIES
    num_words: Values[WordCount] = WORD_COUNTS

    def draw_spec(self, seed: int, number: int) -> dict[str, Any]:
        """Return place in the brainstorm and one value per placeholder."""
        return {
            **super().draw_spec(seed, number),
            "query_type": drawn(seed, "query_type", self.query_types),
            "query_length": drawn(seed, "query_length", self.query_lengths),
            "difficulty": drawn(seed, "difficulty", self.difficulties),
            "clarity": drawn(seed, "clarity", self.clarities),
            "num_words": drawn(seed, "num_words", self.num_words),
        }

    def placeholders(self) -> tuple[str, ...]:
        """Return the names in a spec that fill the prompt."""
        return ("query_type", "query_length", "difficulty", "clarity", "num_words")
