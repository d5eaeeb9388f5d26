"""What the window's gate costs and buys: how well walkers are recognised when somebody passes before them.

Each of some rendered people walks by twice for two seconds, side-on; the first time is the gallery. The
second time somebody as tall passes in front of them, or both times they are seen from another side.
Silhouettes are true masks and go to the baseline recogniser: the figures compare limits, not nets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gait.baseline import BaselineEmbedder
from gait.silhouette import align
from gait.skeleton import GAITWAY16
from gait.walkers.person import sample_person
from gait.walkers.rapid import Sight, aligned, pass_by
from gait.walkers.views import sample_view
from stream.messages import Array, Sample, TrackletId

FIRST_PERSON = 7_000_000
"""No demo, bench or fit draws people with such seeds."""
FRAMES = 50
STEP_S = 0.04
STEP_NS = 40_000_000
SIDE_DEG = 90.0
LIMITS = (0.2, 0.4, 0.6)
CROSSINGS_S = (1.0, 2.0)
VIEWS_DEG = (0, 45, 90, 135, 180)

Masks = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Look:
    """One sample, and which share of the person's box is covered just then."""

    sample: Sample
    overlap: float


def gate_figures(people: int = 40) -> dict[str, float]:
    """Share of people recognised first, by the gate's limit and how long the passing takes, and by view."""
    who = range(FIRST_PERSON, FIRST_PERSON + people)
    first, second = ([_pass(person, visit, SIDE_DEG) for person in who] for visit in (0, 1))
    gallery = _vectors([_looks(sight) for sight in first], 1.0)
    figures = {"rank1_unhidden": rank_one(_vectors([_looks(sight) for sight in second], 1.0), gallery)}
    for crossing_s in CROSSINGS_S:
        looks = [
            _looks(sight, second[(n + 1) % people], crossing_s, from_left=n % 2 == 0)
            for n, sight in enumerate(second)
        ]
        for limit in LIMITS:
            found = rank_one(_vectors(looks, limit), gallery)
            figures[f"rank1_passed_in_{crossing_s:g}s_overlap_{limit:g}"] = found
    for view in VIEWS_DEG:
        probes, known = (
            _vectors([_looks(_pass(person, visit, view)) for person in who], 1.0) for visit in (1, 0)
        )
        figures[f"rank1_view_{view}"] = rank_one(probes, known)
    return figures


def rank_one(probes: Floats, gallery: Floats) -> float:
    """Share of probes whose likest gallery vector is their own; a probe without a vector is not."""
    own = (probes @ gallery.T).argmax(axis=1) == np.arange(len(probes))
    return float((own & probes.any(axis=1)).mean())


def _pass(person: int, visit: int, view_deg: float) -> Sight:
    """One pass; visits differ in distance, height of the camera, some degrees and phase."""
    view = sample_view(person, visit, view_deg=view_deg)
    phase = (person * 7 + visit * 3) % 10 / 10.0
    return pass_by(sample_person(person), view, FRAMES, visit=visit, phase=phase)


def _looks(
    sight: Sight, front: Sight | None = None, crossing_s: float = 1.0, *, from_left: bool = True
) -> list[Look]:
    """The pass as samples; ``front`` covers them in its middle, for ``crossing_s`` in all."""
    walk, looks = aligned(sight, GAITWAY16), []
    assert walk.joints_3d is not None
    for number, whole in enumerate(sight.masks):
        since_s = (number - FRAMES // 2) * STEP_S
        overlap = max(0.0, 1.0 - abs(since_s) / (crossing_s / 2)) if front else 0.0
        mask = whole.copy()
        if front is not None and overlap > 0:
            cover(mask, front.masks[number], overlap, from_left=(since_s < 0) == from_left)
        shape = align(mask)
        if shape is not None and sight.whole[number]:
            arrays = (shape.image, walk.joints_2d[number], walk.joints_3d[number])
            silhouette, flat, deep = (Array.of(array) for array in arrays)
            key, at_ns = TrackletId("gate", "r", 0), number * STEP_NS
            weight = 1.0 - overlap
            looks.append(Look(Sample(key, at_ns, silhouette, flat, deep, True, weight), overlap))
    return looks


def cover(mask: Masks, front: Masks, share: float, *, from_left: bool) -> None:
    """Take from ``mask`` what ``front`` hides, moved before it so that the boxes overlap by ``share``."""
    mine, theirs = (np.flatnonzero(one.any(axis=0)) for one in (mask, front))
    if not len(mine) or not len(theirs):
        return
    reach = round(share * (mine[-1] - mine[0] + 1))
    shift = mine[0] + reach - 1 - theirs[-1] if from_left else mine[-1] - reach + 1 - theirs[0]
    placed = theirs + shift
    inside = (placed >= 0) & (placed < mask.shape[1])
    rows = min(mask.shape[0], front.shape[0])
    region = mask[:rows, placed[inside]]
    region[front[:rows, theirs[inside]] > 0] = 0
    mask[:rows, placed[inside]] = region


def _vectors(passes: Sequence[Sequence[Look]], limit: float) -> Floats:
    """(N, D) unit vectors of the samples that a gate with this limit lets pass, zero where there are none."""
    embedder, found = BaselineEmbedder(), []
    for looks in passes:
        samples = [look.sample for look in looks if look.overlap <= limit]
        memory = embedder.open()
        embedder.extend([memory] * len(samples), samples)
        answer = embedder.embed(memory, 0, FRAMES * STEP_NS)
        found.append(answer.vector if answer else np.zeros(embedder.model.dimension, np.float32))
    return np.asarray(np.stack(found), dtype=np.float64)
