"""What each family's net is fed, told from its config."""

from __future__ import annotations

from gait.inputs import InputSpec, Kind
from gait.maps import MapConfig
from gait.models.conv import ConvConfig, ConvNet
from gait.models.deepgaitv2 import DeepGaitV2Config
from gait.models.family import GaitNet
from gait.models.gaitgraph2 import GaitGraph2Config
from gait.models.hybridgait import HybridGaitConfig
from gait.models.siamesegait import SiameseGaitConfig
from gait.models.silskeletongait import SilSkeletonGaitConfig
from gait.models.skeletongait import SkeletonGaitConfig
from gait.models.skeletongait_pp import SkeletonGaitPPConfig
from stream.errors import ConfigError


def spec_of(net: GaitNet) -> InputSpec:
    """The spec by which ``gait.inputs.prepare`` feeds this net."""
    config = net.config
    if isinstance(config, GaitGraph2Config):
        return InputSpec(
            kind="branches",
            graph=config.graph,
            normalise=config.normalise,
            as_released=config.confidence_as_released,
            views=config.test_time_augmentation,
        )
    if isinstance(config, SiameseGaitConfig):
        return InputSpec(kind="joints", graph=config.graph, normalise=config.normalise)
    if isinstance(config, SilSkeletonGaitConfig):
        return InputSpec(kind="silhouette+depth", maps=config.maps, rasteriser=config.rasteriser)
    if isinstance(net, ConvNet) and isinstance(config, ConvConfig):
        return _maps_spec(config)
    raise ConfigError(f"no way is known to feed {net.family}")


def _maps_spec(config: ConvConfig) -> InputSpec:
    kinds: dict[type[ConvConfig], Kind] = {
        DeepGaitV2Config: "silhouette",
        ConvConfig: "silhouette",
        SkeletonGaitConfig: "maps",
        SkeletonGaitPPConfig: "silhouette+maps",
        HybridGaitConfig: "silhouette+maps",
    }
    kind = kinds[type(config)]
    if isinstance(config, HybridGaitConfig) and config.delta_joint:
        kind = "silhouette+maps+motion"
    reference = isinstance(config, SkeletonGaitConfig | SkeletonGaitPPConfig) and config.reference_maps
    return InputSpec(
        kind=kind, maps=MapConfig(height=config.height, width=config.width), reference_form=reference
    )
