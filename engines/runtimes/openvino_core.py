"""OpenVINO's core: one for the process, and never given back.

Every core that runs a net on the processor gives its thread a stack for signals and takes it away with
itself. Of two whose lives overlap, the second to go puts back the stack of the first, which is gone: the next
signal that Python handles (a child's end, Ctrl-C) then ends the process with a segmentation fault (2026.4;
torch's data loaders set such a handler, so training after OpenVINO crashed).
"""

from __future__ import annotations

from functools import cache

import openvino as ov


@cache
def core() -> ov.Core:
    """The process's core; it may be asked by any thread."""
    return ov.Core()
