"""ONNX -> TensorRT engine, 10.x and 11.x alike: strongly typed, so precision is what the ONNX says.

Neither calibrators nor precision flags are used (11 has none). The engine lies beside the ONNX with a sidecar
and is built again when anything that it depends on differs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engines.runtimes.cuda import Gpu
from engines.runtimes.engine_check import check_weights
from engines.runtimes.engine_file import EngineKey, key_beside, load_engine, save_engine, write_whole
from engines.runtimes.tensorrt_operators import check_operators, precision_of
from engines.weights import sha256_of
from stream.errors import ResourceError, WeightsError

if TYPE_CHECKING:
    import tensorrt as trt

Step = Callable[[str, int, int], None]
"""Told of the build: the phase's name, steps done, steps in all."""

WORKSPACE_BYTES: Final = 2 << 30
"""What a tactic may borrow while it runs: more than any layer of ours needs, less than small GPUs have."""
TIMING_CACHE: Final = "timing.cache"


@dataclass(frozen=True)
class BuildOptions:
    """How an engine is built.

    ``batch``: the least, usual and largest number of rows. ``version_compatible``: the engine may be loaded
    by later TensorRT of the same major version; ``hardware_compatible``: by GPUs from Ampere on. Both cost
    speed.
    """

    batch: tuple[int, int, int] = (1, 4, 32)
    workspace_bytes: int = WORKSPACE_BYTES
    version_compatible: bool = False
    hardware_compatible: bool = False

    def __post_init__(self) -> None:
        least, usual, most = self.batch
        if not 1 <= least <= usual <= most:
            raise ValueError("`batch` must be 1 <= least <= usual <= most")


def options_beside(target: Path) -> BuildOptions | None:
    """The options that the engine at ``target`` was built with, whether or not it can be used; or None."""
    key = key_beside(target)
    if key is None:
        return None
    try:
        return BuildOptions(key.batch, key.workspace_bytes, key.version_compatible, key.hardware_compatible)
    except ValueError:
        return None


@dataclass(frozen=True)
class Builder:
    """TensorRT, the GPU it builds for, and whom to tell of the progress."""

    api: Any
    gpu: Gpu
    step: Step | None = None

    def engine(self, onnx: Path, target: Path, options: BuildOptions | None = None) -> tuple[bytes, str]:
        """The engine for ``onnx``, loaded from ``target`` or built there; and why it was built, if it was."""
        options = options or BuildOptions()
        key = self.key(onnx, options)
        held, reason = load_engine(target, key)
        if held is not None:
            return held, ""
        check_operators(onnx)
        check_weights(onnx)
        data = self._build(onnx, target.parent / TIMING_CACHE, key, options)
        save_engine(target, data, key)
        return data, reason

    def key(self, onnx: Path, options: BuildOptions) -> EngineKey:
        """What the engine for ``onnx`` depends on."""
        return EngineKey(
            onnx_sha256=sha256_of(onnx) if onnx.is_file() else "",
            tensorrt=str(self.api.__version__),
            driver=self.gpu.driver,
            gpu=self.gpu.name,
            capability=self.gpu.capability,
            precision=precision_of(onnx),
            batch=options.batch,
            workspace_bytes=options.workspace_bytes,
            version_compatible=options.version_compatible,
            hardware_compatible=options.hardware_compatible,
        )

    def _build(self, onnx: Path, cache: Path, key: EngineKey, options: BuildOptions) -> bytes:
        """Parse, set up, build; raises WeightsError for the graph, ResourceError for the machine."""
        logger = _logger(self.api)
        builder: trt.Builder = self.api.Builder(logger)
        network = builder.create_network(_strongly_typed(self.api))
        _parse(self.api, network, logger, onnx)
        config = builder.create_builder_config()
        _configure(self.api, config, options)
        _use_timing_cache(config, cache)
        profile = _profile(self.api, builder, network, options)
        if config.add_optimization_profile(profile) < 0:
            raise WeightsError(
                "TensorRT refuses the batch profile", where=str(onnx), wanted=f"batches {key.batch}"
            )
        if self.step is not None:
            config.progress_monitor = _monitor(self.api, self.step)
        built = builder.build_serialized_network(network, config)
        if built is None:
            raise ResourceError(
                f"TensorRT could not build an engine ({logger.last})",
                where=str(onnx),
                fix="Lower the batch or the workspace, close what else uses the GPU, or use another runtime",
            )
        write_whole(cache, bytes(config.get_timing_cache().serialize()))
        return bytes(built)


