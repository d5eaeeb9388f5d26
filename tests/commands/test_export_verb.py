"""The verb export: formats beside the ONNX, foreign files refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import run_pipeline
from engines.runtimes.cuda import NoGpu
from engines.runtimes.tensorrt_build import BuildOptions
from tests.engines.small_nets import doubling


def run(*words: object) -> int:
    return run_pipeline.main(["export", *map(str, words)])


def test_an_onnx_becomes_openvinos_files(tmp_path: Path, capsys) -> None:
    path = doubling(tmp_path / "net.onnx")
    assert run(path, "--format", "openvino", "--json") == 0
    assert json.loads(capsys.readouterr().out)["files"] == [str(path), str(tmp_path / "net.xml")]
    assert (tmp_path / "net.bin").is_file()


def test_an_engine_without_a_gpu_is_refused_with_the_reason(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("engines.compiled.find_gpu", lambda: NoGpu("no driver"))
    assert run(doubling(tmp_path / "net.onnx"), "--format", "tensorrt") == 4
    assert "no engine can be built here: no driver" in capsys.readouterr().err


def test_the_engines_options_are_those_of_the_flags(tmp_path: Path, monkeypatch, capsys) -> None:
    asked = []

    def build(path: Path, options: object, step: object) -> Path:
        asked.append(options)
        return path

    monkeypatch.setattr("engines.compiled.to_tensorrt", build)
    path = doubling(tmp_path / "net.onnx")
    assert run(path, "--format", "tensorrt") == 0
    flags = ("--batch", 2, "--workspace", 64, "--version-compatible", "--hardware-compatible")
    assert run(path, "--format", "tensorrt", *flags) == 0
    assert asked == [BuildOptions(), BuildOptions((1, 2, 2), 64 << 20, True, True)]


def test_no_workspace_is_refused(capsys) -> None:
    assert run("silskeletongait", "--workspace", 0) == 2
    assert "--workspace 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("net.onnx", None, "no such net"),
        ("net.onnx", b"junk", "no ONNX net"),
        ("net.pt", None, "no .pt of YOLO weights"),
        ("net.pt", b"junk", "no .pt of YOLO weights"),
    ],
)
def test_foreign_files_are_refused_in_one_line(
    name: str, data: bytes | None, why: str, tmp_path: Path, capsys
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    assert run(tmp_path / name) == 5
    said = capsys.readouterr().err.strip()
    assert why in said
    assert "\n" not in said


def test_a_batch_of_nothing_is_refused(capsys) -> None:
    assert run("silskeletongait", "--batch", 0) == 2
    assert "--batch 0" in capsys.readouterr().err
