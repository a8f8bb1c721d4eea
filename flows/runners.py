"""Where tasks run: threads here, or a Ray or Dask cluster. We write no scheduler of our own."""

from __future__ import annotations

from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.config import RunnerConfig
from sdg.errors import missing_package


def task_runner(config: RunnerConfig) -> TaskRunner[Any]:
    """Return Prefect's task runner for `config`.

    On a cluster every worker must see the output folder under the same path.

    Raises:
        BackendError: If the runner's extra is not installed.
    """
    if config.kind == "threads":
        return ThreadPoolTaskRunner(max_workers=config.workers)
    if config.kind == "ray":
        try:
            from prefect_ray import RayTaskRunner
        except ImportError as error:
            raise missing_package("prefect_ray", "ray", "`runner.kind: ray`") from error
        return RayTaskRunner(address=config.address or None)
    try:
        from prefect_dask import DaskTaskRunner
    except ImportError as error:
        raise missing_package("prefect_dask", "dask", "`runner.kind: dask`") from error
    return DaskTaskRunner(address=config.address or None)
