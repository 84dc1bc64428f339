"""The detector as a training task: data, figures, contact sheet, and a loss that falls."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import List

import cv2
import numpy as np
import pytest
import torch
from detector_fakes import stick_data, stick_scene
from torch import Tensor, nn

from atlas_hpe.errors import InputError
from atlas_hpe.geometry import Box
from atlas_hpe.learn.detector.data import Scene, load_detector_data, load_scenes
from atlas_hpe.learn.detector.metrics import (
    average_precision,
    detect_hands,
    match_hands,
    measure_detector,
)
from atlas_hpe.learn.detector.task import DetectorTask
from atlas_hpe.nets.hand_detector import MAP_SIZE, HandDetector
from atlas_hpe_pipelines.detection import Detection


class Oracle(nn.Module):
    """Says that an upright hand of a quarter of the input is centred at (x, y), in [0, 1]."""

    def __init__(self, x: float, y: float) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.tensor([x, y]))

    def forward(self, image: Tensor) -> List[Tensor]:
        score, box = torch.zeros(1, 1, MAP_SIZE, MAP_SIZE), torch.zeros(1, 4, MAP_SIZE, MAP_SIZE)
        direction = torch.zeros(1, 2, MAP_SIZE, MAP_SIZE)
        x, y = (float(value) * MAP_SIZE for value in self.place)
        column, row = int(x), int(y)
        score[0, 0, row, column] = 0.9
        box[0, :, row, column] = torch.tensor([x - column - 0.5, y - row - 0.5, 0.25, 0.25])
        direction[0, 1] = -1.0
        return [score, box, direction]


def square_hand(box: Box) -> np.ndarray:
    joints = np.full((21, 2), box.centre, np.float32)
    joints[0] = box.centre[0], box.y + box.height
    joints[1], joints[2] = (box.x, box.y), (box.x + box.width, box.y + box.height)
    return joints


def scene_of(*boxes: Box, width: int = 64, height: int = 64) -> Scene:
    image = np.zeros((height, width, 3), np.uint8)
    return Scene(image, np.stack([square_hand(box) for box in boxes]), "squares")


def test_detections_are_in_pixels_of_the_picture() -> None:
    # In a 128 x 64 picture the letterbox adds a quarter above and below.
    (found,) = detect_hands(Oracle(0.5, 0.5), [np.zeros((64, 128, 3), np.uint8)], 0.5)
    assert len(found) == 1
    np.testing.assert_allclose(found[0].box.as_tuple(), (48, 16, 32, 32), atol=1e-4)
    assert found[0].angle_rad == pytest.approx(0.0)


def test_figures_of_a_perfect_detector() -> None:
    scenes = [scene_of(Box(10, 20, 20, 20)), scene_of(Box(5, 5, 20, 30), Box(40, 5, 20, 20))]
    found = [
        [Detection(Box(10, 20, 20, 20), 0.9, 0.0)],
        [Detection(Box(40, 5, 20, 20), 0.8, 0.0), Detection(Box(5, 5, 20, 30), 0.7, 0.0)],
    ]
    quality = measure_detector(found, scenes)
    assert (quality.hands, quality.found_30, quality.found_50, quality.extra) == (3, 1.0, 1.0, 0.0)
    assert quality.precision_50 == pytest.approx(1.0) and quality.overlap == pytest.approx(1.0)
    assert quality.direction_deg == pytest.approx(0.0, abs=1e-4)


def test_figures_count_misses_inventions_and_turns() -> None:
    scenes = [scene_of(Box(10, 20, 20, 20)), scene_of(Box(10, 20, 20, 20))]
    found = [
        [
            Detection(Box(18, 20, 20, 20), 0.9, math.radians(30)),  # overlap 12 / 28
            Detection(Box(40, 40, 10, 10), 0.95, 0.0),
        ],
        [Detection(Box(10, 20, 20, 20), 0.2, 0.0)],  # below the threshold
    ]
    quality = measure_detector(found, scenes)
    assert (quality.found_30, quality.found_50) == (0.5, 0.0)
    assert quality.extra == 0.5
    assert quality.overlap == pytest.approx(12 / 28)
    assert quality.direction_deg == pytest.approx(30.0, abs=1e-3)
    assert quality.precision_50 == pytest.approx(0.5 * 1 / 3)


def test_one_hand_is_found_once() -> None:
    hands = square_hand(Box(0, 0, 10, 10))[None]
    twice = [Detection(Box(0, 0, 10, 10), 0.6), Detection(Box(0, 0, 10, 9), 0.9)]
    assert [(index, hand) for index, hand, _ in match_hands(twice, hands, 0.3)] == [(1, 0)]


def test_average_precision_is_the_area_under_the_curve() -> None:
    assert average_precision([0.9, 0.8], [True, True], 2) == pytest.approx(1.0)
    assert average_precision([0.9, 0.8, 0.7], [True, False, True], 2) == pytest.approx(
        0.5 + 0.5 * 2 / 3
    )
    assert average_precision([0.9], [True], 4) == pytest.approx(0.25)
    assert average_precision([], [], 3) == 0.0


@pytest.mark.slow
def test_the_loss_falls_and_the_figures_are_finite() -> None:
    torch.manual_seed(0)
    task = DetectorTask(stick_data(4))
    network = HandDetector(widths=(8, 8, 16, 16, 16))
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    totals = []
    for step in range(30):
        batch = {name: torch.from_numpy(value) for name, value in task.batch(0, step, 4).items()}
        terms = task.loss(network, batch)
        optimiser.zero_grad()
        terms["total"].backward()
        optimiser.step()
        totals.append(float(terms["total"].detach()))
    assert np.mean(totals[-6:]) < 0.6 * np.mean(totals[:3])
    figures = task.measure(network.eval())
    assert next(iter(figures)) == "found at IoU 0.5"
    assert all(math.isfinite(value) for value in figures.values())


def test_nothing_held_out_gives_no_figures_but_a_sheet() -> None:
    data = stick_data(4)
    task = DetectorTask(type(data)(data.frames, data.crops, data.drawn, data.empty, ([], [])))
    oracle = Oracle(0.5, 0.5)
    assert task.measure(oracle) == {}
    sheet = task.sheet(oracle)
    assert sheet.shape == (4 * 256, 6 * 256, 3) and sheet.dtype == np.uint8
    assert (sheet == (80, 220, 80)).all(axis=2).any()  # a detection
    assert (sheet == (0, 220, 255)).all(axis=2).any()  # a label


def write_set(folder: Path) -> None:
    (folder / "frames").mkdir()
    items = []
    for number in range(3):
        scene = stick_scene(number)
        image = f"frames/{number}.png"
        cv2.imwrite(str(folder / image), scene.image)
        hands = [{"keypoints": joints.tolist()} for joints in scene.joints_px]
        source = "left" if number == 2 else "sticks"
        items.append({"image": image, "source": source, "path": str(number), "hands": hands})
    (folder / "frames.json").write_text(json.dumps({"items": items}))
    crops = [
        {**item, "keypoints": item["hands"][0]["keypoints"]}  # type: ignore[index]
        for item in items
    ]
    (folder / "crops.json").write_text(json.dumps({"items": crops}))
    empty = [{"image": items[0]["image"], "source": source} for source in ("sticks", "left")]
    (folder / "negatives.json").write_text(json.dumps({"items": empty}))


def test_sources_that_are_left_out_are_measured_and_never_trained_on(tmp_path: Path) -> None:
    write_set(tmp_path)
    data = load_detector_data(tmp_path, tmp_path / "cache", drawn=0, leave_out=("left",))
    assert data.pictures == 4
    assert {scene.source for scene in (*data.frames.scenes, *data.crops.scenes)} == {"sticks"}
    assert [picture.source for picture in data.empty] == ["sticks"]
    assert [scene.source for scene in data.held_out[0]] == ["left"]
    assert [picture.source for picture in data.held_out[1]] == ["left"]


def test_leaving_everything_out_is_refused(tmp_path: Path) -> None:
    write_set(tmp_path)
    with pytest.raises(InputError, match="left to train on"):
        load_detector_data(tmp_path, tmp_path / "cache", drawn=0, leave_out=("left", "sticks"))


def test_drawn_hands_are_a_pool_of_their_own(tmp_path: Path) -> None:
    write_set(tmp_path)
    data = load_detector_data(tmp_path, tmp_path / "cache", drawn=2)
    assert len(data.drawn.scenes) == 2


@pytest.mark.parametrize("hands", [[], "none"])
def test_a_frame_without_hands_is_refused(tmp_path: Path, hands: object) -> None:
    write_set(tmp_path)
    index = tmp_path / "frames.json"
    document = json.loads(index.read_text())
    document["items"][1]["hands"] = hands
    index.write_text(json.dumps(document))
    with pytest.raises(InputError, match="no hands"):
        load_scenes(tmp_path)
