"""Learning rate and weight averaging."""

from __future__ import annotations

import copy
import math
from typing import Generic, TypeVar

import torch
from torch import nn

__all__ = ["Average", "learning_rate"]

Net = TypeVar("Net", bound=nn.Module)


def learning_rate(
    progress: float, step: int, peak: float, warm_up_steps: int, floor: float = 0.005
) -> float:
    """Linear warm-up by steps, then a half cosine over the share of the run that is done.

    Args:
        progress: done share of the run in [0, 1], by steps or by the clock.
        step: steps done so far.
        peak: highest rate.
        warm_up_steps: steps of the linear rise.
        floor: last rate as a share of `peak`.
    """
    rise = min(1.0, (step + 1) / max(1, warm_up_steps))
    done = min(1.0, max(0.0, progress))
    cosine = floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * done))
    return peak * rise * cosine


class Average(Generic[Net]):
    """Exponential moving average of all floating-point parameters and buffers of a network.

    Args:
        model: the network that trains.
        decay: weight of the past; it grows from 0.1 so that the start does not linger.
    """

    def __init__(self, model: Net, decay: float = 0.999) -> None:
        self.decay = decay
        self.model: Net = copy.deepcopy(model).eval()
        self.model.requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take one step of `model` into the average."""
        keep = min(self.decay, (1.0 + step) / (10.0 + step))
        past = self.model.state_dict()
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                past[name].lerp_(value, 1.0 - keep)
            else:
                past[name].copy_(value)
