"""Whether a run that is taken up again is the run that was left."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from gait.training.checkpoint import Facts
from gait.training.config import TrainingConfig
from gait.training.parallel import Processes
from stream.errors import ConfigError

# What may differ when a run is taken up again: where it runs and how often it speaks, not what it computes.
FREE: Final = {
    "data": ("root", "also", "workers"),
    "trainer": (
        "device",
        "threads",
        "checkpoint_every",
        "keep_every",
        "log_every",
        "reported",
        "tensorboard",
    ),
}


def plain(config: TrainingConfig) -> dict[str, Any]:
    """As it comes back from JSON."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(config))
    return found


def _completed(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as an earlier version wrote them, with the defaults of those that came later."""
    try:
        return plain(msgspec.convert(settings, TrainingConfig))
    except msgspec.ValidationError:
        return settings


def check_shares(config: TrainingConfig, processes: Processes) -> None:
    """Raises ConfigError where a batch does not divide among the processes."""
    clips = config.sampler.people * config.sampler.clips
    if clips % processes.count:
        raise ConfigError(
            f"{clips} clips a batch do not divide among {processes.count} processes",
            where="sampler",
            wanted=f"people x clips a multiple of {processes.count}",
        )


def check_same_run(facts: Facts, config: TrainingConfig, data: str, processes: Processes, out: Path) -> None:
    """Raises ConfigError, naming what differs: a run goes on as it began or not at all."""
    now, then = plain(config), _completed(facts.config)
    different = [
        f"{section}.{key} (then {then.get(section, {}).get(key)!r}, now {value!r})"
        for section, fields in now.items()
        for key, value in fields.items()
        if key not in FREE.get(section, ()) and then.get(section, {}).get(key) != value
    ]
    if data != facts.data:
        different.append("the sequences of the data set")
    if processes.count != facts.processes:
        different.append(f"the processes (then {facts.processes}, now {processes.count})")
    if different:
        raise ConfigError(
            f"the run began with other settings: {', '.join(different)}",
            where=str(out),
            fix="Resume with the same settings, or begin in another folder",
        )
