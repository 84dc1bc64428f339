"""Maps of a centre-heatmap detector to boxes (Zhou et al. 2019, Objects as Points, section 4)."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional

import numpy as np

from atlas_hpe.card import ModelCard
from atlas_hpe.errors import CardError
from atlas_hpe.geometry import Box
from atlas_hpe_pipelines.detection.detections import Detection, box_overlap, turn_of

__all__ = ["DETECTION_KIND", "decode_detections"]

#: ``DecodeSpec.kind`` of a detector.
DETECTION_KIND = "centre-heatmap"

# Maps per role. `direction` may be missing.
_CHANNELS = {"score": 1, "box": 4, "direction": 2}
_MIN_SCORE = 0.5
_MAX_OVERLAP = 0.4
# More peaks than this are noise; the best ones are kept.
_MAX_PEAKS = 32


def decode_detections(card: ModelCard, outputs: Mapping[str, np.ndarray]) -> List[Detection]:
    """Local maxima of the score map become boxes; of boxes on one hand the best is kept.

    Args:
        card: Roles ``score`` (1, 1, H, W), probability that a hand's centre lies in the cell;
            ``box`` (1, 4, H, W), the centre's distance from the middle of the cell in cells (x, y)
            and the width and height of the joints' box over those of the input; optional
            ``direction`` (1, 2, H, W), the vector from the wrist to the base of the middle finger.
            Option ``min_score`` (default 0.5) is the least score of a hand, ``max_overlap``
            (default 0.4) the most that two hands' boxes may overlap, as intersection over union.
        outputs: The graph's outputs.

    Returns:
        The hands in input pixels, best first. A cell with a number that is not finite is no hand.

    Raises:
        CardError: The card names another decoder, or an output that is missing or of another shape.
    """
    maps = _maps_by_role(card, outputs)
    score = maps["score"][0]
    options = card.decode.options
    peaks = _find_peaks(score, options.get("min_score", _MIN_SCORE))
    max_overlap = options.get("max_overlap", _MAX_OVERLAP)
    kept: List[Detection] = []
    for row, column in peaks:
        detection = _read_cell(card, maps, int(row), int(column))
        if detection is None:
            continue
        if all(box_overlap(detection.box, other.box) <= max_overlap for other in kept):
            kept.append(detection)
    return kept


def _maps_by_role(card: ModelCard, outputs: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Role -> (C, H, W) map."""
    if card.decode.kind != DETECTION_KIND:
        raise CardError(
            f"the model is no hand detector: its decoder is '{card.decode.kind}'",
            where=f"{card.name}, card.decode.kind",
            fix=f"give a model whose decoder is '{DETECTION_KIND}'",
        )
    maps: Dict[str, np.ndarray] = {}
    for role, channels in _CHANNELS.items():
        name = card.decode.outputs.get(role)
        if name is None and role == "direction":
            continue
        if name is None or name not in outputs:
            raise CardError(
                f"the detector has no output for the role '{role}'",
                where=f"{card.name}, card.decode.outputs",
                why="the graph has: " + ", ".join(outputs),
                fix="export the model again",
            )
        shape = outputs[name].shape
        expected = (1, channels, *maps["score"].shape[1:]) if maps else (1, channels, *shape[2:])
        if len(shape) != 4 or shape != expected:
            raise CardError(
                f"the output '{name}' has a shape that is no map of '{role}'",
                where=f"{card.name}, card.decode.outputs",
                why=f"found {shape}, expected (1, {channels}, H, W) with one H and W for all roles",
                fix="export the model again",
            )
        maps[role] = outputs[name][0]
    return maps


def _find_peaks(score: np.ndarray, min_score: float) -> np.ndarray:
    """Cells (K, 2), row and column, that no neighbour beats; best first."""
    height, width = score.shape
    # Not finite: below every threshold, so it can neither win nor hide a neighbour.
    finite = np.where(np.isfinite(score), score, -1.0)
    around = np.full((height + 2, width + 2), -1.0)
    around[1:-1, 1:-1] = finite
    rows = np.maximum(np.maximum(around[:-2], around[1:-1]), around[2:])
    best = np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
    peaks = np.argwhere((finite >= best) & (finite >= max(min_score, 0.0)))
    order = np.argsort(-finite[peaks[:, 0], peaks[:, 1]], kind="stable")
    best_first: np.ndarray = peaks[order[:_MAX_PEAKS]]
    return best_first


def _read_cell(
    card: ModelCard, maps: Mapping[str, np.ndarray], row: int, column: int
) -> Optional[Detection]:
    """The hand of one cell, None when its box is not finite or has no area."""
    height, width = maps["score"].shape[1:]
    shift_x, shift_y, box_width, box_height = (float(v) for v in maps["box"][:, row, column])
    if not np.isfinite([shift_x, shift_y, box_width, box_height]).all():
        return None
    if box_width <= 0.0 or box_height <= 0.0:
        return None
    spec = card.preprocess
    size_x, size_y = box_width * spec.width_px, box_height * spec.height_px
    x = (column + 0.5 + shift_x) / width * spec.width_px
    y = (row + 0.5 + shift_y) / height * spec.height_px
    angle = None
    if "direction" in maps:
        angle = turn_of(*(float(v) for v in maps["direction"][:, row, column]))
    return Detection(
        box=Box(x - size_x / 2, y - size_y / 2, size_x, size_y),
        score=min(float(maps["score"][0, row, column]), 1.0),
        angle_rad=angle,
    )
