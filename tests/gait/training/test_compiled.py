"""A compiled step, where it cannot be compiled, is refused in one clear line."""

import pytest

from gait.training.loop import train
from stream.errors import ResourceError
from tests.gait.training.fakes import FakeSource, config


def test_a_machine_without_a_compiler_is_told(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ResourceError, match=r"no C\+\+ compiler.*trainer.compiled"):
        train(config("deepgaitv2", trainer={"steps": 1, "compiled": True}), FakeSource(), tmp_path)
