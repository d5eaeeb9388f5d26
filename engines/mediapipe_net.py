"""mediapipe's own landmark graph behind the Net protocol, in a process and an environment of its own.

It answers as BlazePose's landmark net does, from the same crops, so everything around it stays as it is. Its
landmarks have been through their heat maps already: the maps given on are cold and move nothing.
"""

from __future__ import annotations

import subprocess
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.mediapipe_environment import ensure
from engines.mediapipe_messages import JOINTS, NUMBERS, SIDE, Answers, Crops, Failed, Ready, receive, send
from engines.mediapipe_messages import LANDMARKS as POINTS
from engines.pose import HEAT, LANDMARKS, MASK, PRESENCE, WORLD
from engines.runtimes.base import LoadedNet
from engines.runtimes.net import Arrays, NetInfo, TensorSpec, check_inputs
from stream.errors import ResourceError, WeightsError

WORKER: Final = Path(__file__).with_name("mediapipe_worker.py").resolve()
ALL_POINTS, CELLS = 39, 64
COLD: Final = -60.0
SUREST: Final = 1e-6
"""The nearest that a share comes to 0 or 1 before its logit is taken."""
END_S: Final = 5.0


class MediapipeNet(LoadedNet):
    """The process and its pipe. Not for two threads at once; the process ends with this."""

    def __init__(self, python: Path | None = None) -> None:
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._process = subprocess.Popen(
            [str(python or ensure()), "-I", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )
        self.close = weakref.finalize(self, _end, self._process, self._said)
        ready = self._receive()
        if not isinstance(ready, Ready):
            raise self._broken(f"it answered {type(ready).__name__} when it started")
        self._info = NetInfo(
            "pose_landmark_full.tflite",
            ready.sha256,
            "mediapipe",
            ready.version,
            "CPU",
            "f32",
            0,
            1,
            "in a process of its own, on as many threads as it takes",
        )
        self._inputs = {"input_1": TensorSpec("input_1", "uint8", (1, SIDE, SIDE, 3))}
        shapes = {
            LANDMARKS: (1, ALL_POINTS * NUMBERS),
            PRESENCE: (1, 1),
            MASK: (1, SIDE, SIDE, 1),
            HEAT: (1, CELLS, CELLS, ALL_POINTS),
            WORLD: (1, ALL_POINTS * 3),
        }
        self._outputs = {name: TensorSpec(name, "float32", shape) for name, shape in shapes.items()}
        self._cold = np.full(shapes[HEAT], COLD, np.float32)

    def run(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """One crop's answer."""
        return self.run_each([arrays])[0]

    def run_each(self, batches: Sequence[Arrays]) -> list[dict[str, NDArray[Any]]]:
        """All crops in one message; results in the order given."""
        if not batches:
            return []
        for arrays in batches:
            check_inputs(self._inputs, arrays)
        pixels = np.concatenate([arrays["input_1"] for arrays in batches])
        try:
            send(cast(Any, self._process.stdin), Crops(len(batches), pixels.tobytes()))
        except (BrokenPipeError, ValueError) as error:
            raise self._broken("it is gone") from error
        answers = self._receive()
        if not isinstance(answers, Answers):
            raise self._broken(f"it answered {type(answers).__name__}")
        return self._outputs_of(answers, len(batches))

    def _outputs_of(self, answers: Answers, count: int) -> list[dict[str, NDArray[Any]]]:
        try:
            presence = np.frombuffer(answers.presence, np.float32).reshape(count, 1, 1)
            points = np.frombuffer(answers.landmarks, np.float32).reshape(count, POINTS, NUMBERS)
            joints = np.frombuffer(answers.world, np.float32).reshape(count, JOINTS, 3)
            masks = np.frombuffer(answers.masks, np.float32).reshape(count, 1, SIDE, SIDE, 1)
        except ValueError as error:
            raise self._broken(f"its arrays have other shapes ({error})") from error
        landmarks = np.zeros((count, ALL_POINTS, NUMBERS), np.float32)
        landmarks[:, :POINTS] = points
        landmarks[..., 3:] = logits(landmarks[..., 3:])
        world = np.zeros((count, ALL_POINTS, 3), np.float32)
        world[:, :JOINTS] = joints
        return [
            {
                LANDMARKS: landmarks[place].reshape(1, -1),
                PRESENCE: presence[place],
                MASK: logits(masks[place]),
                HEAT: self._cold,
                WORLD: world[place].reshape(1, -1),
            }
            for place in range(count)
        ]

    def _receive(self) -> Ready | Crops | Answers:
        try:
            message = receive(cast(Any, self._process.stdout))
        except msgspec.DecodeError as error:
            raise self._broken(f"it wrote something else ({error})") from error
        if message is None:
            raise self._broken("it ended")
        if isinstance(message, Failed):
            raise WeightsError(f"mediapipe failed ({message.reason[:300]})", where="pose: mediapipe")
        return message

    def _broken(self, what: str) -> ResourceError:
        """The error for a process that does not do its part, with its own last words."""
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        last = f"; its last words: {lines[-1][:200]}" if lines else ""
        return ResourceError(
            f"mediapipe's process does not serve: {what}{last}",
            where="pose: mediapipe",
            fix="Delete its environment, named by `doctor`, to have it made again",
        )


def logits(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the logistic function makes these shares of."""
    held = np.clip(shares, SUREST, 1.0 - SUREST)
    return np.asarray(np.log(held / (1.0 - held)), dtype=np.float32)


def _end(process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    """Close the pipe, which ends the process; kill it where it does not."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                continue
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    said.close()
