"""Several queries with their answers in one reply, after a list of what the document offers.

document ─► artifacts (8 kinds) ─► document + artifacts ─► 3 multi_hop + 2 structural + 2 contextual
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Final

from pydantic import Field, model_validator

from sdg.ids import normalise_text
from sdg.llm import Sampling
from sdg.tasks import TASKS, Parsed, Prepared
from sdg.tasks.choices import ChoosingTask
from sdg.tasks.json_reply import (
    STRING,
    any_list_of,
    list_of,
    obeys,
    object_of,
    one_of,
    whole_number,
)
from sdg.tasks.prompted import fenced, query_or_reason, shared_by_document

QUERY_TYPES: Final = ("multi_hop", "structural", "contextual")
REASONING_TYPES: Final = (
    "factual",
    "relational",
    "inferential",
    "temporal",
    "procedural",
    "causal",
    "visual",
)
ARTIFACTS: Final = (
    "terms",
    "entities",
    "figures",
    "events",
    "relations",
    "processes",
    "causes",
    "claims",
)
_ANYTHING: Final[Mapping[str, Any]] = {}
_ITEM: Final = object_of(
    query=STRING,
    answer=STRING,
    reasoning_type=STRING,
    hops={"type": "integer"},
    complexity={"type": "integer"},
)
_MOST_HOPS: Final = 3
_MOST_COMPLEX: Final = 5


@TASKS.register("several_queries")
class SeveralQueries(ChoosingTask):
    """Queries of three types about one document, with answers, in one reply.

    Each query's `answer`, `query_type`, `reasoning_type`, `hops` and `complexity` stand in the
    row's spec. A reply with too few queries of a type gives the rest as rejections.

    Counts, reasoning types, 1 to 3 hops, complexity of at least 2 out of 5, and eight kinds of
    artifacts with two of each are the Nemotron embedding recipe's; which kinds are asked for is
    own, and so are the words for types. The recipe also has a query name the segments that it
    rests on; here the document is what it rests on.

    Attributes:
        num_multi_hop: Queries that combine facts, 2 or 3 hops.
        num_structural: Queries about order, parts and connections.
        num_contextual: Queries about setting, purpose, conditions.
        reasoning_types: What the LLM chooses from.
        min_complexity: Lowest complexity that is kept.
        artifacts_per_kind: Most artifacts of each kind.
        sampling: Longest reply 2,048 tokens, own: seven queries with answers.
    """

    reply_schema: ClassVar[Mapping[str, Any]] = object_of(
        **{name: any_list_of(_ANYTHING) for name in QUERY_TYPES}
    )
    preparation_schemas: ClassVar[tuple[Mapping[str, Any], ...]] = (
        object_of(**{name: any_list_of(STRING) for name in ARTIFACTS}),
    )

    num_multi_hop: int = Field(default=3, ge=0)
    num_structural: int = Field(default=2, ge=0)
    num_contextual: int = Field(default=2, ge=0)
    reasoning_types: tuple[str, ...] = Field(default=REASONING_TYPES, min_length=1)
    min_complexity: int = Field(default=2, ge=1, le=_MOST_COMPLEX)
    artifacts_per_kind: int = Field(default=2, ge=1)
    sampling: Sampling = Sampling(max_tokens=2048)

    @model_validator(mode="after")
    def _check_counts(self) -> SeveralQueries:
        if not self.queries_per_reply:
            raise ValueError(
                "One of `num_multi_hop`, `num_structural` and `num_contextual` must be at least 1, "
                "but all are 0 instead. Raise one"
            )
        return self

    @property
    def counts(self) -> dict[str, int]:
        """Return how many queries of each type a reply holds, in the order of the candidates."""
        counts = (self.num_multi_hop, self.num_structural, self.num_contextual)
        return dict(zip(QUERY_TYPES, counts, strict=True))

    @property
    def queries_per_reply(self) -> int:
        """Return the sum of the counts."""
        return sum(self.counts.values())

    def described(self) -> Mapping[str, Collection[str]]:
        """Return the reasoning types, and the headings of the artifacts."""
        return {"reasoning_type": self.reasoning_types, "artifact": ARTIFACTS}

    def shared_by(self, step: int, request: Mapping[str, Any]) -> str:
        """Return the document and the languages."""
        return shared_by_document(self, step, request)

    def asked_schema(self, step: int | None, request: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the schema with the right numbers of items."""
        if step is not None:
            kinds = list_of(STRING, 0, self.artifacts_per_kind)
            return object_of(**dict.fromkeys(ARTIFACTS, kinds))
        return object_of(
            **{name: list_of(self._item(name), n, n) for name, n in self.counts.items()}
        )

    def preparation_variables(
        self,
        step: int,  # noqa: ARG002 - there is one
        request: Mapping[str, Any],  # noqa: ARG002
        document: Mapping[str, Any],
        answers: Sequence[Any],  # noqa: ARG002
    ) -> dict[str, str]:
        """Return the document and the most artifacts of each kind."""
        return {"document": fenced(document["text"]), "num_items": str(self.artifacts_per_kind)}

    def parse_preparation(
        self,
        step: int,  # noqa: ARG002 - there is one
        request: Mapping[str, Any],  # noqa: ARG002
        value: dict[str, Any],
    ) -> Prepared:
        """Return the artifacts by kind, empty ones left out; reason: `too_many_artifacts`."""
        if any(len(items) > self.artifacts_per_kind for items in value.values()):
            return Prepared(None, "too_many_artifacts")
        lines = {kind: [" ".join(normalise_text(i).split()) for i in value[kind]] for kind in value}
        return Prepared({kind: [line for line in lines[kind] if line] for kind in lines}, "")

    def variables(
        self, request: Mapping[str, Any], document: Mapping[str, Any], answers: Sequence[Any]
    ) -> dict[str, str]:
        """Return the document, its artifacts as a list, and what is asked for."""
        artifacts = [
            f"{self.words(request, 'artifact', kind)}: {item}"
            for kind in ARTIFACTS
            for item in answers[0][kind]
        ]
        reasoning = [
            f"- {name}: {self.words(request, 'reasoning_type', name)}"
            for name in self.reasoning_types
        ]
        return {
            "document": fenced(document["text"]),
            "artifacts": fenced("\n".join(artifacts), "offers"),
            "reasoning_types": "\n".join(reasoning),
            "min_complexity": str(self.min_complexity),
            **{f"num_{name}": str(count) for name, count in self.counts.items()},
        }

    def parse(
        self,
        request: Mapping[str, Any],  # noqa: ARG002 - a reply says all
        value: dict[str, Any],
    ) -> list[Parsed]:
        """Return the queries type by type.

        Reasons: `too_few_queries` for each that lacks, `too_many_queries` for all of a type with
        more than were asked for; `wrong_json_schema`, `empty_answer`, `unknown_reasoning_type`,
        `hops_out_of_range`, `complexity_out_of_range`, `complexity_below_minimum`, `empty_reply`
        and `several_lines` of one query.
        """
        return [
            parsed
            for name, count in self.counts.items()
            for parsed in self._parse_type(name, value[name], count)
        ]

    def _parse_type(self, name: str, items: Sequence[Any], count: int) -> list[Parsed]:
        if len(items) > count:
            return [Parsed("", "too_many_queries")] * count
        missing = [Parsed("", "too_few_queries")] * (count - len(items))
        return [self._parse_item(name, item) for item in items] + missing

    def _parse_item(self, name: str, item: Any) -> Parsed:  # noqa: ANN401 - a JSON value
        if not obeys(item, _ITEM):
            return Parsed("", "wrong_json_schema")
        facts = {**item, "answer": normalise_text(item["answer"]), "query_type": name}
        if reason := self._reason(name, facts):
            return Parsed("", reason)
        return query_or_reason(facts.pop("query"), facts=facts)

    def _reason(self, name: str, facts: Mapping[str, Any]) -> str:
        if not facts["answer"]:
            return "empty_answer"
        if facts["reasoning_type"] not in self.reasoning_types:
            return "unknown_reasoning_type"
        if not _least_hops(name) <= facts["hops"] <= _MOST_HOPS:
            return "hops_out_of_range"
        if not 1 <= facts["complexity"] <= _MOST_COMPLEX:
            return "complexity_out_of_range"
        return "complexity_below_minimum" if facts["complexity"] < self.min_complexity else ""

    def _item(self, name: str) -> dict[str, Any]:
        return object_of(
            query=STRING,
            answer=STRING,
            reasoning_type=one_of(*self.reasoning_types),
            hops=whole_number(_least_hops(name), _MOST_HOPS),
            complexity=whole_number(self.min_complexity, _MOST_COMPLEX),
        )


def _least_hops(name: str) -> int:
    """Return the fewest hops of a query type: several facts are what "multi_hop" says."""
    return 2 if name == "multi_hop" else 1
