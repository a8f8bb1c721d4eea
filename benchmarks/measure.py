"""One piece of work in a process of its own: CPU seconds, wall seconds, memory above the start.

A contender is a function that gets JSON arguments, imports and warms up what it needs, and
returns the work. Only the work is measured; what came before it is reported as start-up.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Work = Callable[[], dict[str, Any]]

_ROOT = Path(__file__).parent.parent
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
)
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one contender cost.

    Attributes:
        cpu_seconds: User and system time of the work, all threads.
        wall_seconds: Of the work.
        startup_cpu_seconds: Imports, compilation and warm-up before it.
        base_mib: Resident memory when the work began.
        peak_mib: Highest resident memory during the work, above `base_mib`; pages of mapped files
            count.
        value: What the work returned.
    """

    cpu_seconds: float
    wall_seconds: float
    startup_cpu_seconds: float
    base_mib: float
    peak_mib: float
    value: dict[str, Any]


def measure(
    contender: str,
    arguments: Mapping[str, Any],
    *,
    threads: int = 1,
    environment: Mapping[str, str] | None = None,
) -> Measurement:
    """Run a contender in a new process and return what its work cost.

    Args:
        contender: `module:function`; the function takes `arguments` and returns the work.
        arguments: JSON.
        threads: For OpenMP, BLAS, numba and Polars; the process also stays on as many cores.
        environment: Further variables, set before anything is imported.

    Raises:
        RuntimeError: If the process fails; with the end of what it printed.
    """
    own = {
        **os.environ,
        **dict.fromkeys(_THREAD_VARIABLES, str(threads)),
        # Threads that spin while they wait would count as work.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        **(environment or {}),
    }
    own["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT), own.get("PYTHONPATH", "")]))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "measurement.json"
        command = [sys.executable, "-m", "benchmarks.measure", contender]
        done = subprocess.run(
            [*command, json.dumps(dict(arguments)), str(out)],
            env=own,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(
                f"`{contender}` must end with status 0, but ended with {done.returncode}: "
                f"{done.stderr[-3000:]}"
            )
        return Measurement(**json.loads(out.read_text(encoding="utf-8")))


def main(argv: list[str]) -> None:
    """Prepare, then measure: `module:function`, JSON arguments, path of the result."""
    _stay_on_few_cores(int(os.environ["OMP_NUM_THREADS"]))
    module, _, name = argv[0].partition(":")
    work: Work = getattr(importlib.import_module(module), name)(**json.loads(argv[1]))
    gc.collect()
    startup = _cpu_seconds()
    base = _reset_peak()
    began = time.perf_counter()
    value = work()
    wall = time.perf_counter() - began
    result = Measurement(
        cpu_seconds=_cpu_seconds() - startup,
        wall_seconds=wall,
        startup_cpu_seconds=startup,
        base_mib=base,
        peak_mib=max(0.0, _peak_mib() - base),
        value=value,
    )
    Path(argv[2]).write_text(json.dumps(asdict(result)), encoding="utf-8")


def _stay_on_few_cores(count: int) -> None:
    """Let this process use `count` cores, so that no thread runs beside those asked for."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def _cpu_seconds() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _reset_peak() -> float:
    """Return resident memory in MiB, and let the kernel's record of the peak begin here.

    Where the kernel does not allow it, the peak of the imports stays in the record: then the
    figure above the base is too low by what they freed, which is little.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / _MIB
    return _status_mib("VmRSS")


def _peak_mib() -> float:
    try:
        return _status_mib("VmHWM")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / _MIB


def _status_mib(field: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (line,) = [line for line in lines if line.startswith(f"{field}:")]
    return int(line.split()[1]) * 1024 / _MIB


if __name__ == "__main__":
    main(sys.argv[1:])
