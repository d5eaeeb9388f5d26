"""The rooms import one way only, and the core never needs what only some users have."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {
    "stream": set(),
    "trackers": {"stream"},
    "gait": {"stream"},
    "engines": {"stream", "gait"},
    "calibration": {"stream", "gait", "engines"},
    "commands": {"stream", "trackers", "gait", "engines", "calibration", "benchmarks"},
    "benchmarks": {"stream", "trackers", "gait", "engines", "calibration", "commands"},
}
TORCH_ROOMS = ("gait/models", "gait/training", "engines/runtimes/torch_", "engines/export.py")


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: import rooms by name, not relatively"
            names.add(node.module.split(".")[0])
    return names


def files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_one_way(room: str) -> None:
    allowed = ROOMS[room] | {room}
    for path in files(room):
        wrong = (imported(path) & ROOMS.keys()) - allowed
        assert not wrong, (
            f"{path.relative_to(ROOT)} imports {sorted(wrong)}; {room} may import {sorted(allowed)}"
        )


def test_trackers_need_numpy_and_scipy_only() -> None:
    for path in files("trackers"):
        heavy = imported(path) & {"cv2", "torch", "openvino", "av", "zmq", "onnxruntime"}
        assert not heavy, f"{path.relative_to(ROOT)} imports {heavy}"


def test_torch_stays_in_its_rooms() -> None:
    for room in ROOMS:
        for path in files(room):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(TORCH_ROOMS) and room != "benchmarks":
                tree = ast.parse(path.read_text(encoding="utf-8"))
                top = {a.name.split(".")[0] for n in tree.body if isinstance(n, ast.Import) for a in n.names}
                top |= {
                    n.module.split(".")[0] for n in tree.body if isinstance(n, ast.ImportFrom) and n.module
                }
                assert not top & {"torch", "torchvision", "ultralytics", "mediapipe"}, name


def test_no_pickle_in_the_running_pipeline() -> None:
    for room in ("stream", "trackers", "engines", "commands"):
        for path in files(room):
            assert not imported(path) & {"pickle", "marshal", "shelve", "dill"}, path.relative_to(ROOT)
