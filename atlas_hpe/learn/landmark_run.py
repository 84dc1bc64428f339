"""Options and state of a training run of the hand-landmark network, and its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional

import torch

from atlas_hpe.errors import CheckpointError, UsageError
from atlas_hpe.learn.checkpoints import load_training, save_training, save_weights
from atlas_hpe.learn.schedule import Average
from atlas_hpe.nets.hand_landmark import HandLandmark

__all__ = [
    "CHECKPOINT_NAME",
    "WEIGHTS_NAME",
    "Run",
    "TrainingPlan",
    "check_plan",
    "progress_of",
    "resume_run",
    "save_run",
    "start_run",
]

CHECKPOINT_NAME = "training.pt"
WEIGHTS_NAME = "hand_landmark.pt"


@dataclass(frozen=True)
class TrainingPlan:
    """Options of one run; `epochs` or `minutes` ends it.

    Attributes:
        epochs: passes over as many pictures as the mixture's hands.
        minutes: training time over all resumes together.
        seed: decides weights, pictures and order.
        batch_size: pictures per step.
        peak_rate: highest learning rate of AdamW.
        weight_decay: of AdamW, on convolution and linear weights only.
        warm_up_steps: steps of the linear rise.
        average_decay: of the moving average that ships.
        bfloat16: run the trunk in bfloat16 (fast where the processor has AVX512-BF16 or AMX).
        threads: shards of each batch that are computed side by side.
        report_steps: steps between two rows of the curves.
        save_seconds: time between two checkpoints.
    """

    epochs: Optional[int] = None
    minutes: Optional[float] = None
    seed: int = 0
    batch_size: int = 64
    peak_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up_steps: int = 300
    average_decay: float = 0.999
    bfloat16: bool = False
    threads: int = 1
    report_steps: int = 200
    save_seconds: float = 120.0


@dataclass
class Run:
    """What changes while training."""

    model: HandLandmark
    average: Average[HandLandmark]
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0


def start_run(plan: TrainingPlan, model: Optional[HandLandmark] = None) -> Run:
    """Fresh weights, optimiser and average; `model` replaces the network of full size."""
    torch.manual_seed(plan.seed)
    model = HandLandmark() if model is None else model
    # Channels last is what the processor's convolutions want; torch's stubs miss this form of `to`.
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    # Decay on norms and biases only fights the data; on convolution weights it keeps fp16 in range.
    decayed = [value for value in model.parameters() if value.ndim > 1]
    free = [value for value in model.parameters() if value.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": plan.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=plan.peak_rate)
    return Run(model, Average(model, plan.average_decay), optimiser)


def save_run(run: Run, plan: TrainingPlan, folder: Path) -> None:
    """Checkpoint for resuming, and the averaged weights as they would ship now."""
    state: Dict[str, object] = {
        "model": run.model.state_dict(),
        "average": run.average.model.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "step": run.step,
        "seconds": run.seconds,
        "seed": plan.seed,
        "batch_size": plan.batch_size,
    }
    save_training(folder / CHECKPOINT_NAME, state)
    save_weights(folder / WEIGHTS_NAME, run.average.model)


def resume_run(run: Run, plan: TrainingPlan, folder: Path) -> None:
    """Continue from the checkpoint in `folder`.

    Raises:
        CheckpointError: none, a damaged one, or one of another seed, batch size or network.
    """
    path = folder / CHECKPOINT_NAME
    state = load_training(path)
    if state["seed"] != plan.seed or state["batch_size"] != plan.batch_size:
        raise CheckpointError(
            "the checkpoint was made with another seed or batch size",
            where=path,
            fix=f"use --seed {state['seed']} --batch-size {state['batch_size']}",
        )
    try:
        run.model.load_state_dict(state["model"])  # type: ignore[arg-type]
        run.average.model.load_state_dict(state["average"])  # type: ignore[arg-type]
        run.optimiser.load_state_dict(state["optimiser"])  # type: ignore[arg-type]
    except (RuntimeError, ValueError, KeyError) as error:
        raise CheckpointError(
            "the checkpoint is of another network", where=path, why=str(error)
        ) from error
    run.step, run.seconds = int(str(state["step"])), float(str(state["seconds"]))


def progress_of(run: Run, plan: TrainingPlan, pictures_per_epoch: int) -> float:
    """Done share of the run, by the clock with minutes, else by pictures; 1 or more ends it."""
    if plan.minutes is not None:
        return run.seconds / (60.0 * plan.minutes)
    return run.step * plan.batch_size / (pictures_per_epoch * (plan.epochs or 1))


def check_plan(plan: TrainingPlan) -> None:
    """Exactly one end, and sensible numbers.

    Raises:
        UsageError: otherwise.
    """
    ends = "--epochs / --minutes"
    if (plan.epochs is None) == (plan.minutes is None):
        raise UsageError("a run needs one end", where=ends, fix="give exactly one of the two")
    length = plan.epochs if plan.epochs is not None else plan.minutes
    if length is not None and length <= 0:
        raise UsageError("a run can't be empty", where=ends, fix="give a number above 0")
    if plan.threads < 1:
        raise UsageError("a run needs a thread", where="--threads", fix="give 1 or more")
    if plan.batch_size < 2 * plan.threads:
        raise UsageError(
            "the batch is too small to split",
            where="--batch-size",
            why="batch norm needs at least two pictures per thread",
            fix=f"give {2 * plan.threads} or more",
        )
