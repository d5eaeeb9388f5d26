"""``run_pipeline.py keys`` and a guarded pipeline's subscriber, as a user calls them."""

import json
from pathlib import Path

import pytest

import run_pipeline
from commands.config import load_config
from stream.errors import ConfigError


def keys(*arguments: str) -> int:
    return run_pipeline.main(["keys", *arguments])


def test_somebody_made_allowed_listed_and_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "keys")
    assert keys("init", "--folder", folder) == 0
    assert keys("make", "display", "--role", "subscriber", "--folder", folder) == 0
    capsys.readouterr()
    assert keys("list", "--json", "--folder", folder) == 0
    listed = {one["name"]: one["role"] for one in json.loads(capsys.readouterr().out)["allowed"]}
    assert listed == {"display": "subscriber", "operator": "operator"}
    assert keys("revoke", "display", "--folder", folder) == 0
    assert keys("revoke", "display", "--folder", folder) != 0
    assert "nobody called 'display'" in capsys.readouterr().err


def test_a_key_before_the_pipelines_own_names_the_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert keys("make", "display", "--folder", str(tmp_path / "none")) != 0
    assert "keys init" in capsys.readouterr().err


def test_listening_beyond_this_host_needs_the_folder_of_keys() -> None:
    """Refused while the configuration is read, with the command that helps; admitted with keys."""
    for wide in (
        ["events.endpoint=tcp://0.0.0.0:5577"],
        ["security.control=tcp://0.0.0.0:5579"],
        ["stream.transport=tcp", "stream.tcp_host=0.0.0.0"],
        ["stream.endpoints={track: 'tcp://192.0.2.7:17000'}"],
    ):
        with pytest.raises(ConfigError, match="keys init"):
            load_config(None, wide)
        assert load_config(None, [*wide, "security.keys=keys"]).security.keys == "keys"


def test_one_key_file_without_the_other_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_pipeline.main(["subscribe", "tcp://127.0.0.1:5577", "--server", "pipeline.key"]) != 0
    assert "go together" in capsys.readouterr().err
