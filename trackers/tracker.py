"""One camera's tracker: who is where, frame by frame, under ids that are never rewritten.

People in, ``Sighting``s out; no windows, no samples. Memory is bounded: a track is forgotten ``lost_s`` after
it was last seen, and ids are a counter per instance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stream.errors import GaitwayError
from stream.messages import Box, FrameRef, People, Person, TrackletId
from trackers.associate import (
    NO_HINT,
    Matches,
    Rows,
    hidden_share,
    hint_cost,
    iou,
    keypoint_similarity,
    motion_cost,
    solve,
)
from trackers.config import NS_PER_S, TrackConfig
from trackers.motion import BoxFilter, Floats, centred, cornered
from trackers.outline import Grids, empty, grid_of, grid_overlap

KEYPOINT_TOLERANCE = 0.08  # heights; a swinging ankle moves 0.06 heights between two frames of 30 fps
KEYPOINT_MEMORY_S = 0.2  # limbs are elsewhere after half a step
LEAST_SIMILARITY = 0.02
LEAST_IOU = 0.05  # boxes that miss each other may still be one person after a stall
MAX_PIXELS = 1e6  # a box beyond this is no box; NaN is beyond everything


@dataclass
class TrackState:
    """What is remembered of one track beyond its box; ``person`` and ``score`` are this frame's, if seen."""

    tracklet: TrackletId
    first_ns: int
    last_ns: int
    hits: int = 0
    confirmed: bool = False
    person: int | None = None
    score: float = 0.0
    leaving: bool = False


@dataclass(frozen=True)
class Sighting:
    """A live track in one frame: where it is, and which of the frame's people (None while unseen).

    ``box`` is the filter's, ``speed`` that of its centre in heights per second.
    """

    tracklet: TrackletId
    box: Box
    person: int | None
    score: float
    confirmed: bool
    speed: float


@dataclass(frozen=True)
class Step:
    """One frame's outcome: seen tracks in the order of the people, then unseen ones; and what ended.

    ``ignored`` counts people whose box or score was not finite, or whose box was empty.
    """

    tracks: tuple[Sighting, ...]
    ended: tuple[TrackState, ...]
    ignored: int


@dataclass(frozen=True)
class _Detections:
    """The usable people of one frame; ``index`` are their places in the frame's people."""

    index: Rows
    boxes: Floats
    scores: Floats
    hints: Rows
    keypoints: Floats
    outlines: Grids
    at_border: NDArray[np.bool_]  # (M, 4) left, top, right, bottom
    ignored: int


