"""From presentation times as they stand in a stream to capture times that can be trusted to grow."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from stream.sources.base import NS_PER_S

RESTART_NS: Final = NS_PER_S
"""A jump back by more than this is a clock that started anew (joined recordings); less is a bad stamp."""
DEFAULT_STEP_NS: Final = NS_PER_S // 25
WINDOW_NS: Final = 5 * NS_PER_S
"""How far back a live clock looks for a picture that came without delay; some do in any 5 s."""
MAX_BACKLOG: Final = 250
"""Pictures; more never pile up while a connection is opened: such stamps are of no use."""
MAX_PIECE_NS: Final = 30 * NS_PER_S
"""Longer than any piece of a stream that comes in pieces; stamps further ahead have jumped."""
JITTER_NS: Final = NS_PER_S
"""A picture more than this later than its stamp says did not wait in a queue: the stamps jumped."""


def to_ns(stamp: int, time_base: Fraction) -> int:
    """A stamp in units of ``time_base`` seconds, in nanoseconds, rounded down."""
    return stamp * NS_PER_S * time_base.numerator // time_base.denominator


class RecordedClock:
    """Capture times of one recording: strictly increasing, the first at ``epoch_ns``.

    A good stamp counts as it stands, from the first stamp on. Of the others, each counted:

    - ``missing``: one nominal step after the picture before;
    - ``repeated``: not later than the picture before, by up to 1 s: one nominal step after it; later good
      stamps keep their own place;
    - ``restarted``: more than 1 s back: one nominal step after the picture before, and all later stamps
      move along.

    The nominal step is the stream's frame rate, 25 Hz where it states none.
    """

    def __init__(self, epoch_ns: int, step_ns: int | None = None) -> None:
        self._step_ns = step_ns if step_ns and step_ns > 0 else DEFAULT_STEP_NS
        self._next_ns = epoch_ns
        self._last_ns: int | None = None
        self._offset_ns: int | None = None
        self.missing = self.repeated = self.restarted = 0

    def capture(self, stamp_ns: int | None) -> int:
        """The capture time of the next picture, whose own stamp is ``stamp_ns`` or None."""
        if stamp_ns is None:
            self.missing += 1
            return self._set(self._next_ns)
        if self._offset_ns is None:  # the first stamp there is
            self._offset_ns = self._next_ns - stamp_ns
        captured_ns = stamp_ns + self._offset_ns
        if self._last_ns is None or captured_ns > self._last_ns:
            return self._set(captured_ns)
        if captured_ns < self._last_ns - RESTART_NS:
            self.restarted += 1
            self._offset_ns = self._next_ns - stamp_ns
        else:
            self.repeated += 1
        return self._set(self._next_ns)

    def _set(self, captured_ns: int) -> int:
        self._last_ns = captured_ns
        self._next_ns = captured_ns + self._step_ns
        return captured_ns

    @property
    def notes(self) -> tuple[str, ...]:
        """What was repaired, one line, or nothing."""
        causes = {"missing": self.missing, "repeated": self.repeated, "restarted": self.restarted}
        repaired = ", ".join(f"{count} {cause}" for cause, count in causes.items() if count)
        return (f"timestamps repaired: {repaired}",) if repaired else ()


def host_clock() -> Callable[[], int]:
    """Nanoseconds since the epoch that only grow: setting this host's clock moves no picture."""
    ahead_ns = time.time_ns() - time.monotonic_ns()
    return lambda: time.monotonic_ns() + ahead_ns


class LiveClock:
    """Capture times of one camera connection, on this host's clock, strictly increasing.

    A camera's stamps are even but on a clock of its own; arrivals are on ours but late by whatever waited on
    the way. Nothing arrives early, so the smallest (arrival - stamp) of the last 5 s is the distance between
    the two clocks, plus the shortest way, and follows their drift. Without a stamp, the arrival counts.
    """

    def __init__(self) -> None:
        self._distances: deque[tuple[int, int]] = deque()  # (arrival, distance), distances growing
        self._last_ns: int | None = None

    def capture(self, stamp_ns: int | None, arrival_ns: int) -> int:
        """The capture time of a picture that arrived at ``arrival_ns``, never before an earlier one's."""
        captured_ns = arrival_ns if stamp_ns is None else stamp_ns + self._distance(stamp_ns, arrival_ns)
        if self._last_ns is not None:
            captured_ns = max(captured_ns, self._last_ns + 1)
        self._last_ns = captured_ns
        return captured_ns

    def _distance(self, stamp_ns: int, arrival_ns: int) -> int:
        now_ns = arrival_ns - stamp_ns
        distances = self._distances
        if distances and now_ns > distances[0][1] + JITTER_NS:
            distances.clear()
        while distances and distances[0][0] < arrival_ns - WINDOW_NS:
            distances.popleft()
        while distances and distances[-1][1] >= now_ns:
            distances.pop()
        distances.append((arrival_ns, now_ns))
        return distances[0][1]


