"""What one run of the pipeline is: written once as JSON, read by every stage that belongs to it."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec

from commands.config import PipelineConfig
from stream.config import hop_endpoints, runtime_folder
from stream.errors import FOREIGN, MessageError, ResourceError

Last = Literal["embed", "publish"]

FLOW: Final = ("source", "perceive", "track", "embed", "identify", "publish")
"""The stages in the order of the flow; these names stand in the ledger."""
TRACE_SUFFIX: Final = ".trace"
CHECKPOINTS: Final = "checkpoints"
SUPERVISOR: Final = "supervisor.sock"


class RunPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run: its configuration, where its results go, and how far it goes.

    ``pipeline`` names its sockets and shared memory. ``last`` is the final stage: ``embed`` observes without
    a gallery (enrolment), ``publish`` is the whole flow. ``traces`` keeps what perceive, track, embed sent.
    ``record``: the folder in which perception keeps what it looks at; ``replay``: such a one, to be played.
    """

    pipeline: str
    results: str
    config: PipelineConfig
    last: Last = "publish"
    traces: bool = False
    record: str = ""
    replay: str = ""

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages of this run, in the order of the flow."""
        return FLOW[: FLOW.index(self.last) + 1]

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras, in a fixed order."""
        return tuple(sorted(self.config.cameras))

    @property
    def live_cameras(self) -> tuple[str, ...]:
        """The cameras whose frames cannot be waited for."""
        if self.replay:
            return ()
        return tuple(name for name in self.cameras if is_live(self.config.cameras[name].source))

    @property
    def recorded(self) -> bool:
        """Whether every source is a recording, so that the run can be repeated byte for byte."""
        return not self.live_cameras

    @property
    def folder(self) -> Path:
        """The runtime folder: sockets, ledger, logs."""
        return runtime_folder(self.config.stream, self.pipeline)

    @property
    def ledger(self) -> Path:
        """The file every stage counts in."""
        return self.folder / "ledger"

    @property
    def plan_file(self) -> Path:
        """Where the stages find this plan."""
        return self.folder / "plan.json"

    @property
    def event_log(self) -> Path:
        """The event log: as configured, relative to the results."""
        return Path(self.results) / self.config.events.log

    @property
    def durable(self) -> bool:
        """Whether stages keep checkpoints, to be started again from: processes of a whole flow do."""
        stream = self.config.stream
        return stream.transport != "inproc" and stream.restarts > 0 and self._keeps_nothing_else

    @property
    def _keeps_nothing_else(self) -> bool:
        return self.last == "publish" and not self.traces and not self.replay  # cannot be taken up again

    @property
    def has_sinks(self) -> bool:
        """Whether events of this run go elsewhere beside ZeroMQ."""
        return self.last == "publish" and self.config.sinks.any

    @property
    def checkpoints(self) -> Path:
        """Where the stages keep their checkpoints while the pipeline runs."""
        return Path(self.results) / CHECKPOINTS

    @property
    def control(self) -> str:
        """The identify stage's control socket; a folder's path keeps it to this user."""
        return f"ipc://{self.folder}/control.sock"

    @property
    def supervisor(self) -> str:
        """The supervisor's control socket: cameras are attached, detached and paused there."""
        return f"ipc://{self.folder}/{SUPERVISOR}"

    def hop_of(self, camera: str) -> str:
        """The endpoint where perception takes a camera's frames."""
        name = f"frames-{camera}"
        if camera in self.config.cameras:
            return self.hop(name)
        stream = msgspec.structs.replace(self.config.stream, endpoints={})  # attached meanwhile: over ipc
        return hop_endpoints(stream, self.folder, [name])[name]

    def trace(self, stage: str) -> Path:
        """Where ``stage`` keeps what it sent."""
        return Path(self.results) / f"{stage}{TRACE_SUFFIX}"

    def hop(self, name: str) -> str:
        """The endpoint of a hop: ``frames-CAMERA`` into perceive, else named for the stage it leads into."""
        frames = [f"frames-{camera}" for camera in self.cameras]
        return hop_endpoints(self.config.stream, self.folder, [*frames, *self.stages[2:]])[name]


def forget_traces(plan: RunPlan) -> None:
    """Remove the traces: they hold silhouettes and templates, and what was to be drawn has been drawn."""
    for stage in plan.stages:
        plan.trace(stage).unlink(missing_ok=True)


def is_live(source: str) -> bool:
    """Whether a source's form says that it is live."""
    if source.startswith("walkers:"):
        from gait.walkers.source import WalkersSpec  # noqa: PLC0415 - brings a renderer that few stages need

        return bool(WalkersSpec.parse(source).live)
    return source.startswith(("rtsp://", "rtsps://", "http://", "https://", "usb:"))


def write_plan(plan: RunPlan) -> None:
    """Leave the plan where the stages look for it; readable by this user alone (it may hold passwords)."""
    try:
        plan.plan_file.touch(mode=0o600)
        plan.plan_file.write_bytes(msgspec.json.encode(plan))
    except OSError as error:
        raise ResourceError(
            f"the plan cannot be written ({error.strerror})", where=str(plan.plan_file), fix="Free the disk"
        ) from error


def read_plan(path: Path) -> RunPlan:
    """The plan at ``path``; raises MessageError where it is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunPlan)
    except OSError as error:
        raise ResourceError(
            f"no plan ({error.strerror})", where=str(path), fix="Stages are started by `run_pipeline.py run`"
        ) from error
    except FOREIGN as error:
        raise MessageError(f"damaged plan ({error})", where=str(path)) from error
