"""Answers for a running pipeline beside its supervisor: how it stands, and orders about its cameras."""

from __future__ import annotations

import threading
from typing import Final

import msgspec

from commands.config import CameraConfig, check_camera_name
from commands.plan import RunPlan, is_live, write_plan
from commands.process_plan import SOURCE, process_plan
from stream.control import ControlServer
from stream.errors import ConfigError, GaitwayError
from stream.health import health
from stream.ledger import Ledger
from stream.look import CameraState, Overseen, Status
from stream.messages import ControlReply, ControlRequest
from stream.sockets import wait_for
from stream.sources import SourceOptions, redact
from stream.supervisor import Supervisor

ORDERS: Final = ("list", "attach", "detach", "pause", "resume")
STATUS: Final = "status"
"""Answered with a ``Status`` and a ``Health``; asked by `run_pipeline.py top`."""
_LOOK_S: Final = 0.1


class CameraDesk:
    """While entered, answers at the supervisor's socket; on a thread of its own."""

    def __init__(self, plan: RunPlan, supervisor: Supervisor, ledger: Ledger) -> None:
        self._plan, self._supervisor, self._ledger = plan, supervisor, ledger
        self._overseen = Overseen(plan.pipeline, ledger)
        self._leaving: set[str] = set()
        self._over = threading.Event()
        self._ready = threading.Event()
        self._error: GaitwayError | None = None
        self._thread = threading.Thread(target=self._serve, name="cameras", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def status(self) -> Status:
        """How the pipeline stands; from any thread."""
        plan, paused = self._plan, self._supervisor.paused
        states = {
            name: CameraState(redact(camera.source), name in plan.live_cameras, SOURCE + name in paused)
            for name, camera in plan.config.cameras.items()
        }
        return self._overseen.status(self._supervisor.look(), states)

    def _serve(self) -> None:
        security, servers = self._plan.config.security, []
        try:
            servers.append(ControlServer(self._plan.supervisor))
            if security.control:
                keys = security.guarding(security.control, "operator")
                servers.append(ControlServer(security.control, keys=keys))
        except GaitwayError as error:
            self._error = error
            self._over.set()
        self._ready.set()
        while not self._over.is_set():
            wait_for([server.socket for server in servers], _LOOK_S)
            for server in servers:
                server.serve(self.answer)
        for server in servers:
            server.close()

    def answer(self, request: ControlRequest) -> ControlReply:
        """Do what was asked; raises GaitwayError where it cannot be done."""
        name = str(request.arguments.get("camera", ""))
        if request.verb == STATUS:
            status = self.status()
            verdict = health(status, self._plan.config.health_limits)
            return ControlReply(ok=True, result=msgspec.to_builtins({"status": status, "health": verdict}))
        if request.verb == "list":
            return ControlReply(ok=True, result={"cameras": [self._state(one) for one in self._plan.cameras]})
        if request.verb == "attach":
            self._attach(name, str(request.arguments.get("source", "")))
        elif request.verb == "detach":
            if self._attached() == [name]:
                raise ConfigError(f"{name} is the only camera", fix="Stop the pipeline instead (Ctrl-C)")
            self._supervisor.tell(self._running(name), "drain")
            self._leaving.add(name)
        elif request.verb in ("pause", "resume"):
            self._supervisor.tell(self._running(name), request.verb)
        else:
            raise ConfigError(f"no such order: {request.verb[:40]!r}", wanted=", ".join((*ORDERS, STATUS)))
        return ControlReply(ok=True, result={"camera": name})

    def _attached(self) -> list[str]:
        running = self._supervisor.running
        return [one for one in self._plan.cameras if SOURCE + one in running and one not in self._leaving]

    def _running(self, name: str) -> str:
        attached = self._attached()
        if name not in attached:
            raise ConfigError(f"no camera {name[:40]!r} is attached", wanted=", ".join(attached))
        if self._plan.recorded:
            raise ConfigError("this pipeline reads recordings", wanted="a pipeline over live cameras")
        return SOURCE + name

    def _attach(self, name: str, source: str) -> None:
        """Start a camera's source: a new one, or one of the plan that was detached."""
        check_camera_name(name, "cameras attach")
        if name in self._attached():
            raise ConfigError(f"camera {name} is attached already")
        if SOURCE + name in self._supervisor.running:
            raise ConfigError(f"camera {name} is still being detached", fix="Try again in a moment")
        if self._plan.recorded or self._plan.config.stream.transport != "ipc":
            fix = "Start a pipeline of its own for it"
            raise ConfigError("cameras can be attached to live pipelines of processes", fix=fix)
        known = self._plan.config.cameras.get(name)
        if not source and known is None:
            raise ConfigError(f"what does camera {name} look at?", wanted=f"cameras attach {name}=SOURCE")
        camera = CameraConfig(source, SourceOptions()) if source else known
        assert camera is not None, "given or known"
        if not is_live(camera.source):
            raise ConfigError(f"{redact(camera.source)} is a recording", wanted="a live camera")
        config = self._plan.config
        cameras = {**config.cameras, name: camera}
        self._plan = msgspec.structs.replace(
            self._plan, config=msgspec.structs.replace(config, cameras=cameras)
        )
        write_plan(self._plan)
        self._leaving.discard(name)
        self._supervisor.attach(process_plan(self._plan, SOURCE + name), name, into="perceive")

    def _state(self, name: str) -> dict[str, object]:
        source = SOURCE + name
        running = name in self._attached()
        state = "paused" if source in self._supervisor.paused else "attached" if running else "detached"
        books = {one.camera: one for one in self._ledger.balance(running=True).cameras}.get(name)
        return {
            "camera": name,
            "source": redact(self._plan.config.cameras[name].source),
            "state": state,
            "captured": books.captured if books else 0,
            "processed": books.processed if books else 0,
            "dropped": dict(books.dropped) if books else {},
        }
