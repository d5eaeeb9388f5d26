"""Sinks beside a real pipeline: killed, hung and given up, they slow nobody and lose nothing that was logged."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from stream.errors import ConfigError, ResourceError
from stream.life import Life
from stream.look import Look
from stream.metrics import FIGURES, TOTALS
from stream.runner import StagePlan
from stream.sinks.config import JsonlConfig, MqttConfig, SinksConfig, WebhookConfig
from stream.sinks.run import cursor_file, prepare_cursors, run_sinks
from stream.stop import Level
from stream.supervisor import Outcome, Supervisor
from tests.stream.chaos import Plan, supervisor
from tests.stream.sinks.logs import Log, await_true

COPY = JsonlConfig(path="copy.jsonl")


def ids_in_log(folder: Path) -> list[str]:
    return [json.loads(line)["id"] for line in (folder / "events.jsonl").read_bytes().splitlines()]


def copied(folder: Path) -> list[tuple[str, bool]]:
    lines = (folder / "copy.jsonl").read_bytes().splitlines()
    return [(one["event"]["id"], one["replayed"]) for one in map(json.loads, lines)]


def unique(copies: list[tuple[str, bool]]) -> list[str]:
    """The ids as they first came; asserts that every later one says that it is a repetition."""
    seen: list[str] = []
    for name, replayed in copies:
        assert name not in seen or replayed
        if name not in seen:
            seen.append(name)
    return seen


def run(plan: Plan, meanwhile: Callable[[Supervisor], None] = lambda _: None) -> tuple[Outcome, list[str]]:
    """Run the pipeline to its end; what was noted."""
    notes: list[str] = []
    chief = supervisor(plan, note=notes.append)
    thread = threading.Thread(target=meanwhile, args=(chief,))
    thread.start()
    outcome = chief.run()
    thread.join()
    return outcome, notes


def pid_of(look: Look, name: str) -> int:
    return next(stage.pid for stage in look.stages if stage.name == name and stage.state == "running")


def test_a_pipeline_ends_when_its_sinks_have_all_events(tmp_path: Path) -> None:
    outcome, notes = run(Plan(str(tmp_path), work_s=0.0, sinks=SinksConfig(jsonl={"copy": COPY})))
    assert outcome.error is None
    assert notes == []
    assert [name for name, _ in copied(tmp_path)] == ids_in_log(tmp_path)


def test_killed_again_and_again_they_go_on_where_they_were(tmp_path: Path) -> None:
    def kill(chief: Supervisor) -> None:
        for _ in range(3):
            await_true(
                lambda: any(one.name == "sinks" and one.state == "running" for one in chief.look().stages)
            )
            os.kill(pid_of(chief.look(), "sinks"), signal.SIGKILL)
            await_true(
                lambda: any(one.name == "sinks" and one.state != "running" for one in chief.look().stages)
            )

    outcome, notes = run(Plan(str(tmp_path), sinks=SinksConfig(jsonl={"copy": COPY})), kill)
    assert outcome.error is None
    assert sum("sinks is started again" in note for note in notes) == 3
    assert unique(copied(tmp_path)) == ids_in_log(tmp_path)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_sinks_that_are_given_up_end_nothing_but_themselves(tmp_path: Path, how: signal.Signals) -> None:
    def end(chief: Supervisor) -> None:
        await_true(lambda: chief.look().began)
        os.kill(pid_of(chief.look(), "sinks"), how)

    plan = Plan(str(tmp_path), sinks=SinksConfig(jsonl={"copy": COPY}), sink_restarts=0)
    outcome, notes = run(plan, end)
    assert outcome.error is None
    assert any("sinks is given up, the others go on" in note for note in notes)
    assert len(ids_in_log(tmp_path)) == 2 * plan.frames // 5


def test_a_sink_that_cannot_begin_is_an_error_before_the_first_frame(tmp_path: Path) -> None:
    wrong = WebhookConfig(url="https://127.0.0.1/", ca=str(tmp_path / "absent.pem"))
    outcome, _ = run(Plan(str(tmp_path), sinks=SinksConfig(webhook={"door": wrong})))
    assert "no usable certificates" in str(outcome.error)
    assert outcome.exit_status == ConfigError.exit_status
    assert outcome.report.cameras[0].captured == 0


@contextmanager
def black_hole() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


def test_a_receiver_that_hangs_slows_neither_the_pipeline_nor_the_other_sinks(tmp_path: Path) -> None:
    with black_hole() as url:
        sinks = SinksConfig(jsonl={"copy": COPY}, webhook={"hole": WebhookConfig(url=url, timeout_s=1.0)})
        began_s = time.monotonic()
        outcome, _ = run(Plan(str(tmp_path), work_s=0.0, sinks=sinks))
        took_s = time.monotonic() - began_s
    assert outcome.error is None
    assert [name for name, _ in copied(tmp_path)] == ids_in_log(tmp_path)
    assert took_s < 60  # far less than 120 events at a second each
    left = cursor_file(tmp_path, "webhook-hole").read_bytes()
    assert int.from_bytes(left[8:16], "little") < (tmp_path / "events.jsonl").stat().st_size


class Stage:
    """``run_sinks`` on a thread, as a stage of this process."""

    def __init__(self, config: SinksConfig, folder: Path) -> None:
        self.life = Life(lambda _: None)
        self.error: Exception | None = None
        self._run = lambda: run_sinks(config, folder / "events.jsonl", folder, self.life)
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 -- looked at by the test
            self.error = error

    def figure(self, name: str) -> float:
        return next((one.value for one in self.life.figures if one.name == name), -1.0)

    def end(self, level: Level) -> None:
        self.life.stop.ask(level)
        self._thread.join(60)
        assert not self._thread.is_alive()


def test_sinks_say_how_they_stand_in_words_that_are_exported(tmp_path: Path) -> None:
    config = SinksConfig(jsonl={"copy": COPY})
    prepare_cursors(config, tmp_path / "events.jsonl", tmp_path, anew=False)
    log = Log(tmp_path / "events.jsonl")
    stage = Stage(config, tmp_path)
    log.add(5)
    await_true(lambda: stage.figure("sink_delivered") == 5)
    assert {figure.name for figure in stage.life.figures} <= FIGURES.keys() | TOTALS.keys()
    stage.end(Level.DRAIN)
    log.close()
    assert stage.error is None


def test_a_new_sink_begins_with_this_runs_events_and_an_old_one_goes_on(tmp_path: Path) -> None:
    log = Log(tmp_path / "events.jsonl")
    log.add(2)
    config = SinksConfig(jsonl={"copy": COPY})
    for _ in range(2):
        prepare_cursors(config, log.path, tmp_path, anew=False)
        log.add(2)
        Stage(config, tmp_path).end(Level.DRAIN)
    assert [name for name, _ in copied(tmp_path)] == log.ids[2:]
    log.add(1)  # while nobody is there
    prepare_cursors(config, log.path, tmp_path, anew=False)
    Stage(config, tmp_path).end(Level.DRAIN)
    assert [name for name, _ in copied(tmp_path)] == log.ids[2:]
    log.close()


def test_a_log_that_begins_anew_is_told_from_its_start(tmp_path: Path) -> None:
    config = SinksConfig(jsonl={"copy": COPY})
    log = Log(tmp_path / "events.jsonl")
    log.add(3)
    log.close()
    prepare_cursors(config, log.path, tmp_path, anew=False)
    (tmp_path / "events.jsonl").unlink()
    prepare_cursors(config, log.path, tmp_path, anew=True)
    fresh = Log(tmp_path / "events.jsonl")
    fresh.add(2)
    Stage(config, tmp_path).end(Level.DRAIN)
    fresh.close()
    assert [name for name, _ in copied(tmp_path)] == fresh.ids


def test_a_log_that_cannot_be_read_again_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read again"):
        prepare_cursors(SinksConfig(jsonl={"copy": COPY}), Path("/dev/null"), tmp_path, anew=False)


def test_without_the_library_mqtt_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError("No module", name="paho")

    monkeypatch.setattr("stream.sinks.run.importlib.import_module", absent)
    config = SinksConfig(mqtt={"home": MqttConfig(url="mqtt://127.0.0.1")})
    prepare_cursors(config, tmp_path / "events.jsonl", tmp_path, anew=False)
    with pytest.raises(ResourceError, match=r"paho.*\[mqtt\]"):
        run_sinks(config, tmp_path / "events.jsonl", tmp_path, Life(lambda _: None))


def test_names_of_sinks_are_good_for_files() -> None:
    with pytest.raises(ConfigError, match="name"):
        SinksConfig(jsonl={"../x": COPY}).check()
    assert [name for name, _ in SinksConfig(jsonl={"copy": COPY}).named()] == ["jsonl-copy"]


def test_a_plan_survives_its_way_to_a_process() -> None:
    plan = Plan("/x", sinks=SinksConfig(jsonl={"copy": COPY}))
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan
    assert StagePlan("sinks", argv=("x",), after="publish").after == "publish"
