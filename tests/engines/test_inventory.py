"""What the machine offers: nothing is fetched to find out, and states are told apart."""

from pathlib import Path

import pytest

from engines import inventory
from engines.weights import ALL


def test_missing_and_damaged_weights_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / ALL[0].name).write_bytes(b"half a net")
    found = inventory.take_inventory(tmp_path)
    assert [entry.state for entry in found.weights] == ["damaged", "missing"]
    assert found.weights[0].sha256 != found.weights[0].wanted_sha256
    assert sorted(path.name for path in tmp_path.iterdir()) == [ALL[0].name]


def test_openvino_is_here_with_its_devices(tmp_path: Path) -> None:
    found = inventory.take_inventory(tmp_path)
    openvino = next(entry for entry in found.runtimes if entry.name == "openvino")
    assert openvino.available
    assert any(device.startswith("CPU") for device in openvino.devices)
    assert "fp32" in openvino.precisions
    assert found.cores >= 1


def test_a_runtime_that_is_not_installed_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "RUNTIMES", (("nothing", "no_such_module"),))
    (found,) = inventory.take_inventory(tmp_path).runtimes
    assert not found.available
