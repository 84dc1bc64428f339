"""The hand-landmark network as a training task: pictures, loss, figures, contact sheet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from atlas_hpe.errors import UsageError
from atlas_hpe.learn.data.hand_images import HandImage
from atlas_hpe.learn.landmark.batches import Mixture, make_batch
from atlas_hpe.learn.landmark.data import load_training_data
from atlas_hpe.learn.landmark.loss import landmark_loss
from atlas_hpe.learn.landmark.metrics import (
    by_source,
    measure,
    normalise_images,
    predict_hands,
    run_network,
)
from atlas_hpe.learn.pictures import contact_sheet
from atlas_hpe.learn.task import ALL_ROWS
from atlas_hpe.nets.hand_landmark import SPEC, Features, HandLandmark

__all__ = ["LandmarkTask", "load_task"]

# Steps are counted from 0, so no training batch ever has this number.
_SHEET_STEP = 987654321
_SHEET_PICTURES = 72


@dataclass(frozen=True)
class LandmarkTask:
    """The pictures and the objective of one training; a `TrainingTask`.

    Attributes:
        mixture: what to train on.
        held_out: hands that are only measured.
        build: makes the network.
        name: of the network.
    """

    mixture: Mixture
    held_out: Sequence[HandImage]
    build: Callable[[], nn.Module] = HandLandmark
    name: str = SPEC.name

    @property
    def pictures(self) -> int:
        """How many labelled hands there are."""
        return sum(len(pool.hands) for pool in self.mixture.pools)

    def network(self) -> nn.Module:
        """The network with fresh weights."""
        return self.build()

    def batch(
        self, seed: int, step: int, size: int, rows: slice = ALL_ROWS
    ) -> Dict[str, np.ndarray]:
        """The members of `Batch` by name."""
        return dict(vars(make_batch(self.mixture, seed, step, size, rows)))

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Dict[str, Tensor]:
        """See `landmark_loss`.

        Raises:
            UsageError: the network is not a hand-landmark network.
        """
        if not isinstance(network, HandLandmark):
            raise UsageError("this loss is for hand_landmark only", where=type(network).__name__)
        images = normalise_images(batch["images"])
        features = network.features(images)
        # Softmax and coordinates want float32, whatever the trunk computed in.
        with torch.autocast(images.device.type, enabled=False):
            raw = network.heads(Features(features.fine.float(), features.coarse.float()))
            loss = landmark_loss(
                raw, batch["joints"], batch["depth"], batch["has_hand"], batch["right"]
            )
        return loss._asdict()

    def measure(self, network: nn.Module) -> Dict[str, float]:
        """NME and PCK@0.1 on upright tracker crops of the held-out hands, NME of each source."""
        if not self.held_out:
            return {}
        predictions = predict_hands(network, self.held_out, self.mixture.size_px)
        quality, sources = measure(predictions), by_source(predictions)
        figures = {"nme": quality.nme, "pck10": quality.pck10}
        if len(sources) > 1:
            figures.update({f"nme_{name}": part.nme for name, part in sources.items()})
        return figures

    def sheet(self, network: nn.Module) -> np.ndarray:
        """Predictions on training pictures that were never trained on."""
        batch = make_batch(self.mixture, 0, _SHEET_STEP, _SHEET_PICTURES)
        found = run_network(network, batch.images)
        captions = [
            f"hand {present:.2f} right {right:.2f}"
            for present, right in zip(found["presence"][:, 0], found["handedness"][:, 0])
        ]
        return contact_sheet(batch.images, found["joints"], found["score"], captions)


def load_task(
    data: Path, cache: Path, *, drawn: int = 4000, seed: int = 0, leave_out: Sequence[str] = ()
) -> LandmarkTask:
    """The task on a folder of labelled pictures; see `load_training_data`."""
    sets = load_training_data(data, cache, drawn=drawn, seed=seed, leave_out=leave_out)
    return LandmarkTask(sets.mixture, sets.held_out)
