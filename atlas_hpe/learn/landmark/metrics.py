"""How good the hand-landmark network is: NME, score quality, presence and handedness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from atlas_hpe.geometry import apply_affine
from atlas_hpe.learn.augment.warp import crop_affine, warp_image
from atlas_hpe.learn.data.hand_images import HandImage, bounding_box
from atlas_hpe.nets.hand_landmark import MEAN_RGB, SPEC, STD_RGB

__all__ = [
    "CROP_SCALE",
    "Predictions",
    "Quality",
    "by_source",
    "cut_tracker_crop",
    "joint_errors",
    "measure",
    "normalise_images",
    "predict_hands",
    "run_network",
]


# What a tracker cuts, as the card of the network states it.
CROP_SCALE = SPEC.preprocess.crop_scale or 1.0


@dataclass(frozen=True)
class Predictions:
    """Outputs for N crops, with the truth where there is one.

    joints, truth (N, 21, 2) in [0, 1]; score (N, 21); presence, right, true_right (N,); sources N
    names.
    """

    joints: np.ndarray
    score: np.ndarray
    presence: np.ndarray
    right: np.ndarray
    truth: np.ndarray
    true_right: np.ndarray
    sources: Sequence[str]


def normalise_images(images: Tensor) -> Tensor:
    """(N, S, S, 3) RGB uint8 -> (N, 3, S, S) float32, mean and std of the card, channels last."""
    mean = torch.tensor(MEAN_RGB, device=images.device)
    std = torch.tensor(STD_RGB, device=images.device)
    return ((images.to(torch.float32) - mean) / std).permute(0, 3, 1, 2)


def cut_tracker_crop(
    hand: HandImage, size_px: int, angle_rad: float = 0.0, scale: float = CROP_SCALE
) -> Tuple[np.ndarray, np.ndarray]:
    """The crop a tracker would give, `scale` x hand box, and the joints in [0, 1] of it.

    Returns:
        (S, S, 3) RGB uint8 and (21, 2) float32.
    """
    x0, y0, x1, y1 = bounding_box(hand.joints_px)
    centre, side = np.array([(x0 + x1) / 2, (y0 + y1) / 2]), scale * max(x1 - x0, y1 - y0)
    matrix = crop_affine(centre, side, angle_rad, 1.0, size_px)
    image = warp_image(hand.image, matrix, size_px, cv2.BORDER_REPLICATE)
    joints = apply_affine(matrix, hand.joints_px) / size_px
    return np.ascontiguousarray(image[:, :, ::-1]), joints.astype(np.float32)


@torch.no_grad()
def run_network(model: nn.Module, images: np.ndarray, batch: int = 64) -> Dict[str, np.ndarray]:
    """(N, S, S, 3) RGB uint8 -> the outputs of the network by name, N rows each."""
    device = next(model.parameters()).device
    names = [output.name for output in SPEC.outputs]
    parts: Dict[str, List[np.ndarray]] = {name: [] for name in names}
    for first in range(0, len(images), batch):
        crops = torch.from_numpy(images[first : first + batch]).to(device)
        for name, output in zip(names, model(normalise_images(crops))):
            parts[name].append(output.cpu().numpy())
    return {name: np.concatenate(part) for name, part in parts.items()}


def predict_hands(
    model: nn.Module,
    hands: Sequence[HandImage],
    size_px: int,
    angle_rad: float = 0.0,
    scale: float = CROP_SCALE,
) -> Predictions:
    """Run the network on tracker crops of labelled hands."""
    cuts = [cut_tracker_crop(hand, size_px, angle_rad, scale) for hand in hands]
    found = run_network(model, np.stack([image for image, _ in cuts]))
    truth = np.stack([label for _, label in cuts])
    true_right = np.array([hand.right for hand in hands])
    return Predictions(
        joints=found["joints"],
        score=found["score"],
        presence=found["presence"][:, 0],
        right=found["handedness"][:, 0],
        truth=truth,
        true_right=true_right,
        sources=[hand.source for hand in hands],
    )


def joint_errors(predictions: Predictions) -> np.ndarray:
    """(N, 21) distances as a share of the longer side of the true hand box."""
    spans = predictions.truth.max(axis=1) - predictions.truth.min(axis=1)
    distances = np.linalg.norm(predictions.joints - predictions.truth, axis=2)
    errors: np.ndarray = distances / spans.max(axis=1)[:, None]
    return errors


@dataclass(frozen=True)
class Quality:
    """Figures over one set.

    Attributes:
        count: crops.
        nme: mean joint error over the hand box side.
        pck10: share of joints within a tenth of the hand box.
        score_correlation: rank correlation between score and minus error, joint by joint.
        mean_score: mean of the joint scores (calibrated when it equals pck10).
        right_accuracy: share of correct hand sides among labels surer than 0.8; None without any.
        mean_presence: mean presence.
    """

    count: int
    nme: float
    pck10: float
    score_correlation: float
    mean_score: float
    right_accuracy: Optional[float]
    mean_presence: float


def _ranks(values: np.ndarray) -> np.ndarray:
    order: np.ndarray = np.argsort(np.argsort(values.reshape(-1))).astype(np.float64)
    return order


def measure(predictions: Predictions) -> Quality:
    """All figures of one set of predictions."""
    errors = joint_errors(predictions)
    correlation = float(np.corrcoef(_ranks(predictions.score), _ranks(-errors))[0, 1])
    sure = np.abs(predictions.true_right - 0.5) > 0.3
    agree = (predictions.right > 0.5) == (predictions.true_right > 0.5)
    accuracy = float(agree[sure].mean()) if sure.any() else None
    return Quality(
        len(errors),
        float(errors.mean()),
        float((errors < 0.1).mean()),
        correlation,
        float(predictions.score.mean()),
        accuracy,
        float(predictions.presence.mean()),
    )


def by_source(predictions: Predictions) -> Dict[str, Quality]:
    """The figures per source."""
    table = {}
    for source in sorted(set(predictions.sources)):
        rows = np.array([name == source for name in predictions.sources])
        part = Predictions(
            predictions.joints[rows],
            predictions.score[rows],
            predictions.presence[rows],
            predictions.right[rows],
            predictions.truth[rows],
            predictions.true_right[rows],
            [source] * int(rows.sum()),
        )
        table[source] = measure(part)
    return table
