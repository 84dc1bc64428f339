"""A placeholder: the node that stands for a gap between a front end and its filling."""

from __future__ import annotations

from typing import List, Union, cast

import torch

__all__ = ["DOMAIN", "Number", "overload_of"]

#: Domain of placeholders. Their type is the operator's name, their inputs are its tensors, their
#: attributes its numbers, by the names of PyTorch's schema.
DOMAIN = "atlas_hpe"
#: What an attribute of a placeholder can hold.
Number = Union[int, float, List[int]]


def overload_of(name: str) -> torch._ops.OpOverload:
    """The operator of PyTorch that a gap is about.

    Args:
        name: Without ``aten::``, as in ``GAPS``.
    """
    return cast(torch._ops.OpOverload, getattr(torch.ops.aten, name).default)
