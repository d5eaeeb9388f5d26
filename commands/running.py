"""The pipeline that runs on this machine, for verbs that ask it something."""

from __future__ import annotations

from commands.plan import SUPERVISOR
from stream.config import StreamConfig, runtime_folder
from stream.errors import ConfigError, ResourceError
from stream.sockets import listening


def supervisor_endpoint(stream: StreamConfig, name: str) -> str:
    """The supervisor's socket of the pipeline called ``name``, or of the only one that runs.

    Raises ResourceError where none runs, ConfigError where it is not clear which is meant.
    """
    if name:
        return f"ipc://{runtime_folder(stream, name) / SUPERVISOR}"
    base = runtime_folder(stream, "")  # of all pipelines
    running = sorted(
        path for path in base.glob(f"*/{SUPERVISOR}") if path.is_socket() and listening(f"ipc://{path}")
    )
    if len(running) == 1:
        return f"ipc://{running[0]}"
    if not running:
        raise ResourceError("no pipeline is running", fix="Start one: run_pipeline.py run")
    names = ", ".join(path.parent.name for path in running)
    raise ConfigError("several pipelines are running", wanted=f"--id with one of {names}")
