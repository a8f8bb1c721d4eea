"""Ctrl-C ends a run at once: what is finished is on disk, the rest would be waited for."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

EXIT_STATUS = 130


def end_at_once_on_interrupt() -> None:
    """Make SIGINT end this process and its children (Prefect's own server) without waiting.

    Tasks run in threads that cannot be stopped, and a shard may take minutes. A crash at any
    moment is safe, so this is too.
    """
    signal.signal(signal.SIGINT, _end)


def _end(number: int, frame: FrameType | None) -> None:
    del number, frame
    for child in _children():
        try:
            os.kill(child, signal.SIGTERM)
        except ProcessLookupError:
            continue
    sys.stderr.write("\npairmill: interrupted; what was finished is kept, run it again to go on\n")
    sys.stderr.flush()
    os._exit(EXIT_STATUS)


def _children() -> list[int]:
    found: list[int] = []
    for path in Path("/proc/self/task").glob("*/children"):
        try:
            found += [int(word) for word in path.read_text(encoding="ascii").split()]
        except OSError:
            continue
    return found
