"""Two processes (gloo): the gradient is that of the whole batch, and a run's copies agree and can be resumed."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gait.training.parallel import chosen_device
from stream.errors import ConfigError
from tests.gait.training.gradient import gradient

ROOT = Path(__file__).parents[3]


def together(count: int, *command: str) -> list[str]:
    """What each of ``count`` processes says, by rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = os.environ | {
        "OMP_NUM_THREADS": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(count),
    }
    started = [
        subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    said = [process.communicate(timeout=90) for process in started]
    assert all(process.returncode == 0 for process in started), said
    return [out for out, _ in said]


def test_two_processes_have_the_gradient_of_the_whole_batch() -> None:
    assert together(2, "-m", "tests.gait.training.gradient") == [gradient(), gradient()]


def test_two_processes_train_a_net_whose_neck_no_loss_uses(tmp_path) -> None:
    first, second = together(2, "-m", "tests.gait.training.neckless", str(tmp_path))
    assert first == second


@pytest.mark.slow
def test_two_processes_train_one_model_and_resume_it(tmp_path) -> None:
    """Both end with the same weights; from an earlier checkpoint on, again the same."""
    command = ("-m", "tests.gait.training.child", str(tmp_path))
    reports = [json.loads(line) for line in together(2, *command)]
    assert reports[0] == reports[1]
    assert reports[0]["processes"] == 2
    last = tmp_path / "checkpoints" / "step-00000030"
    last.rename(tmp_path / "gone")
    assert (tmp_path / "checkpoints" / "step-00000028").is_dir()
    assert [json.loads(line) for line in together(2, *command)] == reports


@pytest.mark.parametrize("name", ["cuda", "nonsense", "cuda:1"])
def test_a_device_that_is_not_there_is_refused_in_one_line(name) -> None:
    if torch.cuda.is_available() and name != "nonsense":
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError, match=r"trainer.device"):
        chosen_device(name)
