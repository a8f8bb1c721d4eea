"""Environment variables that third parties read when they are imported."""

from __future__ import annotations

import os

# Prefect's SDK and server, Hugging Face and vLLM all report usage unless told not to.
_TELEMETRY_OFF = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "VLLM_NO_USAGE_STATS": "1",
}
_PATIENCE = {
    # Without a server of its own Prefect starts one; on a busy machine 20 seconds are too few.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
}
_QUIET = {
    # Our own message says what went wrong; Prefect would print the same with its own stack.
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PYTHONWARNINGS": "ignore",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "TOKENIZERS_PARALLELISM": "false",
}


def quiet_third_parties() -> None:
    """Switch telemetry off for good, and logs down unless the user asked for them."""
    os.environ.update(_TELEMETRY_OFF)
    for name, value in (_PATIENCE | _QUIET).items():
        os.environ.setdefault(name, value)
