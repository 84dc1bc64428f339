"""hand21: the one skeleton that every dataset and network is mapped into.

Order: wrist, then thumb, index, middle, ring and little finger, four joints each from base to tip
(the order of FreiHAND and of the CMU Panoptic hand).
"""

from __future__ import annotations

from typing import Sequence, Tuple

import numpy as np

__all__ = ["BONES", "FINGERS", "FINGER_JOINTS", "JOINT_NAMES", "NUM_JOINTS", "PARENTS", "to_hand21"]

NUM_JOINTS = 21
FINGERS: Tuple[str, ...] = ("thumb", "index", "middle", "ring", "little")
JOINT_NAMES: Tuple[str, ...] = (
    "wrist",
    *(f"{finger}{number}" for finger in FINGERS for number in (1, 2, 3, 4)),
)
#: Parent of each joint; the wrist has none (-1).
PARENTS: Tuple[int, ...] = (
    -1,
    *(0 if joint % 4 == 1 else joint - 1 for joint in range(1, NUM_JOINTS)),
)
#: The 20 bones as (parent, child).
BONES: Tuple[Tuple[int, int], ...] = tuple(
    (parent, child) for child, parent in enumerate(PARENTS) if parent >= 0
)
#: Joint indices per finger, base to tip, in the order of ``FINGERS``.
FINGER_JOINTS: Tuple[Tuple[int, ...], ...] = tuple(
    tuple(range(1 + 4 * finger, 5 + 4 * finger)) for finger in range(len(FINGERS))
)


def to_hand21(joints: np.ndarray, joint_order: Sequence[int]) -> np.ndarray:
    """Reorder native joints into hand21.

    Args:
        joints: (..., J, D) joints in the order of a dataset or network.
        joint_order: 21 native indices; ``canonical[i] = native[joint_order[i]]``.

    Returns:
        (..., 21, D) joints in hand21 order.
    """
    return joints[..., list(joint_order), :]
