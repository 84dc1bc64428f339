"""Learning rate and weight averaging."""

from __future__ import annotations

import math
from typing import List, Tuple, Union

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

__all__ = ["average_of", "learning_rate"]

_Tensors = Union[Tuple[Tensor, ...], List[Tensor]]


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


def average_of(network: nn.Module, decay: float) -> AveragedModel:
    """Exponential moving average of all parameters and buffers of a network.

    Args:
        network: the network that trains.
        decay: weight of the past; it grows from 0.1 so that the start does not linger.
    """

    def update(past: _Tensors, now: _Tensors, count: Union[Tensor, int]) -> None:
        keep = min(decay, (1.0 + float(count)) / (10.0 + float(count)))
        if past[0].is_floating_point():
            torch._foreach_lerp_(past, now, 1.0 - keep)
        else:
            for old, new in zip(past, now):
                old.copy_(new)

    average = AveragedModel(network, multi_avg_fn=update, use_buffers=True)
    average.requires_grad_(False)
    return average.eval()
