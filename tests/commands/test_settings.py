"""Settings: every mistake in pipeline.yaml names its line and the way out."""

import re
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from commands.cli import DEFAULT_CONFIG
from commands.config import load_config
from commands.settings import load_settings, parse_settings
from stream.errors import ConfigError


class Lens(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    focal_px: float = 800.0


class Camera(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    lens: Lens | None = None
    people: int = 6


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cameras: dict[str, Camera] = {}
    sizes: tuple[Lens, ...] = ()
    name: str = "x"
    pace: Literal["slow", "brisk"] | None = None


def parse(text: str, *overrides: str) -> Settings:
    return parse_settings(text, "pipeline.yaml", Settings, list(overrides))


def message(text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, *overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_empty_file_gives_the_defaults() -> None:
    assert parse("") == parse("# nothing\n") == Settings()


def test_values_arrive_typed() -> None:
    settings = parse("cameras:\n  hall: {source: a.mp4, lens: {focal_px: 3}}\nsizes: [{focal_px: 2.5}]\n")
    assert settings.cameras["hall"].lens == Lens(3.0)
    assert settings.sizes == (Lens(2.5),)


def test_an_unknown_key_names_its_line_and_the_nearest_key() -> None:
    text = message("cameras:\n  hall:\n    source: a\n    poeple: 3\n")
    assert "line 4" in text
    assert "'poeple'" in text
    assert "Did you mean 'people'?" in text


def test_an_unknown_key_near_nothing_lists_what_there_is() -> None:
    assert "cameras, name, pace, sizes" in message("zzzzqqq: 1\n")


def test_an_unknown_key_inside_a_list_is_found() -> None:
    assert "line 3" in message("sizes:\n  - focal_px: 1\n  - fokal_px: 1\n")


def test_a_wrong_type_names_line_and_setting() -> None:
    text = message("name: x\ncameras:\n  hall:\n    source: a\n    people: many\n")
    assert "line 5" in text
    assert "cameras" in text
    assert "int" in text


def test_a_word_that_is_none_of_a_few_names_the_nearest_of_them() -> None:
    text = message("name: x\npace: slowly\n")
    assert "line 2" in text
    assert "pace" in text
    assert "Did you mean 'slow'?" in text
    assert "Known here: brisk, slow" in message("pace: zzzz")
    assert "Did you mean" not in message("pace: 3")


def test_a_wrong_value_of_an_override_is_told_of_the_override() -> None:
    text = message("name: x\npace: slow\n", "pace=slow", "pace=brsik")
    assert text.startswith("--set pace=brsik: pace")
    assert "line" not in text
    assert "line 2" in message("name: x\npace: slowly\n", "name=y")


@pytest.mark.parametrize("key", ["{source: y}", "[a, b]", "? {a: 1}"])
def test_a_key_that_is_no_word_is_refused(key: str) -> None:
    assert message(f"cameras: {{x: {{source: z}}, {key}: 1}}").startswith(
        "pipeline.yaml, line 1: a key is not"
    )


def test_a_key_given_twice_is_refused() -> None:
    assert "twice" in message("name: a\nname: b\n")


@pytest.mark.parametrize(
    "text", ["a: [", "\t- x", "a: b: c", "!!python/object/apply:os.system [ls]", "[1, 2]", "x"]
)
def test_what_is_not_a_mapping_in_yaml_is_refused(text: str) -> None:
    assert message(text).startswith("pipeline.yaml")


def test_overrides_win_and_reach_inside() -> None:
    settings = parse(
        "cameras: {hall: {source: a}}", "cameras.hall.people=9", "name=y", "cameras.yard.source=b"
    )
    assert settings.cameras["hall"].people == 9
    assert settings.cameras["yard"].source == "b"
    assert settings.name == "y"
    assert parse("name: x", "name=").name == ""


@pytest.mark.parametrize("override", ["name", "=3", "nmae=3", "cameras.hall.poeple=3", "name.deep=3"])
def test_a_wrong_override_is_refused(override: str) -> None:
    assert "--set" in message("cameras: {hall: {source: a}}", override)


def test_the_environment_fills_in_and_its_absence_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAITWAY_TEST_WORD", "secret")
    assert parse("name: rtsp://me:${GAITWAY_TEST_WORD}@cam").name == "rtsp://me:secret@cam"
    monkeypatch.delenv("GAITWAY_TEST_WORD")
    assert "GAITWAY_TEST_WORD" in message("name: ${GAITWAY_TEST_WORD}")


def test_a_missing_file_names_it(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load_settings(tmp_path / "nowhere.yaml", Settings, [])


def test_a_binary_file_is_refused(tmp_path) -> None:
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_settings(tmp_path / "b.yaml", Settings, [])


def test_what_pipeline_yaml_and_the_docs_show_as_examples_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAITWAY_HOOK", "whsec_" + "c2VjcmV0" * 6)
    monkeypatch.setenv("MQTT_PASSWORD", "x")
    lines = DEFAULT_CONFIG.read_text(encoding="utf-8").splitlines()
    shown = [re.sub(r"^# ( *[a-z_]+:)", r"\1", line) for line in lines]
    (tmp_path / "all.yaml").write_text("\n".join(shown), encoding="utf-8")
    config = load_config(tmp_path / "all.yaml", [])
    assert config.sinks.webhook["door"].kinds == ("new", "update")
    assert config.monitor.http
    assert config.tracing.endpoint
    assert config.logs.format == "json"
    page = (DEFAULT_CONFIG.parent / "docs" / "SINKS.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```", page, flags=re.M | re.S)
    (tmp_path / "page.yaml").write_text(block, encoding="utf-8")
    assert [name for name, _ in load_config(tmp_path / "page.yaml", []).sinks.named()] == [
        *("jsonl-archive", "webhook-door", "mqtt-home")
    ]
