"""``pipeline.yaml`` as one typed value, and ``run_pipeline.py config`` that checks and shows it.

Each room defines its own part; this file only puts them together.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import yaml

from commands.cli import DEFAULT_CONFIG, add_config_arguments, add_json_argument, out, print_json, say
from commands.profiles import applied
from commands.settings import load_settings, parse_settings
from engines.config import PerceiveConfig
from engines.embed import EmbedConfig
from gait.gallery.config import GalleryConfig
from gait.identify_stage import IdentifyConfig
from stream.bus import check_endpoint
from stream.config import StreamConfig
from stream.errors import ConfigError
from stream.health import HealthLimits
from stream.logs import LogConfig
from stream.monitor import MonitorConfig
from stream.redact import HIDDEN, redact
from stream.security import SecurityConfig
from stream.sinks.config import SinksConfig
from stream.sources import SourceOptions
from stream.tracing import TracingConfig
from trackers.config import TrackConfig

__all__ = ["CameraConfig", "EventsConfig", "GalleryConfig", "PipelineConfig", "load_config"]

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
ANSWERS: Final = ("perceive", "track", "embed", "identify", "embedder")
"""The parts that decide what is answered; transport, paths and endpoints do not."""
IN_PROFILES: Final = ("stream", *ANSWERS)
"""The parts that a profile may set."""


class CameraConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One camera: where its frames come from, and how that source is read."""

    source: Annotated[str, msgspec.Meta(min_length=1)]
    options: SourceOptions = SourceOptions()


class EventsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where identity events go: the log (relative to the run's folder) and the PUB socket.

    ``repair``: the socket where a subscriber asks for what it missed; empty for none.
    ``sync``: force each event to the disk before it is published; off, the operating system decides when.
    """

    endpoint: str = "tcp://127.0.0.1:5577"
    repair: str = "tcp://127.0.0.1:5578"
    log: str = "events.jsonl"
    sync: bool = False


class PipelineConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything ``pipeline.yaml`` can say. Relative paths are relative to the working folder."""

    cameras: dict[str, CameraConfig] = {}
    gallery: GalleryConfig = GalleryConfig()
    events: EventsConfig = EventsConfig()
    sinks: SinksConfig = SinksConfig()
    stream: StreamConfig = StreamConfig()
    security: SecurityConfig = SecurityConfig()
    monitor: MonitorConfig = MonitorConfig()
    logs: LogConfig = LogConfig()
    tracing: TracingConfig = TracingConfig()
    perceive: PerceiveConfig = PerceiveConfig()
    track: TrackConfig = TrackConfig()
    embed: EmbedConfig = EmbedConfig()
    identify: IdentifyConfig = IdentifyConfig()
    # What people are told apart by: averaged silhouettes, or a trained net in the box (docs/MODEL_CARD.md).
    embedder: Literal["shipped", "shipped-larger", "baseline"] = "shipped"
    # Settings laid over these by name: cpu, gpu (both built in), or a name under `profiles`.
    profile: str = ""
    profiles: dict[str, dict[str, Any]] = {}

    @property
    def health_limits(self) -> HealthLimits:
        """What counts as well."""
        return self.monitor.limits(self.stream.heartbeat_s)

    @property
    def digest(self) -> str:
        """Identifies what decides the answers: equal digests answer equally, whatever the transport."""
        parts = {name: getattr(self, name) for name in ANSWERS}
        return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:16]


def load_config(path: Path | None, overrides: list[str]) -> PipelineConfig:
    """The configuration at ``path`` (default: the repository's pipeline.yaml), checked beyond its types."""
    chosen = path or DEFAULT_CONFIG
    if path is None and not chosen.is_file():
        config = parse_settings("", "defaults", PipelineConfig, overrides, applied)
    else:
        config = load_settings(chosen, PipelineConfig, overrides, applied)
    _check_profiles(config, str(chosen))
    for name in config.cameras:
        check_camera_name(name, str(chosen))
    for endpoint in filter(None, (*_bound(config), config.events.endpoint, config.events.repair)):
        check_endpoint(
            endpoint, bind=True, secured=bool(config.security.keys) and endpoint.startswith("tcp://")
        )
    _ = config.monitor.address
    config.tracing.check()
    config.sinks.check()
    return config


def _bound(config: PipelineConfig) -> list[str]:
    """Where else this configuration listens, hops between stages included."""
    stream = config.stream
    hops = [f"tcp://{stream.tcp_host}:{stream.tcp_port}"] if stream.transport == "tcp" else []
    return [config.security.control, *hops, *stream.endpoints.values()]


def _check_profiles(config: PipelineConfig, where: str) -> None:
    """Every profile of the file, also those that are not asked for; raises ConfigError."""
    for name, settings in config.profiles.items():
        if foreign := sorted(settings.keys() - set(IN_PROFILES)):
            raise ConfigError(
                f"profile {name!r} sets {foreign[0]!r}",
                where=where,
                wanted=f"one of {', '.join(IN_PROFILES)}",
            )
        try:
            msgspec.convert(settings, PipelineConfig)
        except msgspec.ValidationError as error:
            raise ConfigError(f"profile {name!r}: {error}", where=where) from error


def check_camera_name(name: str, where: str) -> None:
    """Camera names become topics, file names and tracklet ids; raises ConfigError for what cannot."""
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"camera name {name!r}",
            where=where,
            wanted="1 to 32 letters, digits, '-' or '_', not starting with one of the last two",
        )


def configure(parser: argparse.ArgumentParser) -> None:
    """``--show`` prints the resolved result; without it the file is only checked."""
    add_config_arguments(parser)
    add_json_argument(parser)
    parser.add_argument(
        "--show", action="store_true", help="print every setting as it resolves, defaults included"
    )


def run(arguments: argparse.Namespace) -> int:
    """Check, and show where asked."""
    config = load_config(arguments.config, arguments.overrides)
    plain = shown(config)
    if arguments.json:
        print_json(plain)
    elif arguments.show:
        out.print(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), highlight=False, markup=False)
    else:
        path = arguments.config or DEFAULT_CONFIG
        say(f"{path}: good; {len(config.cameras)} camera(s), digest {config.digest}; see all with --show")
    return 0


def shown(config: PipelineConfig) -> dict[str, Any]:
    """The configuration as plain values, credentials hidden: in addresses, and what signs and logs in."""
    plain: dict[str, Any] = msgspec.to_builtins(config)
    for camera in plain["cameras"].values():
        camera["source"] = redact(camera["source"])
    for sink in [*plain["sinks"]["webhook"].values(), *plain["sinks"]["mqtt"].values()]:
        sink["url"] = redact(sink["url"])
        for name in ("secret", "password", "headers"):
            if sink.get(name):
                sink[name] = HIDDEN
    return {**plain, "digest": config.digest}
