"""Whether every judge of negatives gives verdicts that can be read."""

from __future__ import annotations

from collections.abc import Iterator

from flows.checks import Question, Setup, Told
from flows.checks.asked import DirectAsk, all_judges
from flows.checks.generators import title_for
from flows.checks.servers import title_of
from sdg.errors import BackendError
from sdg.judge import Candidate, Case, Judge, Verdict
from sdg.judge.rerank_server import RerankServer

_QUERY = "When does the town library open on Saturdays?"
_POSITIVE = "The town library opens at nine on weekdays and at ten on Saturdays."
_CANDIDATES = (
    Candidate("the right document", "On Saturdays the library of the town opens at ten."),
    Candidate("the wrong document", "Glaciers lose more ice in summer than falls as snow."),
)


def questions(setup: Setup) -> Iterator[Question]:
    """Ask each different judge about two documents, one of which answers the query."""
    seen: dict[str, int] = {}
    for judge in all_judges(setup.config):
        seen[judge.name] = seen.get(judge.name, 0) + 1
        name = judge.name if seen[judge.name] == 1 else f"{judge.name} {seen[judge.name]}"
        yield _question(setup, name, judge)


def _question(setup: Setup, name: str, judge: Judge) -> Question:
    config = setup.config
    language = config.plan.entries[0].quotas[0].queries
    needs: tuple[str, ...] = ()
    if judge.engine_name:
        needs = (title_for(config.generators, judge.engine_name),)
    elif isinstance(judge, RerankServer):
        needs = tuple(title_of(url, judge.model) for url in judge.base_urls)

    def ask() -> Told:
        case = Case("check", _QUERY, language, (_POSITIVE,), _CANDIDATES)
        verdicts = judge.judge([case], DirectAsk(config.generators), config.seed)
        for verdict in verdicts:
            if verdict.is_relevant is None:
                raise BackendError(
                    f"The judge {name!r} must give a verdict that can be read, but on "
                    f"{verdict.doc_id} failed with {verdict.failure!r}. Take a stronger model, "
                    "raise the judge's `sampling.max_tokens`, or look at the server's log."
                )
        revision = judge.revision()
        told = "; ".join(map(_said, verdicts)) + (f"; revision {revision}" if revision else "")
        shown = {v.doc_id: v.is_relevant for v in verdicts}
        return Told(told, {"verdicts": shown, "revision": revision})

    return Question("judge", name, "about two documents", ask, setup.seconds_for(judge), needs)


def _said(verdict: Verdict) -> str:
    is_relevant = "relevant" if verdict.is_relevant else "irrelevant"
    more = [f"grade {verdict.grade}"] if verdict.grade is not None else []
    more += [f"score {verdict.score:.3f}"] if verdict.score is not None else []
    return f"calls {verdict.doc_id} {is_relevant}" + (f" ({', '.join(more)})" if more else "")
