"""The training loop of every network of this project.

Everything random follows from (seed, step), so a resumed run continues exactly where it stopped. A
run ends after a number of steps or after a number of minutes; with minutes the cosine follows the
clock, so the run ends on time on any machine. Several processes, started by torchrun, share each
batch; the first one measures, writes and speaks.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional, TextIO, Tuple

import cv2
import torch
from lightning_fabric import Fabric

from atlas_hpe.errors import OutputError, UsageError
from atlas_hpe.learn.curves import Curves
from atlas_hpe.learn.feed import feed_batches
from atlas_hpe.learn.machine import open_fabric
from atlas_hpe.learn.plan import TrainingPlan, check_plan, progress_of
from atlas_hpe.learn.progress import LiveLine, Meter
from atlas_hpe.learn.schedule import learning_rate
from atlas_hpe.learn.state import (
    TrainingState,
    new_state,
    restore_state,
    save_state,
    take_weights,
    weights_path,
)
from atlas_hpe.learn.stepping import Stepper
from atlas_hpe.learn.task import TrainingTask
from atlas_hpe.stopping import stop_requests

__all__ = ["SHEET_NAME", "TrainingReport", "train"]

SHEET_NAME = "predictions.png"


@dataclass(frozen=True)
class TrainingReport:
    """What a run ended with.

    Attributes:
        steps: optimiser steps over all resumes.
        pictures: augmented pictures seen.
        seconds: training time over all resumes.
        figures: on the held-out pictures, of the averaged weights.
        weights: the averaged weights, a plain state dict.
        started_from: hash of the weights it started from; empty when they were fresh.
    """

    steps: int
    pictures: int
    seconds: float
    figures: Dict[str, float]
    weights: Path
    started_from: str = ""

    def lines(self) -> List[str]:
        """The report for a person."""
        done = f"{self.steps} steps, {self.pictures} pictures, {self.seconds / 60:.1f} minutes"
        rows = [f"  {name:<24}{value:.4f}" for name, value in self.figures.items()]
        return [f"trained: {done}", *rows, f"weights: {self.weights}"]

    def as_dict(self) -> Dict[str, object]:
        """The report for a program."""
        return {
            "steps": self.steps,
            "pictures": self.pictures,
            "seconds": round(self.seconds, 1),
            "figures": self.figures,
            "weights": str(self.weights),
            "started_from": self.started_from,
        }


def train(
    task: TrainingTask,
    plan: TrainingPlan,
    folder: Path,
    *,
    resume: bool = False,
    start_from: Optional[Path] = None,
    fabric: Optional[Fabric] = None,
    live: Optional[TextIO] = None,
    clock: Callable[[], float] = time.monotonic,
) -> TrainingReport:
    """Train until the plan's end; write checkpoint, weights, curves and contact sheet to `folder`.

    Args:
        task: network, pictures, loss and figures.
        plan: options.
        folder: made when missing.
        resume: continue the run that `folder` holds.
        start_from: weights to start from instead of fresh ones.
        fabric: what to compute on; default: what the plan and the machine say.
        live: where the progress line goes; default: stderr.
        clock: seconds that never run backwards.

    Raises:
        UsageError: an impossible plan, or `resume` together with `start_from`.
        CheckpointError: nothing to resume, or weights of another network.
        CheckFailedError: the training diverged.
        KeyboardInterrupt: the run was asked to stop; a checkpoint is saved.
    """
    check_plan(plan)
    if resume and start_from is not None:
        raise UsageError(
            "--resume and --start-from contradict each other", fix="give one of the two"
        )
    fabric = open_fabric(plan.precision) if fabric is None else fabric
    _check_shares(plan, fabric.world_size)
    folder.mkdir(parents=True, exist_ok=True)
    state = new_state(task, plan, fabric.device)
    line = LiveLine(sys.stderr if live is None else live, clock)
    if resume:
        restore_state(state, plan, folder)
    elif start_from is not None:
        fresh = take_weights(state, start_from)
        if fresh and fabric.is_global_zero:
            line.note(f"not in {start_from}, so they start anew: {', '.join(fresh)}")
    first = fabric.is_global_zero
    desk = _Desk(task, plan, folder, state, line, clock) if first else None
    with stop_requests() as asked:
        stopped = _loop(fabric, task, plan, state, desk, _Watch(fabric, state, clock, asked))
        if desk is not None:
            desk.save()
    if stopped:
        raise KeyboardInterrupt
    figures = {} if desk is None else desk.finish()
    pictures = state.step * plan.batch_size
    return TrainingReport(
        state.step,
        pictures,
        state.seconds,
        figures,
        weights_path(folder, task),
        state.started_from,
    )


def _check_shares(plan: TrainingPlan, world: int) -> None:
    if plan.batch_size % world or plan.batch_size < 2 * world:
        raise UsageError(
            f"a batch of {plan.batch_size} can't be shared by {world} processes",
            where="--batch-size",
            why="each must get the same number of pictures, and batch norm needs two",
            fix=f"give a multiple of {world}, {2 * world} or more",
        )


class _Watch:
    """Training time and the wish to stop, the same in all processes."""

    def __init__(
        self,
        fabric: Fabric,
        state: TrainingState,
        clock: Callable[[], float],
        asked: Callable[[], bool],
    ) -> None:
        self._fabric, self._clock, self._asked = fabric, clock, asked
        self._origin = clock() - state.seconds

    def look(self) -> Tuple[float, bool]:
        """Seconds of training, and whether to stop."""
        seconds, stop = self._clock() - self._origin, self._asked()
        if self._fabric.world_size == 1:
            return seconds, stop
        # Without this one process would end while the others wait for it.
        mine = torch.tensor([seconds, float(stop)], device=self._fabric.device)
        shared = self._fabric.all_reduce(mine, reduce_op="max")
        return float(shared[0]), bool(shared[1])


class _Desk:
    """What the first process writes and says: checkpoints, curves, the live line, the sheet."""

    def __init__(
        self,
        task: TrainingTask,
        plan: TrainingPlan,
        folder: Path,
        state: TrainingState,
        line: LiveLine,
        clock: Callable[[], float],
    ) -> None:
        self._task, self._plan, self._folder = task, plan, folder
        self._state, self._line, self._clock = state, line, clock
        self._curves = Curves(folder, state.step)
        self.meter = Meter(clock())
        self._saved = clock()

    def note(self, progress: float, rate: float) -> None:
        """After each step: report, save and refresh the line where they are due."""
        state, plan = self._state, self._plan
        if state.step % plan.report_steps == 0:
            self._report(progress, rate)
        elif self._line.is_due():
            self._show(progress)
        if self._clock() - self._saved > plan.save_seconds:
            self.save()

    def _report(self, progress: float, rate: float) -> None:
        state, now = self._state, self._clock()
        row = {"step": float(state.step), "minutes": round(state.seconds / 60, 3), "rate": rate}
        row["pictures_per_s"] = self.meter.pictures_per_s(self._plan.batch_size, now)
        row.update(self.meter.means())
        figures = self._task.measure(state.average.module)
        row.update({f"held_out_{name}": round(value, 6) for name, value in figures.items()})
        self._curves.add(row)
        self._line.figures = figures
        self._show(progress)
        self.meter = Meter(self._clock())

    def _show(self, progress: float) -> None:
        speed = self.meter.pictures_per_s(self._plan.batch_size, self._clock())
        self._line.show(progress, self._state.step, self._state.seconds, self.meter, speed)

    def save(self) -> None:
        """Checkpoint and weights."""
        save_state(self._state, self._task, self._plan, self._folder)
        self._saved = self._clock()

    def finish(self) -> Dict[str, float]:
        """Draw the contact sheet; return the figures of the weights that ship."""
        self._line.close()
        path = self._folder / SHEET_NAME
        if not cv2.imwrite(str(path), self._task.sheet(self._state.average.module)):
            raise OutputError(
                "the contact sheet can't be written", where=path, fix="check the free space"
            )
        return self._task.measure(self._state.average.module)


def _loop(
    fabric: Fabric,
    task: TrainingTask,
    plan: TrainingPlan,
    state: TrainingState,
    desk: Optional[_Desk],
    watch: _Watch,
) -> bool:
    """Step until the end. Returns whether the run was stopped before it."""
    stepper = Stepper(fabric, state, task, plan.seed)
    feed = feed_batches(task, plan, state.step, rank=fabric.global_rank, world=fabric.world_size)
    with closing(feed) as batches:
        while True:
            progress = progress_of(plan, state.step, state.seconds, task.pictures)
            if progress >= 1.0:
                return False
            rate = learning_rate(progress, state.step, plan.peak_rate, plan.warm_up_steps)
            terms, finite = stepper.take(next(batches), rate)
            state.seconds, stop = watch.look()
            if desk is not None:
                desk.meter.add(terms, finite)
                desk.note(progress, rate)
            if stop:
                return True
