"""What tasks that vary an accepted query share: the query they were given, and no echo of it.

The request of such a task names the row's document as its own, and holds in its `spec` the row's
`query_id`, `query` and `instruction` beside what the task draws.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from sdg.errors import ContractError
from sdg.ids import comparison_key
from sdg.tasks import Parsed
from sdg.tasks.json_reply import STRING, object_of
from sdg.tasks.prompted import PromptedTask, fenced, query_or_reason


def spec_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of a request that varies a row.

    Raises:
        ContractError: If it does not say which query is varied.
    """
    spec: dict[str, Any] = json.loads(request["spec"])
    if "query" not in spec:
        raise ContractError(
            f"The spec of a request that varies a row must hold its `query`, but that of "
            f"{request['request_id']} holds {sorted(spec)}. Plan it with `plan_variations`."
        )
    return spec


def varied_query(request: Mapping[str, Any]) -> str:
    """Return the query that a request varies."""
    return str(spec_of(request)["query"])


class VariedQuery(PromptedTask):
    """A task that writes another query for the document of an accepted one."""

    varies: ClassVar[Literal["", "query", "documents"]] = "query"
    keeps_meaning: ClassVar[bool] = True
    reply_schema: ClassVar[Mapping[str, Any]] = object_of(query=STRING)

    def variables(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],  # noqa: ARG002 - for overriders
        answers: Sequence[Any],  # noqa: ARG002
    ) -> dict[str, str]:
        """Return the query, and nothing of the document: its words would find their way in."""
        return {"query": fenced(varied_query(request), "query")}

    def parse(self, request: Mapping[str, Any], value: dict[str, Any]) -> list[Parsed]:
        """Return the new query; reasons `empty_reply`, `several_lines`, `equals_original_query`."""
        parsed = query_or_reason(value["query"])
        if comparison_key(parsed.query) == comparison_key(varied_query(request)):
            parsed = Parsed("", parsed.reason or "equals_original_query")
        return [parsed]
