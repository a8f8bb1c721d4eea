"""Whether every server is there and serves the model that is asked of it."""

from __future__ import annotations

from collections.abc import Iterator

from flows.checks import Question, Setup, Told
from flows.checks.asked import all_judges
from sdg.errors import BackendError
from sdg.judge.rerank_server import RerankServer
from sdg.llm.openai_server import OpenAIServer
from sdg.llm.server_state import check_model, look_at


def questions(setup: Setup) -> Iterator[Question]:
    """Ask each address that is named in the configuration, once for each model."""
    engines = [e for e in setup.config.generators.values() if isinstance(e, OpenAIServer)]
    judges = [j for j in all_judges(setup.config) if isinstance(j, RerankServer)]
    seen = set()
    clients: list[OpenAIServer | RerankServer] = [*engines, *judges]
    for client in clients:
        for url in client.base_urls:
            if (url, client.model, client.api_key_env) not in seen:
                seen.add((url, client.model, client.api_key_env))
                yield _question(setup, client, url.rstrip("/"))


def title_of(url: str, model: str) -> str:
    """Return the title of the question about a model at an address."""
    return f"server {_name(url.rstrip('/'), model)}"


def _name(url: str, model: str) -> str:
    return f"{url} {model}"


def _question(setup: Setup, client: OpenAIServer | RerankServer, url: str) -> Question:
    seconds = setup.seconds_for(client)

    def ask() -> Told:
        state = look_at(url, client.headers(), seconds)
        if state.models is None and isinstance(client, OpenAIServer):
            raise BackendError(
                f"The server {url} must list what it serves at /models, but has no such list. "
                "Check that `base_urls` ends in the version, as /v1."
            )
        check_model(url, client.model, state)
        serves = ", ".join(state.models) if state.models else "tells no list of models"
        health = "healthy" if state.is_healthy else "has no /health"
        return Told(
            f"answers in {state.seconds:.2f} s, {health}, serves {serves}",
            {"models": list(state.models or ()), "seconds": round(state.seconds, 3)},
        )

    return Question("server", _name(url, client.model), "what it serves", ask, seconds)
