"""How much one server is given: its share of requests, and whether it is asked at all.

The share grows while the server keeps up and is cut when it does not (additive increase,
multiplicative decrease, after Chiu and Jain 1989; doubling at first, as TCP's slow start does).
vLLM never says 429, but tells its queue at /metrics: where it does, the queue alone decides.
Elsewhere the mean latency does: more than twice the lowest means that requests wait in line. The
lowest is forgotten slowly, since requests that became longer take longer without any line.

A server that fails several times in a row rests, and is then tried with one request at a time; each
failed try doubles the rest (a circuit breaker).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

# The numbers are ours.
FIRST_SHARE: Final = 16
TRIP_FAILURES: Final = 5
_FEWEST: Final = 4
_WINDOW: Final = 16
_SLOW: Final = 2.0
_FORGOTTEN: Final = 1.1
_SMALL_CUT: Final = 0.75
_LARGE_CUT: Final = 0.5
_QUEUE_SHARE: Final = 0.25
_GAUGE: Final = re.compile(
    r"^vllm:num_requests_(waiting|running)(?:\{[^}]*\})?\s+(\S+)", re.MULTILINE
)


class Queue(NamedTuple):
    """What a vLLM server says of itself.

    Attributes:
        waiting: Requests that wait for a place in the batch.
        running: Requests in the batch.
    """

    waiting: float
    running: float


def read_queue(metrics: str) -> Queue | None:
    """Return the queue in a Prometheus text of vLLM, summed over engines; None without one."""
    found: dict[str, float] = {}
    for kind, value in _GAUGE.findall(metrics):
        try:
            found[kind] = found.get(kind, 0.0) + float(value)
        except ValueError:
            return None
    if found.keys() < {"waiting", "running"}:
        return None
    return Queue(found["waiting"], found["running"])


@dataclass(slots=True)
class ServerLoad:
    """One server as the client sees it; belongs to one event loop.

    Attributes:
        url: Its base URL.
        most: Upper bound of `share`.
        is_adaptive: False keeps `share` at `most`.
        share: Requests that may be under way there now.
        in_flight: Requests that are.
        failures_in_a_row: Failed requests since the last good one.
        trips: Rests in a row that no good answer ended.
        rests_until: Clock time before which it is not asked.
        last_heard: Clock time of its last HTTP answer.
        last_problem: What was wrong the last time.
    """

    url: str
    most: int
    is_adaptive: bool = True
    share: float = 0.0
    in_flight: int = 0
    failures_in_a_row: int = 0
    trips: int = 0
    rests_until: float = 0.0
    last_heard: float = float("-inf")
    last_problem: str = ""
    _told_queue: bool = False
    _is_starting: bool = True
    _was_full: bool = False
    _is_probed: bool = False
    _cut_at: float = float("-inf")
    _lowest: float = float("inf")
    _latencies: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.share = float(min(self.most, FIRST_SHARE) if self.is_adaptive else self.most)

    def is_free(self, now: float) -> bool:
        """Return whether it may be given one more request."""
        if now < self.rests_until:
            return False
        if self.trips:
            return not self._is_probed
        return self.in_flight < int(self.share)

    def take(self) -> bool:
        """Count one more request as under way; return whether it is the probe after a rest."""
        self.in_flight += 1
        self._was_full |= self.in_flight >= int(self.share)
        is_probe = self.trips > 0
        self._is_probed |= is_probe
        return is_probe

    def leave(self, *, is_probe: bool) -> None:
        """Count one request as ended, however it did; `is_probe` is what `take` said of it."""
        self.in_flight -= 1
        # A request sent before the rest that ends now says nothing of the probe under way.
        if is_probe:
            self._is_probed = False

    def succeeded(self, latency: float | None) -> None:
        """Note an answer after `latency` seconds; None for one without the work, a refusal."""
        self.failures_in_a_row = 0
        if self.trips:
            self.trips, self.rests_until = 0, 0.0
        if self._told_queue or latency is None:
            return
        self._latencies.append(latency)
        if len(self._latencies) < max(_WINDOW, int(self.share)):
            return
        mean = sum(self._latencies) / len(self._latencies)
        self._latencies.clear()
        self._lowest = min(mean, _FORGOTTEN * self._lowest)
        if mean > _SLOW * self._lowest:
            self._cut(_SMALL_CUT, _FEWEST)
        else:
            self._grow(1.0)

    def failed(self, now: float, problem: str, rest: Callable[[int], float]) -> None:
        """Note a failure; `rest` gives the seconds of the n-th rest in a row."""
        self.last_problem = problem
        self.failures_in_a_row += 1
        # What was sent before the rest began says nothing new.
        if self.failures_in_a_row >= TRIP_FAILURES and now >= self.rests_until:
            self.trips += 1
            self.rests_until = now + rest(self.trips)

    def overloaded(self, now: float, wait: float) -> None:
        """Note that the server asked for less (429, 503, a time-out), and for `wait` seconds."""
        if wait:
            self.rests_until = max(self.rests_until, now + wait)
        # The requests of one moment are one sign.
        if now - self._cut_at >= 1.0:
            self._cut_at = now
            self._cut(_LARGE_CUT, 1)

    def told(self, queue: Queue) -> None:
        """Adapt to the queue that the server tells."""
        self._told_queue = True
        if queue.waiting > max(_FEWEST, _QUEUE_SHARE * queue.running):
            self._cut(_SMALL_CUT, _FEWEST)
        elif not queue.waiting:
            self._grow(max(1.0, 0.1 * self.share))

    def _grow(self, step: float) -> None:
        if self.is_adaptive and self._was_full:
            self.share = min(self.most, 2 * self.share if self._is_starting else self.share + step)
        self._was_full = self.in_flight >= int(self.share)

    def _cut(self, factor: float, fewest: int) -> None:
        self._is_starting = False
        if self.is_adaptive:
            self.share = max(float(min(fewest, self.most)), factor * self.share)
