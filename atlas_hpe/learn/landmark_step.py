"""One optimiser step of the hand-landmark network."""

from __future__ import annotations

from typing import Tuple

import torch
from torch import Tensor, nn

from atlas_hpe.errors import UsageError
from atlas_hpe.learn.landmark.batches import Batch
from atlas_hpe.learn.landmark.loss import LandmarkLoss, finite, landmark_loss
from atlas_hpe.learn.landmark.metrics import normalise_images
from atlas_hpe.learn.landmark_run import Run, TrainingPlan
from atlas_hpe.learn.shards import Shards
from atlas_hpe.nets.hand_landmark import Features, HandLandmark

__all__ = ["train_step"]


def _shard_loss(
    replica: nn.Module, batch: Batch, rows: slice, bfloat16: bool
) -> Tuple[Tensor, LandmarkLoss]:
    if not isinstance(replica, HandLandmark):
        raise UsageError("only hand_landmark trains with this loop", where=type(replica).__name__)
    replica.train()
    images = normalise_images(batch.images[rows])
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        features = replica.features(images)
    raw = replica.heads(Features(features.fine.float(), features.coarse.float()))
    joints = torch.from_numpy(batch.joints[rows])
    has_hand, right = torch.from_numpy(batch.has_hand[rows]), torch.from_numpy(batch.right[rows])
    loss = landmark_loss(raw, joints, has_hand, right)
    return loss.total, LandmarkLoss(*(term.detach() for term in loss))


def train_step(
    run: Run, shards: Shards, batch: Batch, plan: TrainingPlan, rate: float
) -> LandmarkLoss:
    """One optimiser step on one batch. Returns the mean loss terms."""
    # Strided shards: a batch is ordered by kind, and each batch norm must see every kind.
    losses = shards.backward(
        lambda replica, index: _shard_loss(
            replica, batch, slice(index, None, shards.count), plan.bfloat16
        )
    )
    mean = LandmarkLoss(*(torch.stack(terms).mean() for terms in zip(*losses)))
    if finite(mean):
        nn.utils.clip_grad_norm_(run.model.parameters(), 5.0)
        for group in run.optimiser.param_groups:
            group["lr"] = rate
        run.optimiser.step()
    run.step += 1
    run.average.update(run.model, run.step)
    return mean
