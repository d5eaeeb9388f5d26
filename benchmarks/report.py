"""What a bench says: figures, and bars whose verdict is computed from the goals in ``goals.toml``."""

from __future__ import annotations

import os
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Literal

from stream.errors import ConfigError

GOALS: Final = Path(__file__).with_name("goals.toml")
PACKAGES: Final = ("numpy", "opencv-python-headless", "openvino", "av", "pyzmq", "msgspec")
FLAGS: Final = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16")
"""The processor's features that decide which kernels run."""

Better = Literal["higher", "lower"]
Figure = int | float | str


def this_machine() -> dict[str, Figure]:
    """What the figures were measured on."""
    return {
        "cores": usable_cores(),
        "processor": processor(),
        "flags": " ".join(flag for flag in FLAGS if flag in cpu_flags()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def usable_cores() -> int:
    """The cores this process may run on."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


@cache
def processor() -> str:
    """The processor's name."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


@cache
def cpu_flags() -> frozenset[str]:
    """The processor's features as Linux names them; empty elsewhere."""
    return frozenset((_cpuinfo("flags") or _cpuinfo("Features")).split())


def _cpuinfo(key: str) -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


@dataclass(frozen=True)
class Goal:
    """What a value has to reach; ``better`` says from which side."""

    value: float
    better: Better


@dataclass(frozen=True)
class Bar:
    """A measured value beside its goal."""

    name: str
    value: float
    goal: float
    better: Better = "higher"

    @property
    def ok(self) -> bool:
        """Whether the value reaches the goal; a value that is not a number does not."""
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal


@dataclass(frozen=True)
class BenchResult:
    """One run of one bench on one machine."""

    bench: str
    figures: Mapping[str, Figure]
    bars: tuple[Bar, ...] = ()
    machine: Mapping[str, Figure] = field(default_factory=this_machine)

    @classmethod
    def of(
        cls,
        bench: str,
        figures: Mapping[str, Figure],
        values: Mapping[str, float],
        *,
        in_part: bool = False,
    ) -> BenchResult:
        """A result whose bars are the bench's goals; raises ConfigError where a goal has no value.

        Of a bench run ``in_part`` the goals without a value are left out.
        """
        wanted = goals(bench)
        if in_part:
            wanted = {name: goal for name, goal in wanted.items() if name in values}
        if missing := sorted(wanted.keys() - values.keys()):
            raise ConfigError(f"bench {bench} measured nothing for {missing}", where=str(GOALS))
        bars = [Bar(name, float(values[name]), goal.value, goal.better) for name, goal in wanted.items()]
        return cls(bench, figures, tuple(bars))

    @property
    def ok(self) -> bool:
        """Whether every bar is reached."""
        return all(bar.ok for bar in self.bars)

    def as_dict(self) -> dict[str, Any]:
        """The form that ``--json`` prints."""
        return {
            "bench": self.bench,
            "machine": dict(self.machine),
            "figures": dict(self.figures),
            "bars": [
                {"name": bar.name, "value": bar.value, "goal": bar.goal, "better": bar.better, "ok": bar.ok}
                for bar in self.bars
            ],
        }


@cache
def goals(bench: str, path: Path = GOALS) -> Mapping[str, Goal]:
    """The goals of one bench, by name; raises ConfigError where there is none or one is malformed."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    if bench not in table:
        raise ConfigError(f"no goals for bench {bench!r}", where=str(path), wanted=f"one of {sorted(table)}")
    found: dict[str, Goal] = {}
    for name, entry in table[bench].items():
        if not isinstance(entry, dict) or entry.get("better") not in ("higher", "lower"):
            raise ConfigError(
                f"goal {bench}.{name} is {entry!r}",
                where=str(path),
                wanted='{ goal = NUMBER, better = "higher" or "lower" }',
            )
        found[name] = Goal(float(entry["goal"]), entry["better"])
    return found
