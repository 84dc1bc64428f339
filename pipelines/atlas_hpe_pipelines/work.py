"""One frame on its way through the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional, Tuple

import numpy as np

from atlas_hpe.poses import Frame, HandPose

__all__ = ["Work"]


@dataclass(eq=False)
class Work:
    """A frame and what the stages have filled in so far.

    Attributes:
        frame: The frame.
        tensors: Feeds, then outputs of a network that another stage goes on with.
        hands: The hands in the frame.
        picture: The frame with its hands drawn, (h, w, 3) uint8, BGR, in the size of the outputs.
    """

    frame: Frame
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict)
    hands: Tuple[HandPose, ...] = ()
    picture: Optional[np.ndarray] = None
