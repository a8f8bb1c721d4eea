"""Asynchronous work seen as a plain iterator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
Give = Callable[[T], None]


def iterate(produce: Callable[[Give[T]], Coroutine[None, None, None]]) -> Generator[T, None, None]:
    """Yield what `produce` gives while it runs in an event loop in a thread of its own.

    Args:
        produce: Calls its argument with each value. Cancelled, and waited for, if the iterator is
            closed before its end or the waiting thread is interrupted.

    Raises:
        Exception: What `produce` raised, after every value given before; of a group of
            exceptions the first one.
    """
    given: SimpleQueue[list[T]] = SimpleQueue()
    loop = asyncio.new_event_loop()
    task = loop.create_task(produce(lambda value: given.put([value])))
    with ThreadPoolExecutor(1, thread_name_prefix="pairmill-async") as executor:
        future = executor.submit(loop.run_until_complete, task)
        # An empty list is the end mark: it comes after every value.
        future.add_done_callback(lambda _: given.put([]))
        try:
            while value := given.get():
                yield value[0]
            _raise_first(future.exception())
        finally:
            if not future.done():
                loop.call_soon_threadsafe(task.cancel)
                future.exception()
            loop.close()


def _raise_first(error: BaseException | None) -> None:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is not None:
        raise error