def _strongly_typed(api: Any) -> int:
    """The network's flags: needed on 10.x, gone or without effect where every network is strongly typed."""
    flag = getattr(api.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _parse(api: Any, network: trt.INetworkDefinition, logger: Any, onnx: Path) -> None:
    parser: trt.OnnxParser = api.OnnxParser(network, logger)
    if not parser.parse(onnx.read_bytes(), str(onnx)):
        said = "; ".join(str(parser.get_error(k)) for k in range(int(parser.num_errors)))
        raise WeightsError(f"TensorRT cannot parse this net ({said[:300]})", where=str(onnx))


def _configure(api: Any, config: trt.IBuilderConfig, options: BuildOptions) -> None:
    config.set_memory_pool_limit(api.MemoryPoolType.WORKSPACE, options.workspace_bytes)
    # On by default: it would compute what the ONNX calls f32 with mantissas of 10 bits.
    tf32 = getattr(api.BuilderFlag, "TF32", None)
    if tf32 is not None:
        config.clear_flag(tf32)
    if options.version_compatible:
        config.set_flag(api.BuilderFlag.VERSION_COMPATIBLE)
        # The engine brings no runtime of its own, which would be code of somebody else's to load.
        config.set_flag(api.BuilderFlag.EXCLUDE_LEAN_RUNTIME)
    if options.hardware_compatible:
        config.hardware_compatibility_level = api.HardwareCompatibilityLevel.AMPERE_PLUS


def _use_timing_cache(config: trt.IBuilderConfig, cache: Path) -> None:
    """What earlier builds timed; a damaged or foreign cache costs time and is replaced."""
    try:
        held = cache.read_bytes()
    except OSError:
        held = b""
    found = config.create_timing_cache(held) or config.create_timing_cache(b"")
    if not config.set_timing_cache(found, False):
        config.set_timing_cache(config.create_timing_cache(b""), False)


def _profile(
    api: Any, builder: trt.Builder, network: trt.INetworkDefinition, options: BuildOptions
) -> trt.IOptimizationProfile:
    """One profile: every input whose first side is free takes the batch's least, usual and largest."""
    profile = builder.create_optimization_profile()
    for place in range(int(network.num_inputs)):
        tensor = network.get_input(place)
        shape = sides_of(tensor.shape)
        if any(side < 0 for side in shape[1:]):
            raise WeightsError(f"input {tensor.name!r} has free sides beyond the batch", wanted="fixed sides")
        if shape and shape[0] < 0:
            least, usual, most = (api.Dims([rows, *shape[1:]]) for rows in options.batch)
            profile.set_shape(tensor.name, least, usual, most)
    return profile


def sides_of(dims: trt.Dims) -> tuple[int, ...]:
    """TensorRT's dimensions as plain numbers; free ones are negative."""
    return tuple(int(dims[place]) for place in range(len(dims)))


def _logger(api: Any) -> Any:
    """TensorRT's logger that keeps the last error instead of printing."""

    class LastError(api.ILogger):  # type: ignore[misc] # the base exists only where TensorRT does
        def __init__(self) -> None:
            super().__init__()
            self.last = "no reason given"

        def log(self, severity: Any, message: str) -> None:
            if severity in (api.ILogger.Severity.ERROR, api.ILogger.Severity.INTERNAL_ERROR):
                self.last = message

    return LastError()


def _monitor(api: Any, step: Step) -> Any:
    """TensorRT's progress, told on."""

    class Monitor(api.IProgressMonitor):  # type: ignore[misc] # the base exists only where TensorRT does
        def __init__(self) -> None:
            super().__init__()
            self.steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            del parent_phase
            self.steps[phase_name] = num_steps
            step(phase_name, 0, num_steps)

        def step_complete(self, phase_name: str, step_number: int) -> bool:
            step(phase_name, step_number + 1, self.steps.get(phase_name, 0))
            return True

        def phase_finish(self, phase_name: str) -> None:
            total = self.steps.pop(phase_name, 0)
            step(phase_name, total, total)

    return Monitor()
