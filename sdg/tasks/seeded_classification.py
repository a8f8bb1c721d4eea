"""Texts for given labels, grown from contexts and seeds, each labelled again at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Self

from pydantic import Field, model_validator

from sdg.errors import ConfigError
from sdg.ids import comparison_key, content_id, seed_for
from sdg.llm import Sampling
from sdg.tasks import TASKS, Parsed, Prepared
from sdg.tasks.brainstormed import CREATIVE, list_item, spec_of
from sdg.tasks.json_reply import STRING, any_list_of, list_of, object_of, one_of
from sdg.tasks.placeholders import TEXT_LENGTHS, TextLength, Values, drawn
from sdg.tasks.prompted import fenced
from sdg.tasks.self_correction import CORRECTION, SelfCorrecting, corrected_row, labelled

_CONTEXTS, _SEEDS, _INSTANCE = 0, 1, 2
_SUBJECT = "what the writer of a message wants from its reader"
_LABELS: Final = {
    "asks for information": "wants to know something before deciding or acting",
    "reports a problem": "says that something is broken, late, wrong or missing",
    "gives praise": "is content, says so, and asks for nothing",
    "makes an offer": "offers goods, work or help to the reader",
    "cancels an agreement": "ends an order, a booking, a contract or a membership",
}


@TASKS.register("seeded_classification")
class SeededClassification(SelfCorrecting):
    """TarGEN (arXiv 2310.17876): contexts, seeds, an instance of a label, self-correction.

    The text is the query, its label the positive, all other labels are negatives. Labels take
    turns, so that a quota has each equally often before correction. Every number is own; the paper
    is not reported on them here.

    Attributes:
        subject: What the classifier tells, as it follows "The classifier tells".
        labels: Name -> what it means; the name becomes a document. The five of the default are own.
        labels_language: Language of the names; a quota's `documents` must be that.
        contexts_per_call: Contexts that one call is asked for.
        seeds_per_context: Seeds that one call is asked for; each becomes one text.
        num_words: Length of the text, in words (E5-Mistral's list).
        sampling: How contexts, seeds and texts are drawn; 1.0 / 1.0 is E5-Mistral's.
    """

    is_grounded: ClassVar[bool] = False
    reply_schema: ClassVar[Mapping[str, Any]] = CORRECTION
    preparation_schemas: ClassVar[tuple[Mapping[str, Any], ...]] = (
        object_of(contexts=any_list_of(STRING)),
        object_of(seeds=any_list_of(STRING)),
        object_of(text=STRING),
    )

    subject: str = Field(default=_SUBJECT, min_length=1)
    labels: dict[str, str] = Field(default=dict(_LABELS), min_length=2)
    labels_language: str = Field(default="eng-Latn", pattern=r"^[a-z]{3}-[A-Z][a-z]{3}$")
    contexts_per_call: int = Field(default=20, ge=1)
    seeds_per_context: int = Field(default=5, ge=1)
    num_words: Values[TextLength] = TEXT_LENGTHS
    sampling: Sampling = CREATIVE

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        for name, meaning in self.labels.items():
            for text in (name, meaning):
                if not text.strip() or text != " ".join(text.split()):
                    raise ValueError(
                        "`labels` must be names and meanings of one line each, without white space "
                        f"around them, but hold {text!r} instead. Correct it"
                    )
        if len({comparison_key(name) for name in self.labels}) < len(self.labels):
            raise ValueError(
                f"`labels` must differ by more than case and punctuation, but are "
                f"{sorted(self.labels)} instead. Rename one of those that are equal"
            )
        return self

    def check(self, document_language: str, query_language: str) -> None:
        """Load the prompts.

        Raises:
            ConfigError: If the labels are in another language than the quota's documents, or as
                for any task.
        """
        if document_language != self.labels_language:
            raise ConfigError(
                "`labels_language` must be the language of a quota's `documents`, because labels "
                f"are its documents, but is {self.labels_language!r} and not {document_language!r} "
                "instead. Write the labels in that language, or ask for texts in another language "
                "by `queries`."
            )
        super().check(document_language, query_language)

    def draw_spec(self, seed: int, number: int) -> dict[str, Any]:
        """Return the places in the lists, the label whose turn it is, and the text's length."""
        place, seed_item = divmod(number, self.seeds_per_context)
        brainstorm, context_item = divmod(place, self.contexts_per_call)
        names = sorted(self.labels)
        return {
            "brainstorm": brainstorm,
            "context_item": context_item,
            "seed_item": seed_item,
            "first_label": names[number % len(names)],
            "num_words": drawn(seed, "num_words", self.num_words),
        }

    def asked_schema(self, step: int | None, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the schema: exactly as many items as are shared, and only known labels."""
        if step == _CONTEXTS:
            count = self.contexts_per_call
            return object_of(contexts=list_of(STRING, count, count))
        if step == _SEEDS:
            count = self.seeds_per_context
            return object_of(seeds=list_of(STRING, count, count))
        if step is None:
            return object_of(explanation=STRING, label=one_of(*sorted(self.labels)))
        return super().asked_schema(step, request)

    def shared_by(self, step: int, request: Mapping[str, Any]) -> str:
        """Return one key per list of contexts, and one per list of seeds."""
        if step == _INSTANCE:
            return ""
        spec = spec_of(request)
        places = [spec["brainstorm"], *([spec["context_item"]] if step == _SEEDS else [])]
        languages = (request["document_language"], request["query_language"])
        return content_id("b", self.label, *languages, *map(str, places))

    def preparation_variables(
        self,
        step: int,
        request: Mapping[str, Any],
        document: Mapping[str, Any],
        answers: Sequence[Any],
    ) -> dict[str, str]:
        """Return what is known at a step; the first two are the same for all that share them."""
        values = {
            **self._shown(sorted(self.labels)),
            "num_contexts": str(self.contexts_per_call),
            "num_seeds": str(self.seeds_per_context),
        }
        if step == _SEEDS:
            values["context"] = fenced(answers[_CONTEXTS], "context")
        return values if step < _INSTANCE else self.variables(request, document, answers)

    def variables(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],  # noqa: ARG002 - there is none
        answers: Sequence[Any],
    ) -> dict[str, str]:
        """Return what a text is written from; for the correction the text, labels in any order."""
        spec = spec_of(request)
        if len(answers) > _INSTANCE:
            seed = request["seed"]
            names = sorted(self.labels, key=lambda name: seed_for(seed, "order of labels", name))
            return {**self._shown(names), "text": fenced(answers[_INSTANCE], "text")}
        return {
            **self._shown(sorted(self.labels)),
            "context": fenced(answers[_CONTEXTS], "context"),
            "seed": fenced(answers[_SEEDS], "seed"),
            "label": fenced(spec["first_label"], "label"),
            "num_words": spec["num_words"],
        }

    def parse_preparation(
        self, step: int, request: Mapping[str, Any], value: dict[str, Any]
    ) -> Prepared:
        """Return the request's own context, its own seed, or the text.

        Reasons: those of `list_item` for "context" and "seed"; `empty_query`, `label_in_input`.
        """
        spec = spec_of(request)
        if step == _CONTEXTS:
            return list_item(value["contexts"], spec["context_item"], "context")
        if step == _SEEDS:
            return list_item(value["seeds"], spec["seed_item"], "seed")
        return labelled(value["text"], spec["first_label"])

    def parse_reply(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],  # noqa: ARG002 - there is none
        answers: Sequence[Any],
        value: dict[str, Any],
    ) -> list[Parsed]:
        """Return the text with its label; reasons as in `corrected_row`."""
        text, first = answers[_INSTANCE], spec_of(request)["first_label"]
        names = sorted(self.labels)
        return [corrected_row(text, first, names, value, request["document_language"])]

    def facts_of(self, request: Mapping[str, Any], answers: Sequence[Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Return what the text was grown from."""
        return {"context": answers[_CONTEXTS], "instance_seed": answers[_SEEDS]}

    def _shown(self, names: Sequence[str]) -> dict[str, str]:
        lines = [f"{name}: {self.labels[name]}" for name in names]
        return {"subject": self.subject, "labels": fenced("\n".join(lines), "labels")}
