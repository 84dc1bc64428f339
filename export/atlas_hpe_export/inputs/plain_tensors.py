"""Weights have to be plain tensors: dense numbers on the CPU, as many as are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping

import torch
from torch import Tensor

from atlas_hpe.errors import CheckpointError

__all__ = ["check_plain", "what_is_wrong_with"]


def check_plain(path: Path, tensors: Mapping[str, object]) -> None:
    """Refuse weights of a program that are not plain; integers are, as index tables are weights.

    Raises:
        CheckpointError: Names the first that is not.
    """
    for name, value in tensors.items():
        if isinstance(value, Tensor):
            why = what_is_wrong_with(value, integers=True)
        else:
            why = f"it is a {type(value).__name__}"
        if why:
            raise CheckpointError(
                "the program holds a weight that is not a plain tensor",
                where=f"{path}, '{name}'",
                why=why,
                fix="export the float network on the CPU",
            )


def what_is_wrong_with(value: Tensor, *, integers: bool) -> str:
    """Why a tensor is not a plain one with its own storage on the CPU; empty when it is.

    Args:
        value: The tensor.
        integers: Whether integers and truth values are plain too.
    """
    if value.layout != torch.strided:
        return f"its layout is {value.layout}"
    if value.is_quantized or value.is_complex() or not (integers or value.is_floating_point()):
        return f"its type is {str(value.dtype).replace('torch.', '')}"
    if value.device.type != "cpu":
        return f"it has no values (device {value.device.type})"
    # A stride of 0 lets a few bytes pose as terabytes.
    size, stored = value.numel() * value.element_size(), value.untyped_storage().nbytes()
    return f"it claims {size} bytes, {stored} are stored" if size > stored else ""