@dataclass
class CameraTracker:
    """Follows the people of one camera and run."""

    camera: str
    run: str
    config: TrackConfig = field(default_factory=TrackConfig)
    filter: BoxFilter = field(init=False)
    states: list[TrackState] = field(default_factory=list)
    hints: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    keypoints: Floats = field(default_factory=lambda: np.zeros((0, 0, 3)))
    outlines: Grids = field(default_factory=lambda: empty(0))
    layout: str = ""
    last_ns: int | None = None
    born: int = 0

    def __post_init__(self) -> None:
        self.filter = BoxFilter(self.config.motion)

    def update(self, people: People) -> Step:
        """Take one frame; raises GaitwayError where it is another camera's or its time does not advance."""
        now_ns = people.frame.captured_ns
        dt_s = self._advance(people.frame)
        self.filter.warp(people.motion)
        self.filter.predict(dt_s)
        ended = self._forget_lost(now_ns)
        found = self._detections(people.people, people.frame)
        matched = self._associate(found, now_ns)
        matched = self._start(found, matched, now_ns)
        self._correct(found, matched, now_ns)
        self._drop_unconfirmed()
        return Step(self._describe(), ended, found.ignored)

    def finish(self) -> tuple[TrackState, ...]:
        """The stream is over: forget every track; returns the confirmed ones, oldest first."""
        ended = tuple(state for state in self.states if state.confirmed)
        self._keep(np.zeros(0, dtype=np.intp))
        return ended

    def _advance(self, frame: FrameRef) -> float:
        if (frame.camera, frame.run) != (self.camera, self.run):
            raise GaitwayError(
                f"a frame of camera {frame.camera!r}, run {frame.run!r}",
                where=f"tracker of camera {self.camera!r}, run {self.run!r}",
                wanted="frames of its own camera and run",
            )
        last_ns = self.last_ns
        if last_ns is not None and frame.captured_ns <= last_ns:
            moved = "repeats the time stamp" if frame.captured_ns == last_ns else "goes back in time"
            raise GaitwayError(
                f"frame {frame.number} {moved} ({frame.captured_ns} ns after {last_ns} ns)",
                where=f"camera {frame.camera!r}",
                wanted="capture times that increase from frame to frame",
                fix="Check the source's clock, or give the restarted source a new run",
            )
        self.last_ns = frame.captured_ns
        return 0.0 if last_ns is None else (frame.captured_ns - last_ns) / NS_PER_S

    def _detections(self, people: Sequence[Person], frame: FrameRef) -> _Detections:
        """Usable people: finite box of positive size and finite score of at least ``low_score``.

        The others are ignored: they match nothing and start nothing.
        """
        corners = np.array([person.box for person in people], dtype=np.float64).reshape(-1, 4)
        scores = np.array([person.score for person in people], dtype=np.float64)
        sound = (np.abs(corners) <= MAX_PIXELS).all(axis=1) & np.isfinite(scores)
        sound &= (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
        index = np.flatnonzero(sound & (scores >= self.config.association.low_score))
        chosen = [people[i] for i in index.tolist()]
        hints = [NO_HINT if person.hint is None else person.hint for person in chosen]
        return _Detections(
            index,
            centred(corners[index]),
            scores[index],
            np.array(hints, dtype=np.intp),
            self._read_keypoints(chosen),
            self._read_outlines(chosen),
            _touches_border(corners[index], frame, self.config.life.border),
            len(people) - int(sound.sum()),
        )

    def _read_keypoints(self, people: Sequence[Person]) -> Floats:
        """(M, K, 3); people in another layout than the camera's first, or with NaN, count as having none."""
        for person in people:
            if not self.layout and person.keypoints.shape[0] > 0:
                self.layout = person.layout
                self.keypoints = np.zeros((len(self.filter), person.keypoints.shape[0], 3))
        points = np.zeros((len(people), self.keypoints.shape[1], 3))
        for row, person in enumerate(people):
            if person.layout == self.layout and person.keypoints.shape == points.shape[1:]:
                points[row] = person.keypoints.numpy()
        points[~np.isfinite(points).all(axis=2)] = 0.0
        return points

    def _read_outlines(self, people: Sequence[Person]) -> Grids:
        """(M, rows, columns) silhouettes; they are asked only where no skeleton tells more."""
        grids = empty(len(people))
        if not self.keypoints.shape[1] and self.config.association.mask_weight:
            for row, person in enumerate(people):
                grids[row] = grid_of(person.mask, person.box)
        return grids

    def _associate(self, found: _Detections, now_ns: int) -> Matches:
        """BYTE's rounds; returns all matched (track row, detection row) pairs."""
        rules = self.config.association
        cost = self._costs(found, now_ns)
        confirmed = np.array([state.confirmed for state in self.states], dtype=bool)
        high = found.scores >= rules.high_score
        cost[:, ~high] += rules.low_score_cost
        first = _solve_part(cost, np.flatnonzero(confirmed), np.arange(len(high)), rules.max_cost)
        high[first.detections] = False
        second = _solve_part(cost, np.flatnonzero(~confirmed), np.flatnonzero(high), rules.max_cost)
        return Matches(
            np.concatenate([first.tracks, second.tracks]),
            np.concatenate([first.detections, second.detections]),
        )

    def _costs(self, found: _Detections, now_ns: int) -> Floats:
        """(N, M) costs in nats, infinite beyond the gates."""
        rules = self.config.association
        expected = cornered(self.filter.box)
        squared, spread = self.filter.distances(found.boxes)
        overlap = np.maximum(iou(expected, cornered(found.boxes)), LEAST_IOU)
        cost = motion_cost(squared, spread, rules.tails) - rules.overlap_weight * np.log(overlap)
        cost += hint_cost(self.hints, found.hints, rules) + self._absence_costs(expected)[:, None]
        reach = rules.max_distance * self.filter.box[:, 3, None]
        across = np.abs(found.boxes[:, 0] - self.filter.box[:, 0, None])
        along = np.abs(found.boxes[:, 1] - self.filter.box[:, 1, None])
        cost[(across > reach) | (along > reach)] = np.inf
        self._add_keypoints(cost, found, now_ns)
        return cost

    def _absence_costs(self, expected: Floats) -> Floats:
        """(N,) how unlikely a detection of each track is at all: hidden, unseen just now, or leaving."""
        rules = self.config.association
        unseen = np.array([state.person is None for state in self.states], dtype=np.float64)
        leaving = np.array([state.leaving for state in self.states], dtype=np.float64)
        cost = rules.hidden_cost * hidden_share(expected)
        return np.asarray(cost + rules.unseen_cost * unseen + rules.border_cost * leaving)

    def _add_keypoints(self, cost: Floats, found: _Detections, now_ns: int) -> None:
        rules = self.config.association
        recent = [now_ns - state.last_ns <= KEYPOINT_MEMORY_S * NS_PER_S for state in self.states]
        possible = (cost < rules.max_cost) & np.array(recent, dtype=bool)[:, None]
        rows, columns = np.nonzero(possible)
        if not len(rows):
            return
        if not self.keypoints.shape[1]:
            self._add_outlines(cost, found, rows, columns)
            return
        height = self.filter.box[rows, 3]
        expected = self.keypoints[rows]
        expected[:, :, :2] = expected[:, :, :2] * height[:, None, None] + self.filter.box[rows, None, :2]
        similar = keypoint_similarity(expected, found.keypoints[columns], height, KEYPOINT_TOLERANCE)
        extra = -rules.keypoint_weight * np.log(np.maximum(similar, LEAST_SIMILARITY))
        cost[rows, columns] += np.where(np.isnan(similar), 0.0, extra)

    def _add_outlines(self, cost: Floats, found: _Detections, rows: Rows, columns: Rows) -> None:
        at, boxes = cornered(self.filter.box[rows]), cornered(found.boxes[columns])
        alike = grid_overlap(self.outlines[rows], at, found.outlines[columns], boxes)
        extra = -self.config.association.mask_weight * np.log(np.maximum(alike, LEAST_IOU))
        cost[rows, columns] += np.where(np.isnan(alike), 0.0, extra)

    def _correct(self, found: _Detections, matched: Matches, now_ns: int) -> None:
        rows, columns = matched.tracks, matched.detections
        self.filter.update(rows, found.boxes[columns], found.scores[columns])
        self.hints[rows] = found.hints[columns]
        self.keypoints[rows] = self._relative(found, columns)
        self.outlines[rows] = found.outlines[columns]
        leaving = self._leaving(rows, found.at_border[columns]).tolist()
        entering_ns = self.config.life.entering_s * NS_PER_S
        for state in self.states:
            state.person = None
        for row, column, leaves in zip(rows.tolist(), columns.tolist(), leaving, strict=True):
            state = self.states[row]
            state.person = int(found.index[column])
            state.score = float(found.scores[column])
            state.leaving = leaves and now_ns - state.first_ns >= entering_ns
            state.last_ns = now_ns
            state.hits += 1
            state.confirmed = state.confirmed or state.hits >= self.config.life.confirm_hits

    def _leaving(self, rows: Rows, at_border: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of the tracks ``rows`` touch a border that they do not move away from."""
        inward = self.filter.rate[rows][:, [0, 1, 0, 1]] * (1.0, 1.0, -1.0, -1.0)
        away = inward > self.config.life.inward_speed * self.filter.box[rows, 3:4]
        return np.asarray((at_border & ~away).any(axis=1))

    def _relative(self, found: _Detections, columns: Rows) -> Floats:
        """Keypoints in heights from the box's centre, so that they can be put on a predicted box."""
        points = found.keypoints[columns]
        boxes = found.boxes[columns]
        points[:, :, :2] = (points[:, :, :2] - boxes[:, None, :2]) / boxes[:, None, None, 3]
        return points

    def _start(self, found: _Detections, matched: Matches, now_ns: int) -> Matches:
        """Start tracks from good detections that nobody took; returns the matches with theirs."""
        rules = self.config.association
        free = found.scores >= rules.new_score
        free[matched.detections] = False
        starts = np.flatnonzero(free)
        if len(matched.detections) and len(starts):
            corners = cornered(found.boxes)
            covered = iou(corners[starts], corners[matched.detections]).max(axis=1)
            starts = starts[covered < rules.duplicate_iou]
        starts = starts[: max(self.config.life.max_tracks - len(self.states), 0)]
        rows = np.arange(len(starts)) + len(self.states)
        self.filter.append(found.boxes[starts])
        self.hints = np.concatenate([self.hints, found.hints[starts]])
        self.keypoints = np.concatenate([self.keypoints, self._relative(found, starts)])
        self.outlines = np.concatenate([self.outlines, found.outlines[starts]])
        for _ in starts:
            self.states.append(TrackState(TrackletId(self.camera, self.run, self.born), now_ns, now_ns))
            self.born += 1
        return Matches(np.concatenate([matched.tracks, rows]), np.concatenate([matched.detections, starts]))

    def _forget_lost(self, now_ns: int) -> tuple[TrackState, ...]:
        """End what was not seen for ``lost_s``, or ``exit_s`` at the border; returns the confirmed ones."""
        life = self.config.life
        wait_ns = (round(life.lost_s * NS_PER_S), round(life.exit_s * NS_PER_S))
        lost = [now_ns - state.last_ns > wait_ns[state.leaving] for state in self.states]
        ended = tuple(
            state for state, gone in zip(self.states, lost, strict=True) if gone and state.confirmed
        )
        if any(lost):
            self._keep(np.flatnonzero(~np.array(lost)))
        return ended

    def _drop_unconfirmed(self) -> None:
        """An unconfirmed track lives as long as every frame shows it."""
        kept = [state.confirmed or state.person is not None for state in self.states]
        if not all(kept):
            self._keep(np.flatnonzero(kept))

    def _keep(self, rows: Rows) -> None:
        self.filter.keep(rows)
        self.states = [self.states[row] for row in rows]
        self.hints = self.hints[rows]
        self.keypoints = self.keypoints[rows]
        self.outlines = self.outlines[rows]

    def _describe(self) -> tuple[Sighting, ...]:
        """All tracks: seen ones in the order of the people, then unseen ones by age."""
        corners = cornered(self.filter.box).tolist()
        speeds = np.hypot(self.filter.rate[:, 0], self.filter.rate[:, 1]) / self.filter.box[:, 3]
        sightings = [
            Sighting(state.tracklet, tuple(corner), state.person, state.score, state.confirmed, speed)
            for state, corner, speed in zip(self.states, corners, speeds.tolist(), strict=True)
        ]
        sightings.sort(key=lambda s: (s.person is None, s.person or 0))
        return tuple(sightings)


def _touches_border(corners: Floats, frame: FrameRef, share: float) -> NDArray[np.bool_]:
    """(M, 4) whether a box reaches the picture's left, top, right, bottom, to ``share`` of its height."""
    slack = share * (corners[:, 3] - corners[:, 1])
    size = (frame.width, frame.height)
    room = np.concatenate([corners[:, :2], size - corners[:, 2:]], axis=1)
    return np.asarray(room <= slack[:, None])


def _solve_part(cost: Floats, rows: Rows, columns: Rows, max_cost: float) -> Matches:
    match = solve(cost[np.ix_(rows, columns)], max_cost)
    return Matches(rows[match.tracks], columns[match.detections])
