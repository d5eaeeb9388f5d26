"""Every gait family by name. A family's module is imported when it is asked for, so torch is not paid before.

A module of a family defines ``FAMILY: Family``.
"""

from __future__ import annotations

import difflib
import importlib
from typing import Any, Final

import msgspec

from gait.models.family import Family, GaitNet
from stream.errors import ConfigError

MODULES: Final = {
    "silskeletongait": "gait.models.silskeletongait",
    "skeletongait": "gait.models.skeletongait",
    "skeletongait++": "gait.models.skeletongait_pp",
    "deepgaitv2": "gait.models.deepgaitv2",
    "hybridgait": "gait.models.hybridgait",
    "siamesegait": "gait.models.siamesegait",
    "gaitgraph2": "gait.models.gaitgraph2",
}


def names() -> tuple[str, ...]:
    """The names of all families."""
    return tuple(MODULES)


def family(name: str) -> Family:
    """The family of that name; raises ConfigError naming the nearest ones."""
    if name not in MODULES:
        near = difflib.get_close_matches(name, MODULES, n=1)
        raise ConfigError(
            f"no gait family {name}",
            wanted=f"one of {', '.join(MODULES)}",
            fix=f"Did you mean {near[0]}?" if near else "",
        )
    found: Family = importlib.import_module(MODULES[name]).FAMILY
    return found


def config(name: str, size: str = "tiny", **overrides: Any) -> Any:
    """The typed config of a family's size, with fields replaced; raises ConfigError for a wrong one."""
    chosen = family(name)
    if size not in chosen.sizes:
        raise ConfigError(f"no size {size} of {name}", wanted=f"one of {', '.join(chosen.sizes)}")
    fields = msgspec.to_builtins(chosen.sizes[size]) | overrides
    return parse_config(name, fields)


def parse_config(name: str, fields: Any) -> Any:
    """A family's config from plain values (a sidecar, a YAML section); raises ConfigError, saying why not."""
    try:
        return msgspec.convert(fields, family(name).config)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"not a config of {name} ({error})") from error


def build(name: str, size: str = "tiny", **overrides: Any) -> GaitNet:
    """A new net, in training mode, with fresh weights; ``overrides`` replace fields of the size's config."""
    return family(name).build(config(name, size, **overrides))
