"""Which frames of a person may feed a window: thresholds on what perception measured.

One bad frame dominates a maximum over time, so a frame is refused rather than weighted when it fails a rule;
the name of the first rule it fails travels on as the reason of a cut.
"""

from __future__ import annotations

import math
from typing import Final

from stream.messages import Person
from trackers.config import WindowConfig

TRUNKS: Final = {"blazepose33": (23, 24, 11, 12), "coco17": (11, 12, 5, 6), "gaitway16": (4, 1, 10, 13)}
"""Left and right hip, left and right shoulder in the layouts that are known in space."""


def refusal(person: Person, config: WindowConfig) -> str | None:
    """The first rule that ``person`` fails in this frame, or None where the frame may feed a window."""
    quality = person.quality
    # Each rule says what passes, so that a measure that is NaN fails it.
    rules = (
        ("low score", person.score >= config.min_score),
        ("too small", quality.height_px >= config.min_height_px),
        ("truncated", quality.truncation <= config.max_truncation),
        ("overlapped", quality.overlap <= config.max_overlap),
        ("unsure keypoints", quality.confidence >= config.min_confidence),
        ("mask and pose disagree", quality.agreement >= config.min_agreement),
        ("blurred", quality.blur >= config.min_blur),
        ("end-on", config.min_side <= 0.0 or side_share(person) >= config.min_side),
    )
    return next((name for name, passed in rules if not passed), None)


def side_share(person: Person) -> float:
    """How side-on the body is turned, in [0, 1]; 1 where no joints in space or no known layout tell.

    Hips and shoulders point across the walk: along the line of sight when it is seen from the side.
    """
    trunk = TRUNKS.get(person.layout)
    if trunk is None or person.world is None or person.world.shape[0] <= max(trunk):
        return 1.0
    left_hip, right_hip, left_shoulder, right_shoulder = person.world.numpy()[list(trunk)].astype(float)
    x, _, z = (right_hip - left_hip + right_shoulder - left_shoulder).tolist()
    length = math.hypot(x, z)
    return abs(z) / length if length != 0.0 else 1.0


def sample_weight(person: Person) -> float:
    """How much an accepted frame counts, in [0, 1]: the product of its shares of what should be there."""
    quality = person.quality
    weight = quality.confidence * quality.agreement * (1.0 - quality.overlap) * (1.0 - quality.truncation)
    return min(max(weight, 0.0), 1.0) if math.isfinite(weight) else 0.0
