"""Asynchronous work seen as a plain iterator."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
Give = Callable[[T], Awaitable[None]]


class LoopThread:
    """An event loop in a thread of its own, shared by every thread that has work for it.

    It ends with `stop`, with the object, or with the process, whichever comes first.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=_run, args=(self.loop,), name="pairmill-async", daemon=True
        )
        self._thread.start()
        self._stop = weakref.finalize(self, _stop, self.loop, self._thread)

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start `work` in the loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def stop(self) -> None:
        """Cancel what is under way, end the loop and wait for its thread."""
        self._stop()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(_cancel_all())
        loop.close()


async def _cancel_all() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(loop.stop)
    if thread is not threading.current_thread():
        thread.join()


def iterate(
    thread: LoopThread, produce: Callable[[Give[T]], Coroutine[None, None, None]]
) -> Generator[list[T], None, None]:
    """Yield what `produce` gives while it runs in the loop, all values at hand in one list.

    `await give(value)` returns when the list with the value was worked on, that is when the next
    one is asked for. So what `produce` does after it can rely on what the consumer did with it.

    Args:
        thread: Where `produce` runs.
        produce: Awaits its argument with each value. Cancelled, and waited for, if the iterator
            is closed before its end or the waiting thread is interrupted.

    Raises:
        Exception: What `produce` raised, after every value given before; of a group of
            exceptions the first one.
    """
    given: SimpleQueue[T | _End] = SimpleQueue()
    waiting: deque[asyncio.Future[None]] = deque()

    async def give(value: T) -> None:
        taken = thread.loop.create_future()
        waiting.append(taken)
        given.put(value)
        await taken

    def release(count: int) -> None:
        for _ in range(count):
            taken = waiting.popleft()
            if not taken.done():
                taken.set_result(None)

    task = thread.submit(produce(give))
    # The end mark comes after every value: both are put by the loop, one after the other.
    task.add_done_callback(lambda _: given.put(_END))
    try:
        is_over = False
        while not is_over:
            group, is_over = _take_all(given)
            if group:
                yield group
                thread.loop.call_soon_threadsafe(release, len(group))
        _raise_first(task.exception())
    finally:
        if not task.done():
            _cancel(thread, task, given)


class _End:
    """Marks that nothing more will be given."""


_END = _End()


def _take_all(given: SimpleQueue[T | _End]) -> tuple[list[T], bool]:
    """Return the values at hand, at least one unless it is over, and whether it is over."""
    group: list[T] = []
    value = given.get()
    while not isinstance(value, _End):
        group.append(value)
        try:
            value = given.get_nowait()
        except Empty:
            return group, False
    return group, True


def _cancel(thread: LoopThread, task: Future[None], given: SimpleQueue[T | _End]) -> None:
    """Cancel the work and wait until nothing of it runs any more."""
    task.cancel()
    while not isinstance(given.get(), _End):
        pass
    # `cancel` reaches the loop by its queue: what was cancelled ends before what is asked for now.
    if not thread.loop.is_closed():
        thread.submit(asyncio.sleep(0)).result()


def _raise_first(error: BaseException | None) -> None:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is not None:
        raise error
