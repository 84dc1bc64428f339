"""The picture of the worst sample shows where joints went, and never overwrites unasked."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Tuple

import cv2
import numpy as np
import pytest

import tiny_onnx
from atlas_hpe.card import PreprocessSpec
from atlas_hpe.errors import OutputError
from atlas_hpe.parity import (
    TOLERANCES,
    Answer,
    Comparison,
    LadderReport,
    RungReport,
    Sample,
    WorstSample,
)
from atlas_hpe_pipelines import check_worst_pictures, draw_movement, write_worst_pictures

BLUE, ORANGE = np.array([178, 114, 0]), np.array([0, 159, 230])
SPEC = PreprocessSpec(
    width_px=32, height_px=32, colour="rgb", fit="crop", mean=(0.0,) * 3, std=(255.0,) * 3
)
CARD = tiny_onnx.hand_card(SPEC, {"joints": (1, 21, 2)})


def hand() -> np.ndarray:
    """21 joints in input pixels, spread over most of the input."""
    return np.random.default_rng(0).uniform(6, 26, (21, 2))


def sample(picture: bool = True) -> Sample:
    return Sample(
        "h\N{LATIN SMALL LETTER A WITH DIAERESIS}nd.jpg",
        {},
        crop=np.full((32, 32, 3), 90, np.uint8),
        picture=np.full((300, 400, 3), 90, np.uint8) if picture else None,
        to_source=np.array([[4.0, 0, 100], [0, 4.0, 50]]) if picture else None,
    )


def worst(moved: Tuple[float, float], picture: bool = True, lost: int = 0) -> WorstSample:
    candidate = hand() + moved
    candidate[:lost] = np.nan
    return WorstSample(sample(picture), hand(), candidate, lost, float(np.hypot(*moved)))


def count(view: np.ndarray, colour: np.ndarray) -> int:
    return int((np.abs(view[:800].astype(int) - colour).max(axis=2) < 30).sum())


@pytest.mark.parametrize("picture", [True, False])
def test_both_skeletons_show_where_they_are(picture: bool) -> None:
    apart, together = (
        draw_movement(worst((3, 2), picture), "half"),
        draw_movement(worst((0, 0), picture), "half"),
    )
    assert apart.shape == together.shape == (900, 800, 3)
    assert apart.dtype == np.uint8
    # The model's thinner skeleton lies on top: together it covers most of the reference's.
    assert count(apart, BLUE) > 1.5 * count(together, BLUE)
    assert count(apart, ORANGE) > 1000
    assert (apart != together).any()


def test_a_joint_is_drawn_where_the_source_has_it() -> None:
    found = worst((0, 0))
    view = draw_movement(found, "half")
    places = hand() * 4 + [100, 50]
    low, high = places.min(axis=0), places.max(axis=0)
    side = 1.5 * (high - low).max()
    joint = (places[7] - ((low + high) / 2 - side / 2)) * 800 / side
    x, y = joint.round().astype(int)
    assert np.abs(view[y, x].astype(int) - ORANGE).max() < 40


def test_joints_that_were_lost_and_a_hand_far_outside_do_no_harm() -> None:
    for found in (worst((0, 0), lost=21), worst((1e9, -1e9)), worst((0, 0), lost=3)):
        assert draw_movement(found, "aipp").shape == (900, 800, 3)
    nothing = WorstSample(sample(), np.full((21, 2), np.nan), hand(), 21, 0.0)
    assert count(draw_movement(nothing, "aipp"), ORANGE) > 1000


def report(*names: str, moved_px: float = 3.0, given: Optional[Sample] = None) -> LadderReport:
    comparison = Comparison(CARD, lambda _card, outputs: outputs["joints"])
    comparison.add(
        Answer(given or sample(), {"joints": hand()}, hand()), {"joints": hand() + moved_px}
    )
    parity = comparison.report(TOLERANCES["half"], "pictures")
    rungs = tuple(RungReport(name, "what", parity, comparison.worst) for name in names)
    return LadderReport("reference", "model", rungs)


def test_a_picture_per_rung_is_written_and_they_differ(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    assert write_worst_pictures(report("onnx", "half"), folder) == [
        folder / "worst_onnx.png",
        folder / "worst_half.png",
    ]
    one = cv2.imread(str(folder / "worst_onnx.png"))
    other = cv2.imread(str(folder / "worst_half.png"))
    assert one.shape == (900, 800, 3)
    assert (one != other).any()  # the legend names the rung
    assert sorted(item.name for item in folder.iterdir()) == ["worst_half.png", "worst_onnx.png"]


def test_a_sample_without_any_picture_is_left_out(tmp_path: Path) -> None:
    assert write_worst_pictures(report("half", given=Sample("noise", {})), tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_existing_pictures_are_kept_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "worst_half.png").write_bytes(b"mine")
    for refuse in (
        lambda: check_worst_pictures(tmp_path, force=False),
        lambda: write_worst_pictures(report("half"), tmp_path),
    ):
        with pytest.raises(OutputError, match="exists already"):
            refuse()
    assert (tmp_path / "worst_half.png").read_bytes() == b"mine"
    check_worst_pictures(tmp_path, force=True)
    write_worst_pictures(report("half"), tmp_path, force=True)
    assert cv2.imread(str(tmp_path / "worst_half.png")) is not None


def test_a_folder_that_can_not_be_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "none" / "pictures", tmp_path / "file" / "x"):
        with pytest.raises(OutputError):
            check_worst_pictures(folder, force=True)
        with pytest.raises(OutputError):
            write_worst_pictures(report("half"), folder)
    with pytest.raises(OutputError, match="not a folder"):
        check_worst_pictures(tmp_path / "file", force=True)
    check_worst_pictures(tmp_path / "new.folder", force=False)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["file"]
