"""Which frames of a person may feed a window: thresholds on what perception measured.

One bad frame dominates a maximum over time, so a frame is refused rather than weighted when it fails a rule;
the name of the first rule it fails travels on as the reason of a cut.
"""

from __future__ import annotations

import math

from stream.messages import Person
from trackers.config import WindowConfig


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
    )
    return next((name for name, passed in rules if not passed), None)


def sample_weight(person: Person) -> float:
    """How much an accepted frame counts, in [0, 1]: the product of its shares of what should be there."""
    quality = person.quality
    weight = quality.confidence * quality.agreement * (1.0 - quality.overlap) * (1.0 - quality.truncation)
    return min(max(weight, 0.0), 1.0) if math.isfinite(weight) else 0.0
