"""Making a network fit for export: batch norms that compute the same at every call, finite weights.

The seed report lost time on a batch norm with an integer eps, on the counter
``num_batches_tracked`` and on layers left in training mode (networks.md sections 1 and 2).
"""

from __future__ import annotations

import math
from typing import Dict, List, Mapping, Tuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from atlas_hpe.errors import CheckpointError

__all__ = ["check_finite", "freeze", "repair_batch_norms", "repair_state_dict"]

_COUNTER = "num_batches_tracked"
_STATISTICS = ("running_mean", "running_var")


def repair_state_dict(
    state_dict: Mapping[str, Tensor], module: nn.Module
) -> Tuple[Dict[str, Tensor], Tuple[str, ...]]:
    """Make a state dict loadable with ``strict=True``.

    Args:
        state_dict: Name -> tensor.
        module: The network that it belongs to.

    Returns:
        The state dict with the counters that ``module`` expects, and what was done, in words.

    Raises:
        CheckpointError: A batch norm without its running mean or variance.
    """
    expected = module.state_dict()
    for name in expected:
        layer, _, leaf = name.rpartition(".")
        if leaf in _STATISTICS and name not in state_dict:
            raise CheckpointError(
                "the checkpoint lacks the statistics of a batch norm",
                where=f"layer '{layer}'",
                why=f"no tensor '{name}'; without it the output would depend on the batch",
                fix="save the whole state dict, buffers included",
            )
    counters = {name: value for name, value in expected.items() if name.endswith(_COUNTER)}
    weights = {name: value for name, value in state_dict.items() if not name.endswith(_COUNTER)}
    notes = []
    given = len(state_dict) - len(weights)
    if given:
        notes.append(f"dropped {given} num_batches_tracked, training counters")
    elif counters:
        notes.append(f"{len(counters)} num_batches_tracked were missing and are not needed")
    # One step stands for "has been trained": a batch norm with momentum=None divides by it.
    weights.update({name: torch.ones_like(value) for name, value in counters.items()})
    return weights, tuple(notes)


def repair_batch_norms(module: nn.Module) -> Tuple[str, ...]:
    """Repair the batch norms of a network in place.

    Returns:
        What was done, in words.

    Raises:
        CheckpointError: A layer without running statistics, or with an impossible eps.
    """
    notes: List[str] = []
    for name, layer in module.named_modules():
        if not isinstance(layer, _BatchNorm):
            continue
        if layer.running_mean is None or layer.running_var is None:
            raise CheckpointError(
                "a batch norm has no running statistics",
                where=f"layer '{name}'",
                why="its output depends on the other pictures of the batch",
                fix="train it with track_running_stats=True",
            )
        if not layer.track_running_stats:
            layer.track_running_stats = True
            notes.append(f"layer '{name}': set track_running_stats")
        eps: object = layer.eps
        if type(eps) is not float:
            layer.eps = _read_eps(eps, name)
            notes.append(f"layer '{name}': eps {eps!r} became the float {layer.eps!r}")
        if not math.isfinite(layer.eps) or layer.eps < 0:
            raise CheckpointError(
                "a batch norm has an impossible eps",
                where=f"layer '{name}'",
                why=f"eps is {layer.eps!r}",
                fix="use 1e-5, the value of PyTorch",
            )
    return tuple(notes)


def _read_eps(eps: object, name: str) -> float:
    if isinstance(eps, Tensor) and eps.numel() == 1:
        return float(eps.item())
    if isinstance(eps, (int, float)):
        return float(eps)
    raise CheckpointError(
        "a batch norm has an eps that is no number",
        where=f"layer '{name}'",
        why=f"eps is a {type(eps).__name__}",
        fix="use 1e-5, the value of PyTorch",
    )


def freeze(module: nn.Module) -> Tuple[str, ...]:
    """Put a network and every one of its parts into eval mode, in place.

    ``train()`` of a part may be overridden to keep it in training mode, so each is set by itself.

    Returns:
        What had to be forced, in words.
    """
    module.eval()
    stubborn = [
        name or "the module itself" for name, part in module.named_modules() if part.training
    ]
    for part in module.modules():
        part.training = False
    return tuple(f"layer '{name}' stayed in training mode and was put in eval" for name in stubborn)


def check_finite(module: nn.Module) -> None:
    """Refuse NaN and infinity in weights and buffers.

    Raises:
        CheckpointError: Names the tensor and counts the values.
    """
    for name, value in module.state_dict().items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            count = int((~torch.isfinite(value)).sum())
            raise CheckpointError(
                "the weights are not finite",
                where=f"tensor '{name}'",
                why=f"{count} of {value.numel()} values are NaN or infinite",
                fix="take a checkpoint from before the training diverged",
            )
