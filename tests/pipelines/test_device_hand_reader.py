"""Hands in views that the hardware cuts, and in those that it leaves to the host."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Iterator, List, Tuple

import numpy as np
import pytest
from device_hands import NV12Session, decoded, nv12_card, write_clip
from marker_hands import CROP_PX, Marker, draw

from atlas_hpe.errors import SessionError
from atlas_hpe.geometry import Box
from atlas_hpe_pipelines.tracking import HandReader, Region, region_from_joints
from atlas_hpe_runtime.acl.dvpp import CropPlan, Fallback
from atlas_hpe_runtime.acl.owner import DeviceOwner
from dvpp_device import CopyCounter, machine_of, simulated_device

#: Tilts that the network stands, at places where the view's edges are odd, and outside the picture.
HANDS = [
    Marker(160.0, 120.0, 30, 0.0),
    Marker(101.3, 133.9, 24, 20.0),
    Marker(203.7, 141.2, 33, -25.0),
    Marker(40.5, 90.1, 28, 10.0),
    Marker(285.2, 200.4, 30, -8.0, kind=1),
]


@pytest.fixture()
def owner() -> Iterator[DeviceOwner]:
    with simulated_device() as owner:
        yield owner


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hands") / "hands.mp4"
    return write_clip(path, [[marker] for marker in HANDS])


def region_of(marker: Marker, mirrored: bool = False) -> Region:
    found = region_from_joints(marker.joints(), 1.5)
    assert found is not None
    return Region(found.x, found.y, found.side_px, found.angle_rad, mirrored)


def tilted(tmp_path: Path, turn_deg: float) -> Path:
    return write_clip(tmp_path / "tilted.mp4", [[Marker(160, 120, 30, turn_deg)]])


def error_px(joints: np.ndarray, marker: Marker) -> float:
    return float(np.abs(joints - marker.joints()).max())


def test_the_joints_are_where_they_are_in_the_picture(clip: Path, owner: DeviceOwner) -> None:
    card, session = nv12_card(), NV12Session()
    with decoded(clip, owner, card) as (frames, hardware):
        reader = HandReader(card, session, hardware)
        for frame, marker in zip(frames, HANDS):
            hand = reader.read(frame, region_of(marker))
            assert hand is not None
            assert error_px(hand.joints, marker) < 1.5
            assert hand.handedness == ("left" if marker.kind else "right")
        assert (hardware.cuts, sum(hardware.left.values())) == (len(HANDS), 0)
        assert hardware.describe() == "5 views cut by the device"
        assert reader.spent_s["crop"] > 0 < reader.spent_s["infer"]


def test_the_hand_stands_in_the_view_as_in_the_picture(clip: Path, owner: DeviceOwner) -> None:
    """Not turned upright: the wrist is off the axis of the palm by the hand's tilt."""
    card, session = nv12_card(), NV12Session()
    with decoded(clip, owner, card) as (frames, hardware):
        next(frames)
        hand = HandReader(card, session, hardware).read(next(frames), region_of(HANDS[1]))
    assert hand is not None
    view = session.seen[0]
    wrist, base = (dot(view, colour) for colour in ((1, 0, 0), (0, 1, 0)))
    tilt_deg = math.degrees(math.atan2(base[0] - wrist[0], wrist[1] - base[1]))
    assert tilt_deg == pytest.approx(20, abs=2)
    region = region_of(HANDS[1])
    half = region.side_px / 2
    assert hand.box == pytest.approx((region.x - half, region.y - half, 2 * half, 2 * half))


def dot(view: np.ndarray, colour: Tuple[int, int, int]) -> np.ndarray:
    rows, columns = np.nonzero(((view > 128) == np.array(colour, bool)).all(axis=2))
    return np.array([columns.mean(), rows.mean()])


def test_the_host_does_not_see_the_picture(clip: Path, owner: DeviceOwner) -> None:
    card, session = nv12_card(), NV12Session()
    with decoded(clip, owner, card) as (frames, hardware), CopyCounter(owner) as copies:
        reader = HandReader(card, session, hardware)
        for frame, marker in zip(frames, HANDS):
            assert reader.read(frame, region_of(marker)) is not None
    # Coded pictures, and the views that this network reads on the host; a picture has 115 200.
    assert max(copies.sizes) < 40_000


