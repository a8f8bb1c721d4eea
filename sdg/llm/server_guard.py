"""Runs a server until whoever started it ends: `python server_guard.py COMMAND ...`.

A server whose starter is killed would live on, with its workers and their gigabytes. The guard
leads a process group of its own, starts the server in it, and waits for the end of its standard
input, which comes however the starter ends. Then the whole group is ended, first gently. It exits
with the server's status if that ends first. Run as a file: it imports nothing of Pairmill.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

_GENTLY_SECONDS = 20.0


def main(command: list[str]) -> int:
    """Run `command` until it or standard input ends."""
    # The group's signals are for the server; the guard must outlive them to finish its work. To
    # ignore them would make the server ignore them, too.
    signal.signal(signal.SIGTERM, lambda *_: None)
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603
    threading.Thread(target=_end_with_input, args=(server,), daemon=True).start()
    status = server.wait()
    # Workers of a server that died are of its group, too.
    os.killpg(os.getpgrp(), signal.SIGTERM)
    return status if status >= 0 else 128 - status


def _end_with_input(server: subprocess.Popen[bytes]) -> None:
    # Not through `sys.stdin`: its lock would be held when the process ends.
    while os.read(0, 1024):
        pass
    os.killpg(os.getpgrp(), signal.SIGTERM)
    try:
        server.wait(_GENTLY_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
