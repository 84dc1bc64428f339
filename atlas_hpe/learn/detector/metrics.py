"""How good the hand detector is: hands found, hands invented, boxes and directions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, List, Sequence, Tuple

import numpy as np
import torch
from torch import nn

from atlas_hpe.card import GraphSpec, ModelCard, Provenance
from atlas_hpe.geometry import Box
from atlas_hpe.learn.detector.data import Scene
from atlas_hpe.nets.hand_detector import SPEC

if TYPE_CHECKING:
    from atlas_hpe_pipelines.detection import Detection

__all__ = [
    "DetectionQuality",
    "average_precision",
    "detect_hands",
    "detector_card",
    "figures",
    "match_hands",
    "measure_detector",
]

# Scores below this are not even looked at.
_LEAST_SCORE = 0.05


@dataclass(frozen=True)
class DetectionQuality:
    """Figures over one set of pictures at the card's threshold.

    Attributes:
        hands: labelled hands.
        found_30: share of them with a box that overlaps by 0.3 or more (intersection over union).
        found_50: the same at 0.5.
        precision_50: average precision at 0.5, over all thresholds.
        overlap: mean overlap of the found ones (at 0.3).
        direction_deg: mean error of the direction of the found ones.
        extra: boxes per picture that belong to no labelled hand (at 0.3).
    """

    hands: int
    found_30: float
    found_50: float
    precision_50: float
    overlap: float
    direction_deg: float
    extra: float


def detector_card(min_score: float) -> ModelCard:
    """The card of the network with another threshold."""
    decode = SPEC.decode
    options = {**decode.options, "min_score": min_score}
    return ModelCard(
        name=SPEC.name,
        task=SPEC.task,
        graphs=(GraphSpec(SPEC.name, SPEC.inputs, SPEC.outputs),),
        preprocess=SPEC.preprocess,
        decode=type(decode)(decode.kind, decode.outputs, options),
        provenance=Provenance(network=SPEC.name),
    )


@torch.no_grad()
def detect_hands(
    network: nn.Module, images: Sequence[np.ndarray], min_score: float = _LEAST_SCORE
) -> List[List[Detection]]:
    """Run the network on whole pictures as the pipeline does, in pixels of each picture."""
    # Imported here: decoding lives with the pipelines, which only this function needs.
    from atlas_hpe.geometry import invert_affine
    from atlas_hpe_pipelines import crop_picture, input_affine, to_feeds
    from atlas_hpe_pipelines.detection import decode_detections, detections_to_source

    card = detector_card(min_score)
    device = next(network.parameters()).device
    names = [output.name for output in SPEC.outputs]
    found = []
    for image in images:
        region = Box(0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
        affine = input_affine(card.preprocess, region)
        feeds = to_feeds(card, crop_picture(image, affine, card.preprocess))
        outputs = network(torch.from_numpy(feeds[SPEC.inputs[0].name]).to(device))
        arrays = {name: output.float().cpu().numpy() for name, output in zip(names, outputs)}
        found.append(detections_to_source(decode_detections(card, arrays), invert_affine(affine)))
    return found


def _box_of(joints: np.ndarray) -> Box:
    low, high = joints.min(axis=0), joints.max(axis=0)
    width, height = np.maximum(high - low, 1e-3)
    return Box(float(low[0]), float(low[1]), float(width), float(height))


def match_hands(
    detections: Sequence[Detection], hands: np.ndarray, least: float
) -> List[Tuple[int, int, float]]:
    """Pair detections, best score first, with the labelled hand (K, 21, 2) they overlap most.

    Returns:
        (detection, hand, overlap) for each pair that overlaps by `least` or more.
    """
    from atlas_hpe_pipelines.detection import box_overlap

    boxes, pairs, free = [_box_of(joints) for joints in hands], [], set(range(len(hands)))
    order = sorted(range(len(detections)), key=lambda index: -detections[index].score)
    for index in order:
        overlaps = [(box_overlap(detections[index].box, boxes[hand]), hand) for hand in free]
        overlap, hand = max(overlaps, default=(0.0, -1))
        if hand >= 0 and overlap >= least:
            pairs.append((index, hand, overlap))
            free.remove(hand)
    return pairs


def average_precision(scores: Sequence[float], correct: Sequence[bool], hands: int) -> float:
    """Area under the precision-recall curve, with precision made monotone."""
    if not scores or not hands:
        return 0.0
    order = np.argsort(-np.asarray(scores), kind="stable")
    hits = np.cumsum(np.asarray(correct, np.float64)[order])
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.diff(np.concatenate(([0.0], hits / hands)))
    return float((envelope * steps).sum())


def _direction_error(detection: Detection, joints: np.ndarray) -> float:
    """Degrees between the detected and the labelled direction; NaN where there is none."""
    if detection.angle_rad is None:
        return math.nan
    x, y = (float(value) for value in joints[9] - joints[0])
    apart = detection.angle_rad - math.atan2(x, -y)
    return abs(math.degrees(math.atan2(math.sin(apart), math.cos(apart))))


def measure_detector(
    found: Sequence[Sequence[Detection]], scenes: Sequence[Scene]
) -> DetectionQuality:
    """All figures of the detections in labelled pictures, which may be below the threshold."""
    threshold = SPEC.decode.options["min_score"]
    hands = sum(len(scene.joints_px) for scene in scenes)
    overlaps: List[float] = []
    errors: List[float] = []
    scores: List[float] = []
    correct: List[bool] = []
    extra = 0
    for detections, scene in zip(found, scenes):
        paired = {index for index, _, _ in match_hands(detections, scene.joints_px, 0.5)}
        scores += [detection.score for detection in detections]
        correct += [index in paired for index in range(len(detections))]
        sure = [detection for detection in detections if detection.score >= threshold]
        pairs = match_hands(sure, scene.joints_px, 0.3)
        overlaps += [overlap for _, _, overlap in pairs]
        errors += [_direction_error(sure[index], scene.joints_px[hand]) for index, hand, _ in pairs]
        extra += len(sure) - len(pairs)
    return DetectionQuality(
        hands=hands,
        found_30=len(overlaps) / max(1, hands),
        found_50=sum(overlap >= 0.5 for overlap in overlaps) / max(1, hands),
        precision_50=average_precision(scores, correct, hands),
        overlap=float(np.mean(overlaps)) if overlaps else 0.0,
        direction_deg=float(np.nanmean(errors)) if errors else 0.0,
        extra=extra / max(1, len(scenes)),
    )


def figures(quality: Dict[str, DetectionQuality], false_alarms: float) -> Dict[str, float]:
    """One line of figures over several sources; the mean of the sources counts."""
    rows = list(quality.values())
    return {
        "found at IoU 0.5": float(np.mean([row.found_50 for row in rows])),
        "found at IoU 0.3": float(np.mean([row.found_30 for row in rows])),
        "AP at IoU 0.5": float(np.mean([row.precision_50 for row in rows])),
        "direction error, deg": float(np.mean([row.direction_deg for row in rows])),
        "boxes beside a hand": float(np.mean([row.extra for row in rows])),
        "false alarms without a hand": false_alarms,
    }
