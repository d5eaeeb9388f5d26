"""All sinks of a pipeline, as one stage beside the flow: what it does slows nobody, for it reads the log.

Each sink has a thread of its own, so that one whose receiver hangs holds up no other. The stage is asked to
drain when the publisher has ended; then each sink delivers what waits, for ``FINISH_S`` at most. What is left
is delivered by the next run that goes on with the log.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from stream.errors import ConfigError, ResourceError, StageDiedError
from stream.figures import EVERY_S, Figure
from stream.life import Life
from stream.sinks.base import Sink
from stream.sinks.config import JsonlConfig, MqttConfig, SinkConfig, SinksConfig, WebhookConfig
from stream.sinks.follow import Cursor, Follower, Head
from stream.sinks.jsonl import JsonlSink
from stream.sinks.webhook import WebhookSink
from stream.sinks.worker import Worker
from stream.stop import Level

FINISH_S: Final = 4.0
"""Less than a supervisor's grace, so that what is not delivered is said."""
_LOOK_S: Final = 0.05


def prepare_cursors(config: SinksConfig, log: Path, results: Path, *, anew: bool) -> None:
    """Before a run: every sink has a cursor, a new one at the log's end.

    ``anew``: the log begins anew, and so do they. Raises ConfigError where the log is no file to read again,
    ResourceError where the disk refuses.
    """
    if config.any and log.exists() and not log.is_file():
        raise ConfigError(f"{log} cannot be read again", where="sinks", wanted="events.log that is a file")
    end = log.stat().st_size if log.exists() and not anew else 0
    for name, _ in config.named():
        cursor = cursor_file(results, name)
        if anew or not cursor.exists():
            Cursor.make(cursor, end)


def cursor_file(results: Path, name: str) -> Path:
    """Where a sink's cursor is kept."""
    return results / "sinks" / f"{name}.cursor"


def jsonl_path(config: JsonlConfig, results: Path) -> Path:
    """Where a file of JSON lines lies."""
    return results / config.path


def run_sinks(config: SinksConfig, log: Path, results: Path, life: Life) -> None:
    """Run all sinks until asked to end; raises ConfigError, ResourceError where one cannot begin.

    ``results``: the run's folder, with cursors in its ``sinks``.
    """
    workers: list[Worker] = []
    try:
        for name, one in config.named():
            sink = _sink(one, results)
            follower = Follower(log, Cursor(cursor_file(results, name)), one.behind, chooser(one))
            workers.append(Worker(name, sink, follower))
        life.ready()
        for worker in workers:
            worker.thread.start()
        _attend(workers, life)
    finally:
        for worker in workers:
            worker.end()
        for worker in workers:
            if worker.thread.ident is not None:
                worker.thread.join()


def _attend(workers: Sequence[Worker], life: Life) -> None:
    """Say how they stand until all have ended, or one has failed."""
    turns = 0
    while not life.stop.now() and any(worker.thread.is_alive() for worker in workers):
        if life.stop.level >= Level.DRAIN:
            for worker in workers:
                worker.finish(FINISH_S)
        if turns % round(EVERY_S / _LOOK_S) == 0:
            life.tell(figures_of(workers))
        turns += 1
        failed = next((worker for worker in workers if worker.error), None)
        if failed is not None:
            raise StageDiedError(f"sink {failed.name} failed ({failed.error})", fix="This is a defect")
        workers[turns % len(workers)].thread.join(_LOOK_S)
    life.tell(figures_of(workers))


def figures_of(workers: Sequence[Worker]) -> tuple[Figure, ...]:
    """How all of them stand."""
    return tuple(figure for worker in workers for figure in worker.figures())


def chooser(config: SinkConfig) -> Callable[[Head], bool]:
    """Which events a sink wants."""
    cameras, kinds = frozenset(config.cameras), frozenset(config.kinds)
    return lambda head: (not cameras or head.camera in cameras) and (not kinds or head.kind in kinds)


def _sink(config: SinkConfig, results: Path) -> Sink:
    if isinstance(config, JsonlConfig):
        return JsonlSink(config, jsonl_path(config, results))
    if isinstance(config, WebhookConfig):
        return WebhookSink(config)
    assert isinstance(config, MqttConfig)
    try:
        found: Sink = importlib.import_module("stream.sinks.mqtt").MqttSink(config)
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"this needs {error.name}, which is not installed",
            where="sinks.mqtt",
            fix="pip install -c constraints.txt -e '.[mqtt]'",
        ) from error
    return found
