"""The hand detector as a training task: pictures, loss, figures, contact sheet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Mapping, Sequence, Tuple, TypeVar, cast

import cv2
import numpy as np
from torch import Tensor, nn

from atlas_hpe.learn.detector.batches import make_batch
from atlas_hpe.learn.detector.data import DetectorData, Scene, load_detector_data
from atlas_hpe.learn.detector.loss import detector_loss, normalise
from atlas_hpe.learn.detector.metrics import (
    DetectionQuality,
    detect_hands,
    figures,
    measure_detector,
)
from atlas_hpe.learn.task import ALL_ROWS
from atlas_hpe.nets.hand_detector import SPEC, HandDetector, hand_detector

if TYPE_CHECKING:
    from atlas_hpe_pipelines.detection import Detection

__all__ = ["DetectorTask", "load_task", "measure_sources"]

_MOST_MEASURED = 400
_SHEET_COLUMNS, _SHEET_ROWS, _TILE_PX = 6, 4, 256
_GREEN, _YELLOW = (80, 220, 80), (0, 220, 255)

T = TypeVar("T")


@dataclass(frozen=True)
class DetectorTask:
    """The pictures and the objective of one training; a `TrainingTask`.

    Attributes:
        data: what to train on and what is kept out.
        name: of the network.
    """

    data: DetectorData
    name: str = SPEC.name

    @property
    def pictures(self) -> int:
        """How many labelled pictures there are."""
        return self.data.pictures

    def network(self) -> nn.Module:
        """The network with fresh weights."""
        return hand_detector()

    def batch(
        self, seed: int, step: int, size: int, rows: slice = ALL_ROWS
    ) -> Dict[str, np.ndarray]:
        """See `make_batch`."""
        return make_batch(self.data, seed, step, size, rows)

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Dict[str, Tensor]:
        """See `detector_loss`."""
        detector = cast("HandDetector", network)
        return detector_loss(detector.raw(normalise(batch["images"])), batch)

    def measure(self, network: nn.Module) -> Dict[str, float]:
        """Figures on the sources that are left out, empty when there are none."""
        scenes, empty = self.data.held_out
        if not scenes:
            return {}
        quality = measure_sources(network, _spread(scenes, _MOST_MEASURED))
        alarms = detect_hands(
            network, [picture.image for picture in empty], SPEC.decode.options["min_score"]
        )
        return figures(quality, sum(map(len, alarms)) / max(1, len(empty)))

    def sheet(self, network: nn.Module) -> np.ndarray:
        """Detections (green) and labels (yellow) on pictures that are left out, or on trained ones.

        Returns:
            (H, W, 3) BGR uint8.
        """
        scenes = self.data.held_out[0] or self.data.frames.scenes
        shown = _spread(scenes, _SHEET_COLUMNS * _SHEET_ROWS)
        found = detect_hands(
            network, [scene.image for scene in shown], SPEC.decode.options["min_score"]
        )
        tiles = [_draw(scene, detections) for scene, detections in zip(shown, found)]
        blank = np.zeros((_TILE_PX, _TILE_PX, 3), np.uint8)
        tiles += [blank] * (_SHEET_COLUMNS * _SHEET_ROWS - len(tiles))
        rows = [
            tiles[first : first + _SHEET_COLUMNS] for first in range(0, len(tiles), _SHEET_COLUMNS)
        ]
        return np.vstack([np.hstack(row) for row in rows])


def load_task(
    data: Path, cache: Path, *, drawn: int = 2000, seed: int = 0, leave_out: Sequence[str] = ()
) -> DetectorTask:
    """The task on a folder of labelled pictures; see `load_detector_data`."""
    return DetectorTask(
        load_detector_data(data, cache, drawn=drawn, seed=seed, leave_out=leave_out)
    )


def measure_sources(network: nn.Module, scenes: Sequence[Scene]) -> Dict[str, DetectionQuality]:
    """The figures per source."""
    found = detect_hands(network, [scene.image for scene in scenes])
    table = {}
    for source in sorted({scene.source for scene in scenes}):
        rows = [index for index, scene in enumerate(scenes) if scene.source == source]
        table[source] = measure_detector([found[i] for i in rows], [scenes[i] for i in rows])
    return table


def _spread(items: Sequence[T], most: int) -> Sequence[T]:
    """At most so many of them, evenly spread."""
    step = max(1, -(-len(items) // most))
    return items[::step]


def _draw(scene: Scene, detections: Sequence[Detection]) -> np.ndarray:
    """A picture shrunk to a tile, with its labels and detections."""
    scale = _TILE_PX / max(scene.image.shape[:2])
    tile = np.zeros((_TILE_PX, _TILE_PX, 3), np.uint8)
    small = cv2.resize(scene.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = small[:_TILE_PX, :_TILE_PX]
    tile[: small.shape[0], : small.shape[1]] = small
    for joints in scene.joints_px * scale:
        low, high = np.round(joints.min(axis=0)), np.round(joints.max(axis=0))
        cv2.rectangle(tile, _point(*low), _point(*high), _YELLOW, 1)
    for detection in detections:
        box = detection.box
        low = np.array([box.x, box.y]) * scale
        high = low + np.array([box.width, box.height]) * scale
        cv2.rectangle(tile, _point(*low), _point(*high), _GREEN, 2)
        if detection.angle_rad is not None:
            centre, reach = (low + high) / 2.0, float((high - low).max()) / 2.0
            tip = centre + reach * np.array(
                [math.sin(detection.angle_rad), -math.cos(detection.angle_rad)]
            )
            cv2.arrowedLine(tile, _point(*centre), _point(*tip), _GREEN, 1, cv2.LINE_AA)
    return tile


def _point(x: float, y: float) -> Tuple[int, int]:
    return round(float(x)), round(float(y))
