"""How far two runs of a network may differ: one table of data, each line with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict

__all__ = ["TOLERANCES", "Tolerance"]


@dataclass(frozen=True)
class Tolerance:
    """Limits of a comparison.

    Attributes:
        tensor: Largest difference of an element, as a share of the largest magnitude of that
            output in the reference, or of 1 where that is smaller.
        joint_px: Largest movement of a joint, in pixels of the network's input.
        reason: Why these numbers.
    """

    tensor: float
    joint_px: float
    reason: str


TOLERANCES: Dict[str, Tolerance] = {
    "float32": Tolerance(
        tensor=1e-3,
        joint_px=0.01,
        reason="the same float32 network in two libraries differs by the order of its sums, some "
        "1e-5 after tens of layers; a hundredth of an input pixel is far below what a label means",
    ),
    "simplify": Tolerance(
        tensor=1e-4,
        joint_px=0.01,
        reason="folding a batch norm into a convolution rounds the weights once more (2^-24 each)",
    ),
    "rewrite": Tolerance(
        tensor=1e-6,
        joint_px=0.0,
        reason="a rewrite states an identity: the same sums in the same library, to the last bits",
    ),
}
