"""The net in the box: where its files lie. What it is and what it can do: docs/MODEL_CARD.md."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

STEM: Final = Path(__file__).with_name("silskeletongait-synthetic")
"""The exported streaming pair is ``<STEM>.trunk.onnx`` and ``<STEM>.head.onnx``."""
SHIPPED: Final = STEM.with_name(f"{STEM.name}.safetensors")
EMBEDDING: Final[Literal["embed_1", "embed_2"]] = "embed_1"
"""Before the neck, as usual: its losses are taken after it, yet real people are told apart better before."""
