"""Pictures of what a net looks at: attention over joints and frames, activations over the walker.

Joints are arrays (T, V, C), as the net's caller has them; values are in any range and shown relative to the
largest. Everything is drawn, not plotted: no plotting library is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gait.models.canvas import (
    BRIGHT,
    FAINT,
    PANEL,
    Box,
    Canvas,
    Image,
    View,
    draw_walker,
    heat_colour,
)
from gait.pose_graph import PoseGraph
from stream.errors import MessageError

Values = NDArray[np.floating[Any]]

WIDTH: Final = 1200
STRIP_FRAMES: Final = 12
LISTED_JOINTS: Final = 8


@dataclass(frozen=True)
class Attention:
    """What a net attends to in one sequence: ``joints`` (T, V), each row summing to 1; ``frames`` (T,)."""

    joints: NDArray[np.float32]
    frames: NDArray[np.float32]


def attention_picture(joints: Values, attention: Attention, graph: PoseGraph, *, title: str) -> Image:
    """The walker by joint, the joints listed, and a strip of frames over the curve of attention in time."""
    if joints.shape[:2] != attention.joints.shape or len(joints) != len(attention.frames):
        raise MessageError(
            f"attention over {attention.joints.shape} for joints of {joints.shape[:2]}",
            where="attention picture",
            wanted="the same frames and joints",
        )
    canvas = Canvas(WIDTH, 860)
    view = View.of(joints, graph, confidence=False)
    canvas.text(title, (40, 56), 20)
    _figure(canvas, (40, 90, 460, 460), view, attention, graph)
    _joint_list(canvas, (540, 90, 620, 460), attention.joints.mean(0), graph)
    _frame_strip(canvas, (40, 590, 1120, 150), view, attention, graph)
    _curve(canvas, (40, 750, 1120, 70), attention.frames)
    return canvas.finished()


def _figure(canvas: Canvas, box: Box, view: View, attention: Attention, graph: PoseGraph) -> None:
    """The frame that the net attends to most, its joints by their mean attention."""
    canvas.panel(box)
    frame = int(np.argmax(attention.frames))
    shares = _relative(attention.joints.mean(0))
    draw_walker(canvas, view, frame, box, graph, shares)
    canvas.text(f"frame {frame}", (box[0] + 14, box[1] + 28), 11, FAINT)


def _joint_list(canvas: Canvas, box: Box, shares: Values, graph: PoseGraph) -> None:
    """The joints most attended to, against the share that each would have if all were alike."""
    canvas.panel(box)
    x, y, width, height = box
    canvas.text("attention by joint", (x + 24, y + 40), 14)
    order = np.argsort(-shares, kind="stable")[:LISTED_JOINTS]
    top, step = y + 66, (height - 110) / max(len(order), 1)
    bar_x, bar_width = x + 200, width - 300
    largest = max(float(shares[order[0]]), 1e-9)
    for row, joint in enumerate(order):
        share, middle = float(shares[joint]), top + (row + 0.5) * step
        canvas.text(graph.layout.joints[joint].replace("_", " "), (x + 24, middle + 6), 12)
        length = max(bar_width * share / largest, 2)
        canvas.panel((bar_x, round(middle - 7), round(length), 14), heat_colour(share / largest))
        canvas.text(f"{100 * share:.1f} %", (bar_x + length + 12, middle + 6), 12, FAINT)
    even = bar_x + bar_width / (graph.size * largest)
    canvas.line((even, top), (even, top + len(order) * step), FAINT, 1)
    canvas.text(f"even share {100 / graph.size:.1f} %", (x + 24, y + height - 18), 11, FAINT)


def _frame_strip(canvas: Canvas, box: Box, view: View, attention: Attention, graph: PoseGraph) -> None:
    """Evenly spaced frames; the brighter the ground, the more the net attends to that moment."""
    x, y, width, height = box
    count = min(STRIP_FRAMES, len(attention.frames))
    shares = _relative(attention.frames)
    cell = width / count
    for i in range(count):
        frame = round(i * (len(shares) - 1) / max(count - 1, 1))
        inner: Box = (round(x + i * cell), y, round(cell) - 6, height)
        canvas.panel(inner, _dimmed(float(shares[frame])))
        draw_walker(canvas, view, frame, inner, graph, _relative(attention.joints[frame]))
        canvas.text(str(frame), (inner[0] + 6, y + 16), 9, FAINT)


def _dimmed(value: float) -> tuple[int, int, int]:
    """A panel tinted by a heat colour, never so bright that the figure on it is lost."""
    share = 0.35 * value
    mixed = [
        round((1 - share) * base + share * hot) for base, hot in zip(PANEL, heat_colour(value), strict=True)
    ]
    return mixed[0], mixed[1], mixed[2]


def _curve(canvas: Canvas, box: Box, values: Values) -> None:
    """Attention over all frames as a row of bars."""
    x, y, width, height = box
    cell = width / len(values)
    for i, value in enumerate(_relative(values)):
        tall = max(round((height - 22) * float(value)), 1)
        bar: Box = (round(x + i * cell), y + height - 22 - tall, max(round(cell) - 2, 1), tall)
        canvas.panel(bar, heat_colour(float(value)))
    canvas.text(f"attention over {len(values)} frames", (x, y + height), 11, FAINT)


def _relative(values: Values) -> Values:
    """In [0, 1] between nothing (or the least, where all are alike) and the largest."""
    least, largest = float(values.min()), float(values.max())
    if largest - least <= 1e-12:
        return np.full_like(values, 0.5, dtype=np.float64)
    return (values.astype(np.float64) - least) / (largest - least)


def activation_frames(
    view: View, activations: Values, graph: PoseGraph, *, title: str, size: int = 480
) -> list[Image]:
    """One picture per frame of the view for a GIF: activations (t, V) in [0, 1], each held T / t frames."""
    held = _held(activations, len(view.points))
    return [_activation_frame(view, frame, held, graph, title, size) for frame in range(len(held))]


def _activation_frame(
    view: View, frame: int, activations: Values, graph: PoseGraph, title: str, size: int
) -> Image:
    canvas = Canvas(size, size)
    box: Box = (16, 44, size - 32, size - 116)
    canvas.text(title, (18, 32), 11)
    draw_walker(canvas, view, frame, box, graph, activations[frame])
    _timeline(canvas, (16, size - 60, size - 32, 30), activations.max(1), frame)
    _legend(canvas, (16, size - 20, size - 32, 8))
    return canvas.finished()


def activation_picture(view: View, activations: Values, graph: PoseGraph, *, title: str) -> Image:
    """Twelve moments of the walk in one picture."""
    held = _held(activations, len(view.points))
    columns, rows, cell = 6, 2, WIDTH // 6
    canvas = Canvas(WIDTH, 90 + rows * (cell + 60))
    canvas.text(title, (24, 48), 18)
    count = min(columns * rows, len(held))
    for i in range(count):
        frame = round(i * (len(held) - 1) / max(count - 1, 1))
        box: Box = ((i % columns) * cell + 6, 80 + (i // columns) * (cell + 52), cell - 12, cell + 40)
        canvas.panel(box)
        draw_walker(canvas, view, frame, box, graph, held[frame])
        canvas.text(f"frame {frame}", (box[0] + 8, box[1] + 18), 9, FAINT)
    return canvas.finished()


def _held(activations: Values, frames: int) -> Values:
    """(t, V) -> (frames, V): each of the net's steps stands for the frames it came from."""
    steps = np.arange(frames) * len(activations) // frames
    return activations[steps]


def _timeline(canvas: Canvas, box: Box, values: Values, now: int) -> None:
    x, y, width, height = box
    cell = width / len(values)
    for i, value in enumerate(values):
        tall = max(round(height * float(value)), 1)
        colour = heat_colour(float(value)) if i <= now else PANEL
        canvas.panel((round(x + i * cell), y + height - tall, max(round(cell) - 1, 1), tall), colour)


def _legend(canvas: Canvas, box: Box) -> None:
    x, y, width, height = box
    canvas.text("quiet", (x, y + height + 4), 9, FAINT)
    canvas.text("drives the embedding", (x + width - 150, y + height + 4), 9, BRIGHT)
    for i in range(width - 220):
        canvas.panel((x + 50 + i, y, 1, height), heat_colour(i / (width - 221)))
