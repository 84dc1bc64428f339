"""Which files and streams the hardware takes, and why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, Optional

import pytest

from atlas_hpe_runtime.acl.dvpp.fallback import Fallback
from atlas_hpe_runtime.acl.dvpp.jpeg_header import JpegHeader
from atlas_hpe_runtime.acl.dvpp.limits import refuse_jpeg, refuse_picture, refuse_video
from atlas_hpe_runtime.acl.dvpp.video_header import VideoHeader

JPEG = JpegHeader(640, 480, 0, 8, ((2, 2), (1, 1), (1, 1)))
VIDEO = VideoHeader("h264", 100, 41, 1920, 1080, 1, 8, False)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"width_px": 32, "height_px": 8192},
        {"sampling": ((1, 1),)},
        {"sampling": ((2, 2),)},
        {"sampling": ((1, 1), (1, 1), (1, 1))},
        {"sampling": ((2, 1), (1, 1), (1, 1))},
        {"sampling": ((1, 2), (1, 1), (1, 1))},
    ],
)
def test_usual_jpegs_are_taken(change: Dict[str, object]) -> None:
    assert refuse_jpeg(replace(JPEG, **change)) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"coding": 2}, "this is progressive of 8 bits"),
        ({"coding": 1, "bits": 12}, "this is extended of 12 bits"),
        ({"coding": 1}, "this is extended"),
        ({"bits": 12}, "12 bits"),
        ({"coding": 9}, "arithmetic"),
        ({"sampling": ((4, 1), (1, 1), (1, 1))}, "sampling factors 4x1, 1x1, 1x1"),
        ({"sampling": ((2, 2), (2, 1), (1, 1))}, "sampling factors"),
        ({"sampling": ((1, 1),) * 4}, "sampling factors"),
        ({"orientation": 6}, "EXIF orientation 6"),
        ({"is_rgb": True}, "stores R, G and B"),
        ({"width_px": 31}, "32x32 to 8192x8192 px, this is 31x480 px"),
        ({"height_px": 8193}, "this is 640x8193 px"),
    ],
)
def test_other_jpegs_are_refused_with_the_reason(change: Dict[str, object], words: str) -> None:
    assert_refused(refuse_jpeg(replace(JPEG, **change)), words)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"profile": 66},
        {"profile": 77, "level": 51},
        {"codec": "h265", "profile": 1},
        {"width_px": 128, "height_px": 4096},
    ],
)
def test_usual_videos_are_taken(change: Dict[str, object]) -> None:
    assert refuse_video(replace(VIDEO, **change)) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"profile": 110}, "profile 110 of H.264"),
        ({"codec": "h265", "profile": 4}, "profile 4 of H.265"),
        ({"codec": "vp9"}, "of vp9"),
        ({"level": 52}, "up to level 5.1, this is 5.2"),
        ({"chroma": 2}, "4:2:0"),
        ({"codec": "h265", "profile": 2, "bits": 10}, "10 bits"),
        ({"interlaced": True}, "interlaced"),
        ({"cropped": True}, "cuts pixels off"),
        ({"width_px": 126}, "128x128 to 4096x4096 px, this is 126x1080 px"),
        ({"height_px": 4098}, "this is 1920x4098 px"),
    ],
)
def test_other_videos_are_refused_with_the_reason(change: Dict[str, object], words: str) -> None:
    assert_refused(refuse_video(replace(VIDEO, **change)), words)


def test_a_picture_below_10_by_6_is_refused() -> None:
    assert refuse_picture(10, 6) is None
    assert_refused(refuse_picture(8, 6), "10x6")
    assert_refused(refuse_picture(10, 4), "10x6")


def test_a_fallback_says_what_does_the_work() -> None:
    assert str(Fallback("there is no device")) == (
        "OpenCV on the CPU does the work: there is no device"
    )


def assert_refused(refused: Optional[Fallback], words: str) -> None:
    assert refused is not None
    assert words in refused.reason
