"""One optimiser step of any task, on any device, in any number of processes."""

from __future__ import annotations

from typing import Dict, Mapping, Tuple

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from atlas_hpe.errors import CheckFailedError
from atlas_hpe.learn.state import TrainingState
from atlas_hpe.learn.task import TrainingTask

__all__ = ["Stepper"]

_MAX_GRADIENT_NORM = 5.0
# One bad batch is skipped; a run that only skips has diverged.
_SKIPS_IN_A_ROW = 20


class _Objective(nn.Module):
    """Batch -> loss terms: the form in which several processes and mixed precision wrap a network.

    Fabric takes care of what `forward` computes, and a loss needs more than a network's `forward`.
    """

    def __init__(self, network: nn.Module, task: TrainingTask) -> None:
        super().__init__()
        self.network, self._task = network, task

    def forward(self, batch: Mapping[str, Tensor]) -> Dict[str, Tensor]:
        return self._task.loss(self.network, batch)


class Stepper:
    """Trains `state` batch by batch; a step that would spoil the weights is left out.

    Args:
        fabric: devices, processes and arithmetic.
        state: what trains; its network must lie on the fabric's device.
        task: whose loss it is.
        seed: of the run.
    """

    def __init__(self, fabric: Fabric, state: TrainingState, task: TrainingTask, seed: int) -> None:
        self._fabric, self._state, self._seed = fabric, state, seed
        objective = _Objective(state.network, task)
        self._objective, self._optimiser = fabric.setup(objective, state.optimiser)
        self._skipped = 0

    def take(self, batch: Mapping[str, Tensor], rate: float) -> Tuple[Dict[str, Tensor], bool]:
        """Train on one batch.

        Args:
            batch: this process's part of it.
            rate: learning rate.

        Returns:
            The loss terms, and whether the weights took the step.

        Raises:
            CheckFailedError: many steps in a row could not be taken.
        """
        state = self._state
        # Random layers follow from seed and step, as the pictures do.
        torch.manual_seed(self._seed * 1_000_003 + state.step)
        state.network.train()
        terms: Dict[str, Tensor] = self._objective(self._fabric.to_device(batch))
        self._optimiser.zero_grad()
        self._fabric.backward(terms["total"])
        # The gradients are means over all processes by now, so all agree on what is finite.
        norm = self._fabric.clip_gradients(
            self._objective,
            self._optimiser,
            max_norm=_MAX_GRADIENT_NORM,
            error_if_nonfinite=False,
        )
        finite = norm is not None and bool(torch.isfinite(norm))
        if finite:
            for group in state.optimiser.param_groups:
                group["lr"] = rate
            self._optimiser.step()
            self._skipped = 0
        else:
            self._skip()
        state.average.update_parameters(state.network)
        state.step += 1
        return terms, finite

    def _skip(self) -> None:
        # What made the loss infinite went through the batch norms, too.
        for mine, good in zip(self._state.network.buffers(), self._state.average.module.buffers()):
            mine.copy_(good)
        self._skipped += 1
        if self._skipped >= _SKIPS_IN_A_ROW:
            raise CheckFailedError(
                f"the loss was not finite for {self._skipped} steps in a row",
                where=f"step {self._state.step}",
                why="the training diverged, or the labels hold a value that is no number",
                fix="--resume goes back to the last checkpoint; else try --precision float32",
            )
