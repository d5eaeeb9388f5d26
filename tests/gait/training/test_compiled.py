"""A compiled step loses what an eager one does; where there is no compiler it is refused in one clear line."""

import pytest

from gait.training.log import read_log, steps_of
from gait.training.loop import train
from stream.errors import ResourceError
from tests.gait.training.fakes import FakeSource, config


@pytest.mark.slow
def test_a_compiled_step_loses_what_an_eager_one_does(tmp_path) -> None:
    """The first step's loss: later ones part, for gradients hang on which of equal maxima is taken."""
    losses = []
    for compiled in (False, True):
        out = tmp_path / str(compiled)
        train(config("deepgaitv2", trainer={"steps": 1, "compiled": compiled}), FakeSource(), out)
        losses.append(steps_of(read_log(out / "log.jsonl"))[0].loss)
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


# Last: torch remembers in the process that it found no compiler.
def test_a_machine_without_a_compiler_is_told(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ResourceError, match=r"no C\+\+ compiler.*trainer.compiled"):
        train(config("deepgaitv2", trainer={"steps": 1, "compiled": True}), FakeSource(), tmp_path)
