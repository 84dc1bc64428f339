"""Batches made ahead of the training by worker processes."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from typing import Dict, Generator

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from atlas_hpe.errors import DeviceError
from atlas_hpe.learn.plan import TrainingPlan
from atlas_hpe.learn.task import TrainingTask

__all__ = ["feed_batches"]


class _Batches(Dataset[Dict[str, np.ndarray]]):
    """Step -> this process's rows of the batch."""

    def __init__(self, task: TrainingTask, plan: TrainingPlan, rank: int, world: int) -> None:
        self._task, self._plan = task, plan
        # Strided: a batch is ordered by kind of picture, and every batch norm must see all kinds.
        self._rows = slice(rank, None, world)

    def __getitem__(self, step: int) -> Dict[str, np.ndarray]:
        return self._task.batch(self._plan.seed, step, self._plan.batch_size, self._rows)


def _start_worker(number: int) -> None:
    # Ctrl-C reaches the workers as well; the training process decides when they end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def feed_batches(
    task: TrainingTask, plan: TrainingPlan, first_step: int, *, rank: int = 0, world: int = 1
) -> Generator[Dict[str, Tensor], None, None]:
    """Endless batches from `first_step` on; they do not depend on the number of workers.

    Args:
        task: what makes them.
        plan: with seed, batch size and workers.
        first_step: number of the first one.
        rank: number of this training process.
        world: how many there are; each gets every `world`-th row.

    Raises:
        DeviceError: a worker process was killed.
    """
    # Small pictures gain nothing from threads, and a forked worker would wait for threads of OpenCV
    # that only its parent has.
    cv2.setNumThreads(1)
    # Only a forked worker shares the decoded pictures; where there is no fork, none is started.
    forks = "fork" in multiprocessing.get_all_start_methods()
    workers = plan.workers if forks else 0
    loader = DataLoader(
        _Batches(task, plan, rank, world),
        batch_size=None,
        sampler=range(first_step, sys.maxsize),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        multiprocessing_context="fork" if workers else None,
        worker_init_fn=_start_worker,
        pin_memory=torch.cuda.is_available(),
        # Otherwise torch draws the workers' seed from the generator of the training.
        generator=torch.Generator(),
    )
    try:
        yield from loader
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise DeviceError(
            "a process that makes training pictures ended",
            why=str(error).splitlines()[0],
            fix="--resume continues; with --workers 0 the run needs less memory",
        ) from error
