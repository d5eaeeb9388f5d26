"""SkeletonGait (Fan et al., AAAI 2024): skeleton maps alone through the DeepGaitV2-P3D trunk."""

from __future__ import annotations

from typing import ClassVar, Final

from gait.models.conv import ConvConfig, sizes_of
from gait.models.deepgaitv2 import DeepGaitV2
from gait.models.family import Family


class SkeletonGaitConfig(ConvConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """See ``ConvConfig``; ``reference_maps``: fed the maps that published checkpoints were trained on."""

    reference_maps: bool = False


class SkeletonGait(DeepGaitV2):
    """Two input channels in [0, 1]: the limbs' map, then the joints' map."""

    family: ClassVar[str] = "skeletongait"
    input_channels: ClassVar[int] = 2


FAMILY: Final = Family(
    name="skeletongait",
    summary="skeleton maps (limbs, joints) alone",
    config=SkeletonGaitConfig,
    sizes=sizes_of(SkeletonGaitConfig),
    build=SkeletonGait,
    layout="gaitway16",
    frames=30,
)
