"""From a score to evidence: the map that calibration fits for one model and the running pipeline is given.

The map gives a log likelihood ratio, how much likelier a score is between views of one person than between
two people, so that prior and gallery size enter where they belong, in the decision.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.decision_level import Impostors
from stream.errors import FOREIGN, ConfigError

Floats = NDArray[np.float64]
BUILT_IN: Final = Path(__file__).parent / "score_maps"
MAX_SCORE: Final = 0.995
MIN_QUALITY: Final = 1e-3
MAX_EVIDENCE: Final = 30.0
"""Beyond this a logistic says 1 or 0 in float64 and fitted tails say nothing."""


class ScoreMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """log likelihood ratio = (intercept + slope * artanh(score)) * n / (n + half_samples), n valid samples.

    Fisher's artanh gives inner products of unit vectors about the same spread everywhere, which a straight
    line needs: those of one person crowd together just below 1, those of two people spread widely.
    ``normalised``: it takes scores told against a cohort (``decision_norm``) as they are, without artanh.
    ``quality_power``: valid samples of quality q count q to this power; 0 as they are.
    ``others``: mean and standard deviation of scores between two of the people it was fitted to; where they
    are given, a camera's own are brought to them first (``decision_level``).
    ``model`` is the digest of the model it was fitted for; ``people``, ``pairs`` and ``fitted_on`` say what
    it rests on.
    """

    model: str
    intercept: float
    slope: float
    half_samples: float
    people: int
    pairs: int
    fitted_on: str
    normalised: bool = False
    quality_power: float = 0.0
    others: Impostors | None = None

    def __post_init__(self) -> None:
        if not (self.slope > 0 and self.half_samples >= 0 and np.isfinite(self.intercept)):
            raise ValueError("a score map needs a finite intercept, a slope above 0 and half_samples from 0")
        if not 0 <= self.quality_power <= 8:
            raise ValueError("a score map needs a quality_power from 0 to 8")
        if self.others is not None and not (
            self.normalised and np.isfinite(self.others).all() and self.others.spread > 0
        ):
            raise ValueError("a score map's `others` are of scores told against a cohort, finite and spread")

    def evidence(
        self,
        scores: NDArray[np.floating],
        samples: NDArray[np.floating],
        qualities: NDArray[np.floating] | None = None,
    ) -> Floats:
        """Log likelihood ratios (Q, P) of scores (Q, P), given the valid samples (Q,) behind each row, and
        their mean quality (Q,) in [0, 1] where known.
        """
        if qualities is not None and self.quality_power:
            samples = samples * np.clip(qualities, MIN_QUALITY, 1.0) ** self.quality_power
        trust = samples / (samples + self.half_samples)
        straight = scores.astype(np.float64) if self.normalised else fisher(scores)
        raw = (self.intercept + self.slope * straight) * trust[:, None]
        bounded: Floats = np.clip(raw, -MAX_EVIDENCE, MAX_EVIDENCE)
        return bounded

    def checked_for(self, model: str) -> ScoreMap:
        """This map; raises ConfigError where it was fitted for another model."""
        if self.model != model:
            fix = "Fit one with `run_pipeline.py calibrate scores`"
            what = f"the score map is for model {self.model[:12]}"
            raise ConfigError(what, wanted=f"one for model {model[:12]}", fix=fix)
        return self


def fisher(scores: NDArray[np.floating]) -> Floats:
    """Fisher's z of inner products; what lies beyond ``MAX_SCORE`` is as good as equal."""
    stretched: Floats = np.arctanh(np.clip(scores.astype(np.float64), -MAX_SCORE, MAX_SCORE))
    return stretched


def load_score_map(path: Path) -> ScoreMap:
    """The map in a JSON file; raises ConfigError where it cannot be read or is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ScoreMap)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=f"score map {path}") from error
    except FOREIGN as error:
        raise ConfigError(f"is none ({error})", where=f"score map {path}") from error


def chosen_map(path: str, model_name: str) -> ScoreMap:
    """The map in the file at ``path``, or the model's own where that is empty."""
    return load_score_map(Path(path)) if path else built_in_map(model_name)


def built_in_map(model_name: str) -> ScoreMap:
    """The committed map of a model that ships with Gaitway; raises ConfigError where there is none."""
    return load_score_map(BUILT_IN / f"{model_name}.json")
