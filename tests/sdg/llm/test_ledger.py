from __future__ import annotations

from pathlib import Path

import pytest

from sdg.llm import ENGINES
from sdg.llm.busy_clock import BusyClock
from sdg.llm.journal import Journal, Use
from sdg.llm.journal_file import Spent
from sdg.llm.ledger import Cost, cost_of
from tests.sdg.llm.test_journal import CountingEngine, ask


def journal_at(path: Path) -> Journal:
    """Return a journal whose clock goes one second forward at each look."""
    ticks = iter(range(10_000))
    return Journal(path, clock=lambda: float(next(ticks)))


def test_each_distinct_answer_that_a_scope_used_counts_once(tmp_path: Path) -> None:
    engine = CountingEngine()
    with Journal(tmp_path / "j.db") as journal:
        journal.complete(engine, [ask("a", "x"), ask("b", "x"), ask("c", "y")], Use("s/1", "g"))
        journal.complete(engine, [ask("a", "x"), ask("d", "z")], Use("s/2", "g"))
        journal.complete(engine, [ask("e", "unused")], Use("s/3", "g"))
        journal.complete(engine, [ask("f", "no account")])
        (spent,) = journal.spent(["s/1", "s/2"])
        assert spent[:5] == ("g", 3, 30, 6, 0)
        assert journal.spent(["s/9"]) == []


def test_the_account_is_the_same_after_a_resume(tmp_path: Path) -> None:
    requests = [ask(f"r{i}") for i in range(6)]
    with journal_at(tmp_path / "once.db") as journal:
        journal.complete(CountingEngine(), requests, Use("s", "g"))
        (whole,) = journal.spent(["s"])
    with journal_at(tmp_path / "twice.db") as journal:
        journal.complete(CountingEngine(), requests[:4], Use("s", "g"))
    with journal_at(tmp_path / "twice.db") as journal:
        journal.forget_uses("s")
        journal.complete(CountingEngine(), requests, Use("s", "g"))
        (resumed,) = journal.spent(["s"])
        assert journal.usage.sent == 2
    assert resumed[:5] == whole[:5] == ("g", 6, 60, 12, 0)
    # Every answer has its seconds, those of the first run, too.
    assert min(whole.seconds, resumed.seconds) > 0


def test_what_is_done_again_forgets_what_it_used_before(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal:
        journal.complete(CountingEngine(), [ask("a"), ask("b")], Use("s", "g"))
        journal.forget_uses("s")
        journal.complete(CountingEngine(), [ask("c")], Use("s", "g"))
        assert [entry.requests for entry in journal.spent(["s"])] == [1]


def test_time_between_batches_is_no_time_of_the_engine(tmp_path: Path) -> None:
    with journal_at(tmp_path / "j.db") as journal:
        engine = CountingEngine()
        journal.complete(engine, [ask("a")], Use("s", "g"))
        first = journal.spent(["s"])[0].seconds
        journal.complete(engine, [ask("b")], Use("s", "g"))
        assert journal.spent(["s"])[0].seconds == 2 * first


def test_batches_side_by_side_share_their_time() -> None:
    now = [0.0]
    busy = BusyClock(lambda: now[0])
    busy.start()
    now[0] = 2.0
    busy.start()
    assert busy.lap() == 2.0
    now[0] = 5.0
    assert (busy.lap(), busy.lap()) == (3.0, 0.0)
    busy.end()
    busy.end()
    now[0] = 9.0
    busy.start()
    assert busy.lap() == 0.0


def test_gpu_time_and_both_prices_add_up() -> None:
    tokens = {"prompt": 1.0, "completion": 4.0}
    engines = {
        "own": ENGINES.build({"engine": "scripted", "gpus": 2, "price_per_gpu_hour": 3.0}),
        "api": ENGINES.build({"engine": "scripted", "price_per_million_tokens": tokens}),
        "free": ENGINES.build({"engine": "scripted"}),
    }
    spent = [
        Spent("api", 10, 1_000_000, 500_000, 400_000, 99.0),
        Spent("free", 1, 7, 7, 0, 5.0),
        Spent("own", 5, 100, 50, 0, 1800.0),
    ]
    cost = cost_of(spent, engines)
    assert cost == Cost(16, 1_000_107, 500_057, 400_000, 3600.0, 3.0 + 3.0)
    assert cost.per_thousand(2000)["cost"] == 3.0
    assert cost.per_thousand(2000)["GPU-seconds"] == 1800.0
    assert cost.per_thousand(0) == {}
    assert cost_of(spent[1:2], engines).price is None
    assert "cost" not in cost_of(spent[1:2], engines).to_json()


@pytest.mark.parametrize("failure", ["server_error", "timed_out", "pending"])
def test_failures_that_may_pass_are_kept_to_be_looked_at_and_cost_nothing(
    tmp_path: Path, failure: str
) -> None:
    engine = CountingEngine(fails={"a": failure})
    with Journal(tmp_path / "j.db") as journal:
        journal.complete(engine, [ask("a"), ask("b")], Use("s", "g"))
        assert [entry.requests for entry in journal.spent(["s"])] == [1]
        (kept,) = journal.failures()
        assert (kept.failure, kept.detail) == (failure, "why")
