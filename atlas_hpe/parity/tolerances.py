"""How far two runs of a network may differ: one table of data, each line with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Dict

__all__ = ["TOLERANCES", "Tolerance"]


@dataclass(frozen=True)
class Tolerance:
    """Limits of a comparison.

    Joints are judged in shares of the network's input, because that is what their errors grow with:
    a decoder finds a joint as a share of the input, in heatmap cells or in [0, 1].

    Attributes:
        tensor: Largest difference of an element, as a share of the largest magnitude of that
            output in the reference, or of 1 where that is smaller; infinity for no limit.
        joint: Largest movement of a joint, as a share of the longer side of the network's input;
            infinity for no limit.
        joint_median: The same for the median movement of all joints.
        reason: Why these numbers.
    """

    tensor: float
    joint: float
    joint_median: float
    reason: str


TOLERANCES: Dict[str, Tolerance] = {
    "float32": Tolerance(
        tensor=1e-3,
        joint=1e-4,
        joint_median=1e-4,
        reason="the same float32 network in two libraries differs by the order of its sums, some "
        "1e-5 after tens of layers (measured on shallow_unet: 3e-6); a hundredth of an input pixel "
        "is far below what a label means",
    ),
    "float16-graph": Tolerance(
        tensor=3e-2,
        joint=4e-3,
        joint_median=1e-3,
        reason="weights are rounded to 2^-12 of their value, each by chance, and the sums of tens "
        "of layers carry that on (measured on hand_landmark: 0.03 px of 128); the board's float16 "
        "moves joints by as much again",
    ),
    "simplify": Tolerance(
        tensor=1e-4,
        joint=1e-4,
        joint_median=1e-4,
        reason="folding a batch norm into a convolution rounds the weights once more (2^-24 each)",
    ),
    "lowering": Tolerance(
        tensor=1e-5,
        joint=0.0,
        joint_median=0.0,
        reason="one operator said in several rounds a few more times per value (2^-24 each), and "
        "what follows in the network may enlarge that by tens",
    ),
    "rewrite": Tolerance(
        tensor=1e-6,
        joint=0.0,
        joint_median=0.0,
        reason="a rewrite states an identity: the same sums in the same library, to the last bits",
    ),
    "rewrite-algebra": Tolerance(
        tensor=1e-5,
        joint=0.0,
        joint_median=0.0,
        reason="the same algebra with its sums in another order or its weights rounded once more "
        "(2^-24 each), and what follows in the network may enlarge that by tens",
    ),
    "rewrite-inverse": Tolerance(
        tensor=1e-3,
        joint=0.0,
        joint_median=0.0,
        reason="two ways to invert a matrix differ by its condition number times 2^-24, and feeds "
        "from a seed make matrices with condition numbers of thousands",
    ),
    "half": Tolerance(
        tensor=0.03,
        joint=4e-3,
        joint_median=1e-3,
        reason="fp16 keeps 11 bits of each value between layers. Emulated on the annotated "
        "photographs and on drawn hands, shallow_unet (20 layers, expectation over 16384 cells) "
        "differs by 0.012 and moves joints by 0.2 % of the input at most, 0.025 % in the median; "
        "hand_landmark by 0.003, 0.05 % and 0.02 %. The limits are two to four times the worse",
    ),
    "aipp": Tolerance(
        tensor=math.inf,
        joint=math.inf,
        joint_median=0.02,
        reason="NV12 gives four pixels one colour, so the network sees another picture: single "
        "elements and joints say little. The median joint moved by 0.6 to 1.5 % of the input for "
        "shallow_unet and by 0.13 to 0.19 % for hand_landmark (without NV12, fed RGB, by 0.02 % at "
        "most); with U and V swapped by 11 to 14 % and 3 to 6 %",
    ),
}
