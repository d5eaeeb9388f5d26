"""Our way for bench ``transport``: a camera of noise through the real stages, with nothing to compute.

    source --frame in shared memory + token--> perceive --people--> track --tracked--> last

Under the real supervisor, as processes over ipc, with heartbeats and a checkpoint every second. Each process
leaves ``NAME.json``: processor time and, by frame number, the moments (ns, this host's monotonic clock).
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.transport_ways import Noise, Pacer, changed
from stream.bus import Inlet, Outlet, Sent
from stream.checkpoint import Counting, Keeper
from stream.config import StreamConfig
from stream.errors import GaitwayError
from stream.feed import feed
from stream.frames import FrameReader, FrameWriter
from stream.ledger import Ledger
from stream.life import Life, run_process
from stream.loop import Ports, StageLoop
from stream.merge import Merge
from stream.messages import FrameMessage, FrameRef, FrameToken, Identified, Message, People, Tracked
from stream.runner import StagePlan
from stream.sources.base import Picture
from stream.stage import PassiveStage
from stream.stop import never
from stream.supervisor import Supervisor

CAMERA: Final = "cam1"
WARM: Final = 15  # frames: by then rings are mapped and modules loaded
STAGES: Final = ("source", "perceive", "track", "last")
ANSWERS: Final[dict[str, Callable[[FrameRef], FrameMessage]]] = {
    "perceive": lambda frame: People(frame, ()),
    "track": lambda frame: Tracked(frame, ()),
    "last": lambda frame: Identified(frame, ()),
}


class Passage(msgspec.Struct, frozen=True):
    """What is sent: ``frames`` at ``rate`` a second; 0: as fast as they are taken, none dropped.

    ``hops``: how many of the stages' hops they go through.
    """

    folder: str
    frames: int
    rate: float
    hops: int

    @property
    def stages(self) -> tuple[str, ...]:
        """Those that run."""
        return STAGES[: self.hops + 1]

    @property
    def config(self) -> StreamConfig:
        """As a pipeline has it unless told otherwise."""
        return StreamConfig()

    @property
    def path(self) -> Path:
        """Where sockets, books and notes lie."""
        return Path(self.folder)

    def hop(self, name: str) -> str:
        """The endpoint of the hop into ``name``."""
        return f"ipc://{self.folder}/{name}.sock"


class Notes(msgspec.Struct):
    """What one process says of itself: processor seconds from frame ``WARM`` on, moments by frame number."""

    cpu_s: float = 0.0
    sent_ns: dict[int, int] = {}
    had_ns: dict[int, int] = {}
    captured_ns: dict[int, int] = {}


class Camera:
    """A source of noise."""

    run, fps, problem, notes, expected_frames = "r", None, None, (), None
    width, height = 1920, 1080

    def __init__(self, passage: Passage, notes: Notes) -> None:
        self.camera, self.live = CAMERA, passage.rate > 0
        self._passage, self._noise, self._notes = passage, Noise(), notes

    def frames(self) -> Iterator[Picture]:
        """Each stamped when it is due."""
        pacer = Pacer(self._passage.rate)
        for number in range(self._passage.frames):
            image = self._noise.image(number)
            pacer.wait()
            if number == WARM:
                self._notes.cpu_s = -time.process_time()
            now_ns = time.monotonic_ns()
            yield Picture(number, now_ns, now_ns, image)

    def close(self) -> None:
        """Nothing is held."""


class Noting:
    """A sender that notes when each frame's message was handed to it."""

    def __init__(self, outlet: Outlet, notes: Notes) -> None:
        self._outlet, self._notes = outlet, notes
        self.tend, self.close = outlet.tend, outlet.close

    @property
    def sent(self) -> Sent:
        """As the outlet's."""
        return self._outlet.sent

    @property
    def under_way(self) -> int:
        """As the outlet's."""
        return self._outlet.under_way

    def send(self, message: Message, stopped: Callable[[], bool] = never) -> bool:
        """Note and send."""
        if isinstance(message, (FrameToken, People, Tracked)):
            self._notes.sent_ns[message.frame.number] = time.monotonic_ns()
        return self._outlet.send(message, stopped)


