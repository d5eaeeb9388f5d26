"""Profiles lie over the file and under `--set`; what one cannot be is said, and doctor tells what each comes to."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from commands import doctor
from commands.cli import DEFAULT_CONFIG, add_config_arguments
from commands.config import PipelineConfig, load_config
from engines import mediapipe_environment
from stream.errors import ConfigError

FILE = """
perceive:
  max_people: 7
  nets: {runtime: onnxruntime, threads: 1}
profiles:
  gpu:
    perceive:
      nets: {runtime: torch, device: cuda}
  night:
    perceive:
      max_people: 2
"""


def config(tmp_path: Path, *overrides: str, text: str = FILE) -> PipelineConfig:
    path = tmp_path / "pipeline.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, list(overrides))


def test_without_one_the_file_stands(tmp_path: Path) -> None:
    found = config(tmp_path)
    assert (found.profile, found.perceive.nets.runtime, found.perceive.max_people) == ("", "onnxruntime", 7)


def test_a_built_in_one_lies_over_the_file(tmp_path: Path) -> None:
    found = config(tmp_path, "profile=cpu")
    assert found.profile == "cpu"
    assert found.perceive.nets.runtime == "openvino"
    assert (found.perceive.nets.threads, found.perceive.max_people) == (1, 7)


def test_the_files_own_adds_to_the_built_in_one(tmp_path: Path) -> None:
    found = config(tmp_path, "profile=gpu").perceive
    assert (found.nets.runtime, found.nets.device) == ("torch", "cuda")
    assert (found.max_people, found.search.tiles_per_frame) == (24, 8)
    assert config(tmp_path, "profile=night").perceive.max_people == 2


def test_a_single_setting_lies_over_the_profile_and_the_last_profile_counts(tmp_path: Path) -> None:
    found = config(tmp_path, "profile=gpu", "perceive.max_people=3", "profile=night")
    assert (found.profile, found.perceive.max_people) == ("night", 3)
    assert config(tmp_path, text="profile: night" + FILE).perceive.max_people == 2
    assert config(tmp_path, "profile=", text="profile: night" + FILE).perceive.max_people == 7


def test_the_digest_is_that_of_what_is_answered(tmp_path: Path) -> None:
    told = "perceive.nets.runtime=openvino"
    assert config(tmp_path, "profile=cpu").digest == config(tmp_path, told, "perceive.nets.device=CPU").digest
    assert config(tmp_path, "profile=night").digest != config(tmp_path).digest


@pytest.mark.parametrize(
    ("text", "overrides", "said"),
    [
        (FILE, ["profile=gup"], "no profile 'gup'; wanted one of cpu, gpu, night"),
        (
            "profiles: {a: {perceive: {nets: {runtme: x}}}}",
            [],
            "profile 'a': Object contains unknown field `runtme`",
        ),
        ("profiles: {a: {perceive: {max_people: 999}}}", [], "profile 'a': Expected `int` <= 64"),
        (
            "profiles: {a: {gallery: {path: x}}}",
            [],
            "profile 'a' sets 'gallery'; wanted one of stream, perceive",
        ),
        ("profiles: {a: 7}", [], "profiles.a: expected `object`, got `int`"),
        ("profiles: 7", ["profile=cpu"], "profiles: expected `object`, got `int`"),
        ("profile: 3", [], "no profile '3'"),
    ],
)
def test_what_cannot_be_is_said(text: str, overrides: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        config(tmp_path, *overrides, text=text)
    assert said in str(error.value)


def test_the_flag_is_a_setting_like_others() -> None:
    parser = argparse.ArgumentParser()
    add_config_arguments(parser)
    told = parser.parse_args(["--profile", "gpu", "--set", "perceive.max_people=5"])
    assert told.overrides == ["profile=gpu", "perceive.max_people=5"]
    assert parser.parse_args([]).overrides == []
    assert load_config(DEFAULT_CONFIG, told.overrides).perceive.max_people == 5


def rows(capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, dict[str, dict[str, str]]]:
    parser = argparse.ArgumentParser()
    doctor.configure(parser)
    status = doctor.run(parser.parse_args(["--json", *flags]))
    found = json.loads(capsys.readouterr().out)["findings"]
    return status, {f"{row['area']}: {row['what']}": row for row in found}


def test_doctor_tells_what_each_profile_comes_to(capsys: pytest.CaptureFixture[str]) -> None:
    _, found = rows(capsys)
    assert found["nets: no profile"]["state"] == "ok"
    assert found["nets: profile cpu"]["found"].startswith("openvino 20")
    assert "pose blazepose" in found["nets: profile cpu"]["found"]
    assert found["nets: profile gpu"]["state"] in ("ok", "note")


def test_doctor_fails_for_a_profile_that_is_asked_for_and_cannot_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, found = rows(capsys, "--profile", "gpu")
    gpu = found["nets: profile gpu (asked for)"]
    if gpu["state"] == "ok":
        pytest.skip("an NVIDIA GPU with TensorRT is here")
    assert (status, gpu["state"]) == (1, "missing")
    assert gpu["fix"]
    assert "nets: no profile" not in found


def test_doctor_tells_where_mediapipe_would_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GAITWAY_CACHE", str(tmp_path))
    monkeypatch.delenv(mediapipe_environment.CHOSEN, raising=False)
    what = f"pose: mediapipe {mediapipe_environment.VERSION}"
    _, found = rows(capsys)
    assert found[f"{what} (not asked for)"]["state"] == "note"
    monkeypatch.setattr(mediapipe_environment, "base_python", lambda: None)
    _, found = rows(capsys, "--set", "perceive.engines.pose=mediapipe")
    assert found[what]["state"] == "missing"
    assert "Python 3.12" in found[what]["fix"]
    monkeypatch.setenv(mediapipe_environment.CHOSEN, __file__)
    _, found = rows(capsys, "--set", "perceive.engines.pose=mediapipe")
    assert (found[what]["state"], found[what]["found"]) == ("ok", __file__)