@pytest.mark.parametrize(
    ("turn_deg", "on_device"),
    [(28.0, True), (-28.0, True), (33.0, False), (-33.0, False), (170.0, False)],
)
def test_a_hand_that_is_tilted_further_than_the_card_says_goes_to_the_host(
    tmp_path: Path, owner: DeviceOwner, turn_deg: float, on_device: bool
) -> None:
    card, marker = nv12_card(30.0), Marker(160, 120, 30, turn_deg)
    with decoded(tilted(tmp_path, turn_deg), owner, card) as (frames, hardware):
        hand = HandReader(card, NV12Session(), hardware).read(next(frames), region_of(marker))
        assert hand is not None
        assert error_px(hand.joints, marker) < 1.5
        assert hardware.cuts == int(on_device)
        assert list(hardware.left.values()) == [1] * (not on_device)


def test_the_line_about_the_views_counts_and_says_why(tmp_path: Path, owner: DeviceOwner) -> None:
    card, marker = nv12_card(30.0), Marker(160, 120, 30, 80.0)
    with decoded(tilted(tmp_path, 80.0), owner, card) as (frames, hardware):
        reader, frame = HandReader(card, NV12Session(), hardware), next(frames)
        for mirrored in (False, False, True):
            reader.read(frame, region_of(marker, mirrored))
        assert hardware.describe() == (
            "0 views cut by the device; by the CPU: "
            "2 of hands tilted by more than 30 degrees, 1 mirrored"
        )


def test_a_network_that_stands_any_tilt_is_fed_by_the_hardware(
    tmp_path: Path, owner: DeviceOwner
) -> None:
    card, marker = nv12_card(None), Marker(160, 120, 30, 135.0)
    with decoded(tilted(tmp_path, 135.0), owner, card) as (frames, hardware):
        hand = HandReader(card, NV12Session(), hardware).read(next(frames), region_of(marker))
        assert hand is not None
        assert error_px(hand.joints, marker) < 1.5
        assert hardware.cuts == 1


def test_a_mirrored_look_is_the_host_s_and_tells_the_true_side(
    clip: Path, owner: DeviceOwner
) -> None:
    card = nv12_card()
    with decoded(clip, owner, card) as (frames, hardware):
        reader = HandReader(card, NV12Session(), hardware)
        hand = reader.read(next(frames), region_of(HANDS[0], mirrored=True))
        assert hand is not None
        assert hand.handedness == "right"
        assert error_px(hand.joints, HANDS[0]) < 1.5
        assert dict(hardware.left) == {"mirrored": 1}


def test_what_the_hardware_can_not_scale_is_cut_by_the_host(clip: Path, owner: DeviceOwner) -> None:
    card = nv12_card()
    with decoded(clip, owner, card) as (frames, hardware):
        reader = HandReader(card, NV12Session(), hardware)
        reader.read(next(frames), Region(-400.0, 120.0, 60.0))
        ((reason, count),) = hardware.left.items()
        assert (hardware.cuts, count) == (0, 1)
        assert reason.startswith("because less than 10x6 px of the view lie inside")


def test_the_border_has_the_brightness_of_the_mean(clip: Path, owner: DeviceOwner) -> None:
    """BT.601: 0.299 R + 0.587 G + 0.114 B; a middle grey where the card asks for the edge."""
    borders: List[float] = []
    for border in ("mean", "replicate"):
        card, session = nv12_card(), NV12Session()
        spec = replace(card.preprocess, border=border, mean=(250.0, 40.0, 20.0))
        card = replace(card, preprocess=spec)
        with decoded(clip, owner, card) as (frames, hardware):
            HandReader(card, session, hardware).read(next(frames), Region(0.0, 0.0, 100.0))
        assert session.seen[0].shape == (CROP_PX, CROP_PX, 3)
        borders.append(float(session.seen[0][:8, :8].mean()))
    assert borders == pytest.approx([100.5, 130.4], abs=2)


def test_a_frame_from_elsewhere_is_refused(clip: Path, owner: DeviceOwner) -> None:
    card = nv12_card()
    with decoded(clip, owner, card) as (_, hardware):
        plan = hardware.plan(Box(0, 0, 100, 100))
        assert isinstance(plan, CropPlan)
        with pytest.raises(SessionError, match="not in device memory"):
            hardware.cut(draw([]), plan)
        assert isinstance(hardware.plan(Box(900, 0, 100, 100)), Fallback)


def test_memory_of_views_is_used_again(clip: Path, owner: DeviceOwner) -> None:
    card = nv12_card()
    with decoded(clip, owner, card) as (frames, hardware):
        reader, frame = HandReader(card, NV12Session(), hardware), next(frames)
        reader.read(frame, region_of(HANDS[0]))
        before = machine_of(owner).faults.counts()["acl.media.dvpp_malloc"]
        for _ in range(20):
            reader.read(frame, region_of(HANDS[0]))
        assert machine_of(owner).faults.counts()["acl.media.dvpp_malloc"] <= before + 1