class Passing(PassiveStage):
    """Computes nothing; perception has the pixels in hand."""

    def __init__(self, name: str, notes: Notes) -> None:
        self._name, self._notes, self._frames = name, notes, FrameReader()

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        """Note when it was here."""
        now_ns, frame = time.monotonic_ns(), message.frame
        if frame.number == WARM:
            self._notes.cpu_s = -time.process_time()
        if isinstance(message, FrameToken):
            with self._frames.lease(message) as image:
                self._notes.captured_ns[frame.number] = frame.captured_ns
                if changed(image, frame.number):
                    raise GaitwayError(f"frame {frame.number} is not what was sent")
        self._notes.had_ns[frame.number] = now_ns
        return (ANSWERS[self._name](frame),)

    def close(self) -> None:
        """Unmap."""
        self._frames.close()


def ours(frames: int, rate: float, hops: int = len(STAGES) - 1) -> dict[str, Notes]:
    """Send them; what every process noted. Raises what went wrong in one of them."""
    with tempfile.TemporaryDirectory(prefix="gaitway-") as folder:
        passage = Passage(folder, frames, rate, hops)
        ledger = Ledger.create(passage.path / "ledger", passage.stages, [CAMERA])
        (passage.path / "checkpoints").mkdir()
        text = msgspec.json.encode(passage).decode()
        argv = (sys.executable, "-m", "benchmarks.transport_ours")
        plans = [
            StagePlan(name, argv=(*argv, name, text), source=name == "source") for name in passage.stages
        ]
        outcome = Supervisor(
            plans, ledger, pipeline="transport", folder=passage.path, config=passage.config
        ).run()
        ledger.close()
        if outcome.error is not None:
            raise outcome.error
        return {
            name: msgspec.json.decode((passage.path / f"{name}.json").read_bytes(), type=Notes)
            for name in passage.stages
        }


def _run(passage: Passage, name: str, life: Life) -> None:
    notes, ledger = Notes(), Ledger.open(passage.path / "ledger")
    limits, tokens = passage.config.limits, passage.config.token_limits
    following = passage.stages[passage.stages.index(name) + 1 :]
    live = passage.rate > 0 and name == "source"
    outlet = (
        Noting(
            Outlet(passage.hop(following[0]), live=live, limits=tokens if name == "source" else limits),
            notes,
        )
        if following
        else None
    )
    if name == "source":
        assert outlet is not None
        writer = FrameWriter(CAMERA, pipeline="transport")
        life.ready()
        feed(Camera(passage, notes), writer, outlet, ledger.stage(name), life.stop)
        outlet.close()
        writer.close()
    else:
        loop = _loop(passage, name, life, ledger, Ports(_inlet(passage, name), outlet), notes)
        life.ready()
        loop.run()
    notes.cpu_s += time.process_time()
    (passage.path / f"{name}.json").write_bytes(msgspec.json.encode(notes))
    ledger.close()


def _inlet(passage: Passage, name: str) -> Any:
    if name != "perceive":
        return Inlet(passage.hop(name), limits=passage.config.limits)
    inlet = Inlet(passage.hop(name), limits=passage.config.token_limits)
    return Merge({CAMERA: inlet}, live=[CAMERA] if passage.rate > 0 else [])


def _loop(passage: Passage, name: str, life: Life, ledger: Ledger, ports: Ports, notes: Notes) -> StageLoop:
    return StageLoop(
        name,
        Passing(name, notes),
        ports,
        cameras=[CAMERA],
        ledger=ledger.stage(name),
        stop=life.stop,
        keeper=Keeper(passage.path / "checkpoints", name, Counting({}), every_s=passage.config.checkpoint_s),
    )


if __name__ == "__main__":
    what = sys.argv[1]
    asked = msgspec.json.decode(sys.argv[2], type=Passage)
    sys.exit(run_process(what, lambda life: _run(asked, what, life), source=what == "source"))