class SteadyPace:
    """Holds pictures that come in heaps back to the pace of their stamps; what comes late begins anew."""

    def __init__(
        self,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._clock_ns, self._sleep = clock_ns, sleep
        self._ahead_ns: int | None = None

    def wait(self, stamp_ns: int | None) -> None:
        """Return when the picture of this stamp is due."""
        now_ns = self._clock_ns()
        if stamp_ns is None:
            return
        wait_ns = 0 if self._ahead_ns is None else stamp_ns - self._ahead_ns - now_ns
        if (
            self._ahead_ns is None or not -JITTER_NS < wait_ns < MAX_PIECE_NS
        ):  # the stream began anew, or stood
            self._ahead_ns = stamp_ns - now_ns
        elif wait_ns > 0:
            self._sleep(wait_ns / NS_PER_S)


class SenderReports:
    """The camera's own clock, from its RTCP sender reports, beside ours.

    Where the two agree within ``BELIEVED_NS`` (both kept by NTP), the camera's time of capture is believed:
    it knows nothing of the way to us. Otherwise ours counts, as without reports. ``notes`` state how far the
    camera's clock was behind ours, at the last picture, and how that drifted since the first.
    """

    BELIEVED_NS: Final = NS_PER_S

    def __init__(self) -> None:
        self._first: tuple[int, int] | None = None  # (arrival, how far the camera's clock is behind)
        self._last: tuple[int, int] | None = None
        self._captured_ns = 0

    def times(self, stamp_ns: int, theirs_ns: int, arrival_ns: int, ours: LiveClock) -> tuple[int, int]:
        """Capture time by this host and by the camera, who says it was ``theirs_ns``."""
        estimated_ns = ours.capture(stamp_ns, arrival_ns)
        self._last = (arrival_ns, estimated_ns - theirs_ns)
        self._first = self._first or self._last
        believed = abs(estimated_ns - theirs_ns) <= self.BELIEVED_NS
        captured_ns = min(theirs_ns, arrival_ns) if believed else estimated_ns
        self._captured_ns = max(captured_ns, self._captured_ns + 1)
        return self._captured_ns, theirs_ns

    @property
    def notes(self) -> tuple[str, ...]:
        """Offset and drift of the camera's clock, one line, or nothing."""
        if self._first is None or self._last is None:
            return ()
        passed_ns, drift_ns = (last - first for last, first in zip(self._last, self._first, strict=True))
        drift = f", drifting {drift_ns / passed_ns * 1e6:+.0f} ppm" if passed_ns > 10 * NS_PER_S else ""
        return (f"the camera's clock is {self._last[1] / 1e6:+.0f} ms behind ours{drift}",)


class Backlog:
    """Tells pictures that piled up while a connection was opened: nobody knows any more when they arrived.

    The pile is used up once a picture kept us waiting for half of the time that lies between its stamp and
    the one before; without stamps nobody can tell, and nothing is skipped but the first two.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._over = False
        self._before: tuple[int | None, int] | None = None

    def holds(self, stamp_ns: int | None, arrival_ns: int) -> bool:
        """True for a picture to be skipped."""
        if not self._over:
            self._over = self._used_up(stamp_ns, arrival_ns)
            self._before = (stamp_ns, arrival_ns)
            self.skipped += not self._over
        return not self._over

    def _used_up(self, stamp_ns: int | None, arrival_ns: int) -> bool:
        if self._before is None:
            return False
        before_ns, arrived_ns = self._before
        if stamp_ns is None or before_ns is None:
            return self.skipped >= 2
        return 2 * (arrival_ns - arrived_ns) >= stamp_ns - before_ns or self.skipped >= MAX_BACKLOG
