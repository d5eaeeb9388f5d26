"""The nets in the box: where their files lie. What they are and what they can do: docs/MODEL_CARD.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

STEM: Final = Path(__file__).with_name("silskeletongait-synthetic")
"""The exported streaming pair is ``<STEM>.trunk.onnx`` and ``<STEM>.head.onnx``."""
LARGER: Final = STEM.with_name(f"{STEM.name}-larger")
"""Twice as wide, for GPUs."""
NETS: Final[Mapping[str, Path]] = MappingProxyType({"shipped": STEM, "shipped-larger": LARGER})
"""By the name that the configuration has for them."""
SHIPPED: Final = STEM.with_name(f"{STEM.name}.safetensors")
EMBEDDING: Final[Literal["embed_1", "embed_2"]] = "embed_1"
"""Before the neck, as usual: its losses are taken after it, yet real people are told apart better before."""
