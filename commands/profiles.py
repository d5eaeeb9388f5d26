"""Profiles: a name for a group of settings, so that one file serves a laptop and a machine with a GPU.

A profile lies over what the file says, ``--set`` over both. ``cpu`` and ``gpu`` are built in; ``profiles:``
in the file changes them or adds others.
"""

from __future__ import annotations

from typing import Any, Final

from stream.errors import ConfigError

BUILT_IN: Final[dict[str, dict[str, Any]]] = {
    "cpu": {"perceive": {"nets": {"runtime": "openvino", "device": "CPU"}}},
    # A GPU runs ten regions in the time that a processor needs for one, so more is searched and followed.
    "gpu": {
        "perceive": {
            "nets": {"runtime": "tensorrt"},
            "search": {"tiles_per_frame": 8, "candidates_per_frame": 4},
            "max_people": 24,
        }
    },
}
SETTING: Final = "profile="


def wanted(settings: dict[str, Any], overrides: list[str]) -> str:
    """The profile asked for: the last ``--profile`` or ``--set profile=``, else the file's; may be empty."""
    told = [override.removeprefix(SETTING) for override in overrides if override.startswith(SETTING)]
    return str(told[-1] if told else settings.get("profile") or "")


def applied(settings: dict[str, Any], overrides: list[str], where: str) -> dict[str, Any]:
    """The settings with the profile asked for laid over them; raises ConfigError for an unknown one."""
    name = wanted(settings, overrides)
    if not name:
        return settings
    of_the_file = settings.get("profiles") or {}
    if not isinstance(of_the_file, dict) or not isinstance(of_the_file.get(name, {}), dict):
        return settings  # the types are checked after this, with the line
    known = sorted({*BUILT_IN, *of_the_file})
    if name not in known:
        raise ConfigError(f"no profile {name!r}", where=where, wanted=f"one of {', '.join(known)}")
    for layer in (BUILT_IN.get(name, {}), of_the_file.get(name) or {}):
        settings = laid_over(settings, layer)
    return settings


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """``below`` with what ``above`` says; groups of settings are joined, single values replaced."""
    joined = dict(below)
    for key, value in above.items():
        under = joined.get(key)
        joined[key] = (
            laid_over(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
        )
    return joined
