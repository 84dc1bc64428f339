"""The options of a training run, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from atlas_hpe.errors import UsageError

__all__ = ["PRECISIONS", "TrainingPlan", "check_plan", "progress_of"]

#: What ``--precision`` takes.
PRECISIONS = ("auto", "float32", "bf16")
_ENDS = "--steps / --epochs / --minutes"


@dataclass(frozen=True)
class TrainingPlan:
    """Options of one run; exactly one of `steps`, `epochs` and `minutes` ends it.

    Attributes:
        steps: optimiser steps; the form that a recipe has.
        epochs: passes over as many pictures as the task has.
        minutes: training time over all resumes together; the schedule follows the clock.
        seed: decides weights, pictures and order.
        batch_size: pictures per step, of all processes together.
        peak_rate: highest learning rate of AdamW.
        weight_decay: of AdamW, on convolution and linear weights only.
        warm_up_steps: steps of the linear rise.
        average_decay: of the moving average that ships.
        precision: one of `PRECISIONS`; "auto" is bf16 where the machine computes in it natively.
        workers: processes that make pictures, per training process; 0 makes them in between.
        report_steps: steps between two rows of the curves.
        save_seconds: time between two checkpoints.
    """

    steps: Optional[int] = None
    epochs: Optional[int] = None
    minutes: Optional[float] = None
    seed: int = 0
    batch_size: int = 64
    peak_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up_steps: int = 300
    average_decay: float = 0.999
    precision: str = "auto"
    workers: int = 1
    report_steps: int = 200
    save_seconds: float = 120.0


def check_plan(plan: TrainingPlan) -> None:
    """Exactly one end, and sensible numbers.

    Raises:
        UsageError: otherwise.
    """
    ends = [end for end in (plan.steps, plan.epochs, plan.minutes) if end is not None]
    if len(ends) != 1:
        raise UsageError("a run needs one end", where=_ENDS, fix="give exactly one of the three")
    # Written so that a NaN fails too.
    if not 0 < ends[0] < float("inf"):
        raise UsageError("a run needs a length", where=_ENDS, fix="give a number above 0")
    if plan.seed < 0:
        raise UsageError("a seed is not negative", where="--seed", fix="give 0 or more")
    if plan.batch_size < 2:
        raise UsageError(
            "the batch is too small",
            where="--batch-size",
            why="batch norm needs at least two pictures",
            fix="give 2 or more",
        )
    if plan.workers < 0:
        raise UsageError("a number of workers is not negative", where="--workers", fix="give 0")
    if plan.precision not in PRECISIONS:
        raise UsageError(
            f"the precision '{plan.precision}' is not known",
            where="--precision",
            fix=f"give one of {', '.join(PRECISIONS)}",
        )


def progress_of(plan: TrainingPlan, step: int, seconds: float, pictures: int) -> float:
    """Done share of a run; 1 or more ends it.

    Args:
        plan: with its one end.
        step: steps done.
        seconds: training time so far.
        pictures: of one epoch.
    """
    if plan.minutes is not None:
        return seconds / (60.0 * plan.minutes)
    if plan.steps is not None:
        return step / plan.steps
    return step * plan.batch_size / (max(1, pictures) * (plan.epochs or 1))
