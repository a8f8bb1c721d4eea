"""The command line: arguments in, exit status out.

Exit status: 0 done, 1 a gate failed, 2 wrong usage or configuration, 3 a backend failed for good.
"""

from __future__ import annotations

import os
import sys
import warnings

from flows import (  # noqa: F401 - importing them registers their commands
    commands_build,
    commands_evidence,
    commands_mine,
    commands_send,
)
from flows.command_line import app
from flows.interrupt import end_at_once_on_interrupt
from sdg.errors import PairmillError
from sdg.vllm_process import set_process_defaults

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; a `PairmillError` becomes one message and its exit status."""
    # Thread settings are read when torch is imported, so they come before anything else.
    set_process_defaults(os.environ)
    end_at_once_on_interrupt()
    if not sys.warnoptions:
        # Deprecations inside vLLM and torch are no news to whoever builds a data set.
        warnings.simplefilter("ignore")
    try:
        app()
    except PairmillError as error:
        sys.stderr.write(f"pairmill: {error}\n")
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
