"""Schedules: the flow as deployments of a real Prefect server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flows.config import RunConfig, load_config
from sdg.errors import BackendError, ConfigError


def serve_configs(paths: Sequence[Path], overrides: Sequence[str], out: Path | None) -> None:
    """Register one deployment per configuration and run them when they are due; does not return.

    A configuration is read again at every run, so that an edit takes effect at the next one.

    Args:
        paths: Configurations with a `schedule`.
        overrides: `a.b=c` settings for all of them.
        out: Where the data sets go, one folder per name; None means `runs/`.

    Raises:
        ConfigError: If one has no schedule or a cron text that Prefect refuses.
        BackendError: If no Prefect server answers.
    """
    from prefect import serve

    from flows.build import build_data_set

    _check_server()
    # Runs are processes of their own; their lines belong into the server's pages.
    os.environ["PREFECT_LOGGING_LEVEL"] = "INFO"
    deployments = []
    for path in paths:
        config = load_config(path, overrides)
        if config.schedule is None:
            raise ConfigError(
                f"`schedule.cron` must be given in `{path}` to serve it, but is missing. "
                'Example: --set \'schedule={"cron": "0 3 * * *"}\'.'
            )
        deployments.append(
            build_data_set.to_deployment(
                name=config.name,
                schedule=schedule_of(config),
                parameters=_parameters(path, overrides, config, out),
                tags=["pairmill"],
            )
        )
    serve(*deployments)  # type: ignore[arg-type]


def _parameters(
    path: Path, overrides: Sequence[str], config: RunConfig, out: Path | None
) -> dict[str, Any]:
    directory = (out or Path("runs")) / config.name
    source = str(path.resolve()) if path.is_file() else str(path)
    return {
        "config_path": source,
        "directory": str(directory.resolve()),
        "overrides": list(overrides),
    }


def schedule_of(config: RunConfig) -> Any:  # noqa: ANN401 - Prefect's schedule
    """Return the configured schedule as Prefect takes it; None without one.

    Raises:
        ConfigError: If Prefect refuses the cron text or the time zone.
    """
    from prefect.schedules import Cron

    schedule = config.schedule
    if schedule is None:
        return None
    try:
        # Prefect takes any name here, and its scheduler then never runs anything.
        ZoneInfo(schedule.timezone)
        return Cron(schedule.cron, timezone=schedule.timezone)
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise ConfigError(
            f"`schedule` must be a cron text and a time zone, but is {schedule.cron!r}, "
            f"{schedule.timezone!r} instead: {error}. Example: 0 3 * * *, Europe/Paris."
        ) from error


def _check_server() -> None:
    import httpx
    from prefect.settings import get_current_settings

    url = get_current_settings().api.url
    if not url:
        raise BackendError(
            "`pairmill serve` must have a Prefect server, but PREFECT_API_URL is not set. Start "
            "one with `prefect server start`, then set PREFECT_API_URL=http://127.0.0.1:4200/api."
        )
    try:
        httpx.get(f"{url}/health", timeout=10).raise_for_status()
    except httpx.HTTPError as error:
        raise BackendError(
            f"The Prefect server must answer at {url}, but: {error}. "
            "Start it with `prefect server start`, or correct PREFECT_API_URL.",
            retryable=True,
        ) from error
