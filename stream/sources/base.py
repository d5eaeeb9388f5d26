"""What every source of frames looks like from outside: one narrow protocol, one frozen picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.errors import SourceError

NS_PER_S: Final = 1_000_000_000
EPOCH_2000_NS: Final = 946_684_800 * NS_PER_S
"""2000-01-01T00:00:00Z, where recorded time starts unless told: the same file, the same times."""
MAX_PIXELS: Final = 7680 * 4320
"""Pictures beyond 8K are refused: one would fill the frame ring's whole budget."""

Image = NDArray[np.uint8]
"""BGR, (height, width, 3); perhaps read-only, and valid for as long as it is referenced."""
Pixels = Annotated[int, msgspec.Meta(gt=0, le=65_535)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class SourceOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How sources are read; the same for every form of source, each uses what concerns it.

    ``epoch_ns``: capture time of a recording's first picture. ``realtime``: hand out a recording no faster
    than it was taken. ``decode_threads``: threads of one decoder; 1 leaves the other cores to the other
    stages and conceals errors in a damaged file the same way every time. ``image_fps``: rate of a folder of
    images, which have no clock of their own. ``open_timeout_s``, ``stall_timeout_s``: how long a camera may
    keep us waiting for its first and for each further packet (1.8 s: nine times the longest gap that a
    healthy camera behind a busy switch showed, and a stall is known within 2 s). ``rtsp_transport``: TCP
    loses no packets. ``size``, ``fps``: asked of a USB camera; None leaves the choice to it. ``budget_s``: a
    live picture older than this is dropped as late, in the source or before perception (1 s: a person
    crosses a door in two). ``priority``: under overload cameras of lower priority are thinned out first.
    ``decoder``: of cameras; ``auto`` is the graphics processor where there is one that decodes.
    """

    epoch_ns: int = EPOCH_2000_NS
    realtime: bool = False
    decode_threads: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    image_fps: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 25.0
    open_timeout_s: Seconds = 5.0
    stall_timeout_s: Seconds = 1.8
    rtsp_transport: Literal["tcp", "udp"] = "tcp"
    size: tuple[Pixels, Pixels] | None = None
    fps: Annotated[float, msgspec.Meta(gt=0, le=1000)] | None = None
    budget_s: Seconds = 1.0
    priority: Annotated[int, msgspec.Meta(ge=0, le=9)] = 5
    decoder: Literal["auto", "software", "cuda", "vaapi", "qsv", "videotoolbox", "d3d11va"] = "auto"


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded picture: its number from 0, when it was taken, and its pixels.

    ``captured_ns``: nanoseconds since the epoch, strictly increasing within a source. ``source_ns``: the
    source's own clock as it stood in the stream, unrepaired (``captured_ns`` where it gave none).
    """

    number: int
    captured_ns: int
    source_ns: int
    image: Image


class Source(Protocol):
    """Pictures of one camera, in order of capture time.

    ``frames`` is iterated once. A recording that ends early or is damaged hands out all that could be read
    and then sets ``problem``; a live source that loses its camera does the same. Errors that leave nothing
    to read are raised when the source is opened.
    """

    @property
    def camera(self) -> str:
        """The camera's name in the configuration."""
        ...

    @property
    def run(self) -> str:
        """A recording: hash of its content. A camera: when it was opened."""
        ...

    @property
    def live(self) -> bool:
        """A live source may drop pictures when late; a recorded one waits."""
        ...

    @property
    def width(self) -> int | None:
        """Pixels, as pictures are handed out (after rotation); None while unknown."""
        ...

    @property
    def height(self) -> int | None:
        """Pixels, as pictures are handed out (after rotation); None while unknown."""
        ...

    @property
    def fps(self) -> float | None:
        """Nominal rate, for progress and pacing only; never a clock."""
        ...

    @property
    def expected_frames(self) -> int | None:
        """An estimate for progress bars; None where nobody knows."""
        ...

    @property
    def problem(self) -> SourceError | None:
        """After ``frames`` ended: why it ended before its time, or None."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """After ``frames`` ended: what was repaired or skipped, one line each."""
        ...

    def frames(self) -> Iterator[Picture]:
        """Every picture, in order; call once."""
        ...

    def close(self) -> None:
        """Release file or camera; may be called twice, and from another thread than ``frames`` runs in."""
        ...
