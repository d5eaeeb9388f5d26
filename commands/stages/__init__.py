"""How each stage is put together, a file each: a process imports that of its stage alone, so it is up sooner.

prepare(plan)          what is slow to make and is nobody else's: a spare has it before it is needed
build(plan, prepared)  the stage
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol, cast

from commands.plan import RunPlan
from stream.stage import Stage


class Maker(Protocol):
    """What each of the files offers."""

    def prepare(self, plan: RunPlan) -> Any:
        """Modules and nets."""
        ...

    def build(self, plan: RunPlan, prepared: Any) -> Stage:
        """The stage."""
        ...


def maker(name: str) -> Maker:
    """How stage ``name`` is made."""
    return cast(Maker, import_module(f"commands.stages.{name}"))
