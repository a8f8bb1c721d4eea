"""The connections of one engine in this process, shared by all its threads."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence

from sdg.llm.background import LoopThread
from sdg.llm.http_pool import HttpPool, Limits


class SharedPool:
    """A pool in an event loop of its own.

    Args:
        urls: See `HttpPool`.
        headers: See `HttpPool`.
        limits: See `HttpPool`.

    Attributes:
        thread: Where the loop runs.
        pool: Belongs to that loop.
        close: Closes every connection and ends the loop; calling it twice does nothing.
    """

    def __init__(self, urls: Sequence[str], headers: Mapping[str, str], limits: Limits) -> None:
        self.thread = LoopThread()
        self.pool = self.thread.submit(_opened(urls, headers, limits)).result()
        # An engine that nobody closes ends its connections when it is forgotten.
        self.close = weakref.finalize(self, _close, self.thread, self.pool)


def _close(thread: LoopThread, pool: HttpPool) -> None:
    thread.submit(pool.close()).result()
    thread.stop()


async def _opened(urls: Sequence[str], headers: Mapping[str, str], limits: Limits) -> HttpPool:
    return HttpPool(urls, headers, limits)
