"""How messages of the export name tensors and errors of other libraries."""

from __future__ import annotations

from typing import Sequence

from atlas_hpe.card import TensorSpec

__all__ = ["first_line", "show_specs"]


def show_specs(specs: Sequence[TensorSpec]) -> str:
    """Name, shape and element type of each tensor, in one line."""
    return ", ".join(f"{spec.name} {list(spec.shape)} {spec.dtype}" for spec in specs)


def first_line(error: BaseException) -> str:
    """What an error says first; its class when it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
