"""What changes while a network trains, and its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from atlas_hpe.errors import CheckpointError
from atlas_hpe.files import sha256_of
from atlas_hpe.learn.checkpoints import load_training, load_weights, save_training, save_weights
from atlas_hpe.learn.plan import TrainingPlan
from atlas_hpe.learn.schedule import average_of
from atlas_hpe.learn.task import TrainingTask

__all__ = [
    "CHECKPOINT_NAME",
    "TrainingState",
    "new_state",
    "restore_state",
    "save_state",
    "take_weights",
    "weights_path",
]

CHECKPOINT_NAME = "training.pt"


@dataclass
class TrainingState:
    """The network, its moving average, the optimiser, and how far they are.

    Attributes:
        network: trains.
        average: ships; `average.module` is a network.
        optimiser: AdamW.
        step: optimiser steps done, skipped ones included.
        seconds: training time over all resumes.
        started_from: hash of the weights it started from; empty when they were fresh.
    """

    network: nn.Module
    average: AveragedModel
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    started_from: str = ""


def weights_path(folder: Path, task: TrainingTask) -> Path:
    """Where the averaged weights go."""
    return folder / f"{task.name}.pt"


def new_state(task: TrainingTask, plan: TrainingPlan, device: torch.device) -> TrainingState:
    """Fresh weights, which the seed decides, with optimiser and average, on `device`."""
    torch.manual_seed(plan.seed)
    # Channels last is what convolutions want; torch's stubs miss this form of `to`.
    network: nn.Module = task.network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network = network.to(device)
    # Decay on norms and biases only fights the data; on convolution weights it keeps fp16 in range.
    decayed = [value for value in network.parameters() if value.ndim > 1]
    free = [value for value in network.parameters() if value.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": plan.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=plan.peak_rate)
    return TrainingState(network, average_of(network, plan.average_decay), optimiser)


def save_state(state: TrainingState, task: TrainingTask, plan: TrainingPlan, folder: Path) -> None:
    """Checkpoint for resuming, and the averaged weights as they would ship now."""
    document: Dict[str, object] = {
        "model": state.network.state_dict(),
        "average": state.average.module.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "step": state.step,
        "seconds": state.seconds,
        "seed": plan.seed,
        "batch_size": plan.batch_size,
        "started_from": state.started_from,
    }
    save_training(folder / CHECKPOINT_NAME, document)
    save_weights(weights_path(folder, task), state.average.module)


def restore_state(state: TrainingState, plan: TrainingPlan, folder: Path) -> None:
    """Continue from the checkpoint in `folder`.

    No random generator is restored: everything random follows from the seed and the step.

    Raises:
        CheckpointError: none, a damaged one, or one of another seed, batch size or network.
    """
    path = folder / CHECKPOINT_NAME
    document = load_training(path)
    try:
        seed, batch_size = document["seed"], document["batch_size"]
        if (seed, batch_size) != (plan.seed, plan.batch_size):
            raise CheckpointError(
                "the checkpoint was made with another seed or batch size",
                where=path,
                fix=f"use --seed {seed} --batch-size {batch_size}",
            )
        state.network.load_state_dict(document["model"])  # type: ignore[arg-type]
        state.average.module.load_state_dict(document["average"])  # type: ignore[arg-type]
        state.optimiser.load_state_dict(document["optimiser"])  # type: ignore[arg-type]
        state.step, state.seconds = int(str(document["step"])), float(str(document["seconds"]))
        state.started_from = str(document.get("started_from", ""))
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(
            "the checkpoint is of another network", where=path, why=str(error)
        ) from error
    state.average.n_averaged.fill_(state.step)


def take_weights(state: TrainingState, path: Path) -> List[str]:
    """Start from the weights in `path` instead of fresh ones.

    Returns:
        Names of the network's tensors that the file does not have; they stay fresh.

    Raises:
        CheckpointError: the file can't be read, or has a tensor that the network can't take.
    """
    weights: Dict[str, Tensor] = load_weights(path)
    mine = state.network.state_dict()
    for name, value in weights.items():
        if name not in mine or mine[name].shape != value.shape:
            has = f"shape {tuple(mine[name].shape)}" if name in mine else "no such tensor"
            raise CheckpointError(
                "the weights are of another network",
                where=path,
                why=f"'{name}' has shape {tuple(value.shape)}; the network has {has}",
                fix="give weights of this network to --start-from, or leave it out",
            )
    state.network.load_state_dict(weights, strict=False)
    state.average.module.load_state_dict(weights, strict=False)
    state.started_from = sha256_of(path)
    fresh = [name for name in mine if name not in weights]
    return [name for name in fresh if not name.endswith("num_batches_tracked")]
