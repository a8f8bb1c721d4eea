"""A text, a good translation of it and a flawed one."""

from __future__ import annotations

from sdg.errors import ConfigError
from sdg.tasks import TASKS
from sdg.tasks.placeholders import Similarity, Values
from sdg.tasks.similarity import SimilarityTriple


@TASKS.register("bitext_triple")
class BitextTriple(SimilarityTriple):
    """E5-Mistral's bitext (arXiv 2401.00368): its scores; that the length varies is own.

    S3 is fluent, but has wrong names or numbers, something left out or something added.

    Attributes:
        low_scores: How good the flawed translation is.
    """

    low_scores: Values[Similarity] = (1.5, 2.0, 2.5)

    def check(self, document_language: str, query_language: str) -> None:
        """Load the prompt.

        Raises:
            ConfigError: If the two languages are one, or as for any task.
        """
        if document_language == query_language:
            raise ConfigError(
                f"A quota of {self.name!r} must have two languages, but `documents` and `queries` "
                f"are both {query_language!r} instead. Name the language to translate into in "
                "`documents`."
            )
        super().check(document_language, query_language)
