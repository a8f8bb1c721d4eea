from __future__ import annotations

from sdg.llm.server_load import FIRST_SHARE, TRIP_FAILURES, Queue, ServerLoad, read_queue

METRICS = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 12.0
vllm:num_requests_running{engine="1",model_name="m"} 8.0
vllm:num_requests_waiting{engine="0",model_name="m"} 3.0
vllm:num_requests_waiting{engine="1",model_name="m"} 0.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 99.0
"""


def full(load: ServerLoad) -> None:
    while load.is_free(0.0):
        load.take()


def answer(load: ServerLoad, latency: float | None, count: int) -> None:
    """Answer `count` requests of a server that is kept full."""
    for _ in range(count):
        full(load)
        load.leave(is_probe=False)
        load.succeeded(latency)
    full(load)


def test_the_queue_is_the_sum_over_engines() -> None:
    assert read_queue(METRICS) == Queue(3.0, 20.0)
    assert read_queue("process_cpu_seconds_total 3") is None
    assert read_queue("vllm:num_requests_waiting 0") is None


def test_the_share_doubles_while_the_server_keeps_up_and_stops_at_most() -> None:
    load = ServerLoad("u", 100)
    assert load.share == FIRST_SHARE == 16
    shares = []
    for _ in range(4):
        answer(load, 1.0, max(16, int(load.share)))
        shares.append(load.share)
    assert shares == [32.0, 64.0, 100.0, 100.0]


def test_a_share_that_is_not_used_does_not_grow() -> None:
    load = ServerLoad("u", 100)
    for _ in range(64):
        load.leave(is_probe=load.take())
        load.succeeded(1.0)
    assert load.share == 16


def test_a_slow_server_is_given_less_and_then_one_more_at_a_time() -> None:
    load = ServerLoad("u", 100)
    answer(load, 1.0, 16)
    answer(load, 2.5, 32)
    assert load.share == 24
    answer(load, 1.0, 24)
    assert load.share == 25


def test_where_the_queue_is_told_it_alone_decides() -> None:
    load = ServerLoad("u", 100)
    full(load)
    load.told(Queue(0.0, 16.0))
    assert load.share == 32
    answer(load, 99.0, 200)
    assert load.share == 32
    load.told(Queue(2.0, 32.0))
    assert load.share == 32
    load.told(Queue(20.0, 32.0))
    assert load.share == 24


def test_an_overload_halves_the_share_once_a_second() -> None:
    load = ServerLoad("u", 64, is_adaptive=True)
    for now in (10.0, 10.1, 10.9, 11.1):
        load.overloaded(now, 0.0)
    assert load.share == 4
    load.overloaded(20.0, 5.0)
    assert (load.is_free(24.9), load.is_free(25.0)) == (False, True)


def test_a_fixed_share_stays() -> None:
    load = ServerLoad("u", 64, is_adaptive=False)
    load.overloaded(1.0, 0.0)
    load.told(Queue(99.0, 1.0))
    assert load.share == 64


def test_a_failing_server_rests_longer_each_time_and_is_then_tried_with_one_request() -> None:
    load = ServerLoad("u", 64)
    for _ in range(TRIP_FAILURES):
        assert load.is_free(0.0)
        load.leave(is_probe=load.take())
        load.failed(0.0, "down", lambda n: 2.0**n)
    assert (load.trips, load.rests_until) == (1, 2.0)
    load.failed(1.0, "sent before", lambda n: 2.0**n)
    assert load.trips == 1
    assert not load.is_free(1.9)
    assert load.is_free(2.0)
    is_probe = load.take()
    assert not load.is_free(2.0)
    load.leave(is_probe=is_probe)
    load.failed(2.0, "still down", lambda n: 2.0**n)
    assert (load.trips, load.rests_until) == (2, 6.0)
    load.leave(is_probe=load.take())
    load.succeeded(1.0)
    assert (load.trips, load.is_free(6.0), load.failures_in_a_row) == (0, True, 0)


def test_a_request_sent_before_the_rest_does_not_free_the_place_of_the_probe() -> None:
    load = ServerLoad("u", 64)
    full(load)
    for _ in range(TRIP_FAILURES):
        load.leave(is_probe=False)
        load.failed(0.0, "down", lambda n: 2.0**n)
    assert load.is_free(2.0)
    assert load.take() is True
    load.leave(is_probe=False)
    assert not load.is_free(2.0)
    load.leave(is_probe=True)
    assert load.is_free(2.0)


def test_requests_that_became_longer_cost_the_share_only_for_a_while() -> None:
    load = ServerLoad("u", 64)
    answer(load, 0.05, 2000)
    assert load.share == 64
    answer(load, 5.0, 200)
    assert load.share < 16
    answer(load, 5.0, 3800)
    assert load.share == 64


def test_refusals_say_nothing_of_the_time_that_work_takes() -> None:
    load = ServerLoad("u", 64)
    answer(load, 1.0, 16)
    answer(load, None, 500)
    assert load.share == 32
    answer(load, 1.0, 32)
    assert load.share == 64
