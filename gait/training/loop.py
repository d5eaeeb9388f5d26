"""The training run: steps, validations, checkpoints, and the model that is handed over.

Killed at any moment and started again with ``resume``, a run ends with the weights and the log that it would
have had: everything random is either a function of the step or kept in the checkpoints.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from gait.models import checkpoints as nets
from gait.training import curves, state
from gait.training.average import Average, Patience
from gait.training.batches import Batch, Batches
from gait.training.build import arithmetic, build_net, training_spec
from gait.training.checkpoint import Checkpoints, Facts
from gait.training.config import TrainingConfig
from gait.training.events import Events
from gait.training.log import Log, StepLine, ValidationLine, read_log, steps_of
from gait.training.objective import Objective
from gait.training.parallel import Processes, joined
from gait.training.people import Source, split
from gait.training.report import TrainingReport, peak_memory_mib, write_report
from gait.training.same_run import check_same_run, check_shares, plain
from gait.training.schedules import pace_at
from gait.training.stepper import Stepper
from gait.training.validate import validation_score
from stream.errors import ConfigError, ResourceError

Watch = Callable[[StepLine | ValidationLine], None]

MODEL: Final = "model.safetensors"
REPORT: Final = "report.json"
LOG: Final = "log.jsonl"
CURVES: Final = "curves.png"
CHECKPOINTS: Final = "checkpoints"
EVENTS: Final = "tensorboard"


def train(
    config: TrainingConfig, source: Source, out: Path, *, resume: bool = False, watch: Watch | None = None
) -> TrainingReport:
    """Train to the end and write ``out``: the model, the report, the log, the curves, the checkpoints.

    Raises ConfigError where ``out`` holds another run, and whatever the data or the machine refuse.
    """
    with (
        joined(config.trainer.device) as processes,
        arithmetic(processes.device, config.trainer.threads, deterministic=config.trainer.deterministic),
        _memory_told(processes),
    ):
        run = Run(config, source, out, processes, watch)
        run.begin(resume=resume)
        run.go_on()
        return run.hand_over()


@dataclass
class Pause:
    """When the last line was told, for the rate between two."""

    step: int
    at_s: float


class Run:
    """One process's part of a run."""

    def __init__(
        self, config: TrainingConfig, source: Source, out: Path, processes: Processes, watch: Watch | None
    ) -> None:
        self.config, self.source, self.out, self.processes, self.watch = config, source, out, processes, watch
        settings = config.trainer
        check_shares(config, processes)
        self.split = split(source, config.data, validating=settings.validate_every > 0)
        objective = Objective(config.losses)
        state.seed_all(settings.seed, rank=0)
        classes = len(self.split.people) if objective.needs_classes() else 0
        self.net, self.left_out = build_net(config.model, classes)
        self.net.to(processes.device).train()
        state.seed_all(settings.seed, rank=processes.rank)
        self.average = Average(self.net, settings.ema) if settings.ema else None
        self.stepper = Stepper(self.net, objective, config, processes)
        self.batches = Batches(
            source, self.split, training_spec(self.net), config, processes.rank, processes.count
        )
        self.checkpoints = Checkpoints(out / CHECKPOINTS)
        self.log = Log(out / LOG)
        self.events: Events | None = None
        self.step = 0
        self.patience = Patience()
        self.score: float | None = None
        self.started_s = time.monotonic()

    def begin(self, *, resume: bool) -> None:
        """Take up the last checkpoint, or an empty folder."""
        steps = self.checkpoints.steps()
        if steps and not resume:
            raise ConfigError(
                f"holds a run of {steps[-1]} steps",
                where=str(self.out),
                fix="Go on with it (--resume), or name another folder (--out)",
            )
        if steps:
            self._restore(*self.checkpoints.read(steps[-1]))
        if self.processes.leads:
            try:
                self.out.mkdir(parents=True, exist_ok=True)
                self.log.begin(self.step)
                if self.config.trainer.tensorboard:
                    self.events = Events(self.out / EVENTS, self.step)
            except OSError as error:
                raise ResourceError(f"cannot be written ({error.strerror})", where=str(self.out)) from error

    def go_on(self) -> None:
        """Every step that is left."""
        settings = self.config.trainer
        workers, pinned = self.config.data.workers, self.processes.device.type == "cuda"
        pause = Pause(self.step, time.monotonic())
        if self._is_over():
            return
        for batch in self.batches.stream(self.step, settings.steps, workers, pinned=pinned):
            self._take(batch, pause)
            improved = self._validate() if self._is_due(settings.validate_every) else False
            over = self._is_over()
            if improved or over or self._is_due(settings.checkpoint_every):
                self._save()
            if over:
                return

    def _is_over(self) -> bool:
        settings = self.config.trainer
        return self.step >= settings.steps or self.patience.is_over(settings.patience)

    def _is_due(self, every: int) -> bool:
        return bool(every) and (self.step % every == 0 or self.step == self.config.trainer.steps)

    def _take(self, batch: Batch, pause: Pause) -> None:
        settings, config = self.config.trainer, self.config
        pace = pace_at(self.step, config.schedule, config.optimizer.rate, settings.steps)
        done = self.stepper.take(batch, pace, self.step)
        if self.average is not None:
            self.average.update(self.net, self.step)
        self.step += 1
        # fp16 leaves out a step that overflowed; there is no loss to tell then.
        if self.processes.leads and self._is_due(settings.log_every) and math.isfinite(done.loss):
            now_s = time.monotonic()
            per_step_s = (now_s - pause.at_s) / (self.step - pause.step)
            pause.step, pause.at_s = self.step, now_s
            line = StepLine(
                self.step,
                done.loss,
                done.parts,
                pace.rate,
                config.sampler.people * config.sampler.clips / max(per_step_s, 1e-9),
                per_step_s * (settings.steps - self.step),
                peak_memory_mib(self.processes.device),
            )
            self._tell(line)

    def _validate(self) -> bool:
        """Whether this is the best so far; the leading process judges, all know."""
        score = 0.0
        if self.processes.leads:
            judged = self.net if self.average is None else self.average.net
            longest, device = self.config.trainer.longest_validated, self.processes.device
            score = validation_score(judged, self.source, self.split.validation, longest, device)
        self.score = self.processes.told(score)
        self.patience = self.patience.after(self.score, self.step)
        improved = self.patience.best_step == self.step
        if self.processes.leads:
            self._tell(ValidationLine(self.step, self.score, improved))
        return improved

    def _tell(self, line: StepLine | ValidationLine) -> None:
        self.log.add(line)
        if self.events is not None:
            self.events.add(line)
        if self.watch is not None:
            self.watch(line)

    def _save(self) -> None:
        """A checkpoint of now; the log first, for the checkpoint counts on it."""
        random_tensors, python, numpy = state.take_random(self.processes)
        if not self.processes.leads:
            return
        optimizer_tensors, groups = state.take_optimizer(self.stepper.optimizer)
        tensors = state.prefixed(state.NET, self.net.state_dict()) | optimizer_tensors | random_tensors
        if self.average is not None:
            tensors |= state.prefixed(state.AVERAGE, self.average.state())
        facts = Facts(
            step=self.step,
            seed=self.config.trainer.seed,
            config=plain(self.config),
            data=self.split.digest(),
            processes=self.processes.count,
            optimizer=groups,
            scaler=self.stepper.scaler.state_dict(),
            python=python,
            numpy=numpy,
            best=self.patience.best if self.patience.best_step >= 0 else None,
            best_step=self.patience.best_step,
            waited=self.patience.waited,
            score=self.score,
        )
        self.log.to_disk()
        self.checkpoints.write(facts, tensors)
        self.checkpoints.keep({self.step, self.patience.best_step}, self.config.trainer.keep_every)

    def _restore(self, facts: Facts, tensors: state.Tensors) -> None:
        check_same_run(facts, self.config, self.split.digest(), self.processes, self.out)
        state.put_net(self.net, tensors)
        if self.average is not None:
            state.put_net(self.average.net, tensors, state.AVERAGE)
        state.put_optimizer(self.stepper.optimizer, tensors, facts.optimizer)
        if facts.scaler:
            self.stepper.scaler.load_state_dict(facts.scaler)
        state.put_random(tensors, facts, self.processes)
        self.step, self.score = facts.step, facts.score
        if facts.best is not None:
            self.patience = Patience(facts.best, facts.best_step, facts.waited)

    def hand_over(self) -> TrainingReport:
        """Write the model that is reported, the report and the curves."""
        settings = self.config.trainer
        best = settings.reported == "best"
        net = self.net if self.average is None else self.average.net
        if best and self.patience.best_step != self.step:
            prefix = state.NET if self.average is None else state.AVERAGE
            state.put_net(net, self.checkpoints.read(self.patience.best_step)[1], prefix)
        self.processes.align(net)
        lines = read_log(self.out / LOG)
        report = TrainingReport(
            weights=MODEL,
            digest=nets.digest_of(net),
            family=net.family,
            size=self.config.model.size,
            parameters=sum(weight.numel() for weight in net.parameters()),
            chosen="best on held-out people" if best else "last iteration",
            step=self.patience.best_step if best else self.step,
            steps=settings.steps,
            ended_early=self.step < settings.steps,
            score=self.patience.best if best else self.score,
            loss=steps_of(lines)[-1].loss if steps_of(lines) else float("nan"),
            training_people=len(self.split.people),
            training_sequences=len(self.split.train),
            validation_people=list(self.split.validation_people),
            precision=settings.precision,
            device=str(self.processes.device),
            processes=self.processes.count,
            peak_memory_mib=peak_memory_mib(self.processes.device),
            seconds=time.monotonic() - self.started_s,
            left_out=list(self.left_out),
            config=plain(self.config),
        )
        if self.processes.leads:
            nets.save(net, self.out / MODEL)
            curves.write_picture(lines, self.out / CURVES)
            write_report(report, self.out / REPORT)
        return report


@contextmanager
def _memory_told(processes: Processes) -> Iterator[None]:
    """Memory that ran out, as one line."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ResourceError(
            f"{processes.device} has too little memory for this batch",
            fix="Lower sampler.people, sampler.clips or sampler.clip.frames, or set trainer.precision",
        ) from error
