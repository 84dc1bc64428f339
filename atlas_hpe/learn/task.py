"""What the training loop asks of a network that it trains."""

from __future__ import annotations

from typing import Dict, Mapping

import numpy as np
from torch import Tensor, nn
from typing_extensions import Protocol

__all__ = ["ALL_ROWS", "TrainingTask"]

ALL_ROWS = slice(None)


class TrainingTask(Protocol):
    """One network with its pictures, its loss and its figures.

    Attributes:
        name: of the network, for example ``"hand_landmark"``; the weights go to ``<name>.pt``.
        pictures: how many labelled pictures there are; that many training pictures are one epoch.
    """

    @property
    def name(self) -> str:
        """See the class."""

    @property
    def pictures(self) -> int:
        """See the class."""

    def network(self) -> nn.Module:
        """The network with fresh weights, drawn from torch's generator."""

    def batch(
        self, seed: int, step: int, size: int, rows: slice = ALL_ROWS
    ) -> Dict[str, np.ndarray]:
        """Batch number `step` of the run with `seed`: a pure function of its arguments.

        It is called in a worker process, so it may not touch torch or a GPU.

        Args:
            seed: of the run.
            step: number of the batch, from 0.
            size: pictures of the whole batch.
            rows: which of them are wanted: each of several processes makes its own part, and all
                parts together are the batch that one process would make.

        Returns:
            Arrays of equal length; row i of each belongs to the same picture.
        """

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Dict[str, Tensor]:
        """Loss terms of `batch`, which lies on the network's device: scalars, means over the rows.

        ``"total"`` is trained on, the others are shown. It is called under autocast where the run
        has mixed precision: what needs float32 has to switch that off.
        """

    def measure(self, network: nn.Module) -> Dict[str, float]:
        """Figures on held-out pictures, the most telling first; empty when there are none."""

    def sheet(self, network: nn.Module) -> np.ndarray:
        """Predictions to look at: (H, W, 3) BGR uint8."""
