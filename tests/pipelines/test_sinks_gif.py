"""The GIF that comes out: valid for other readers, true in time, good in colour, flat in memory."""

from __future__ import annotations

import struct
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from atlas_hpe.errors import OutputError
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sinks import PALETTES, OutputOptions, open_sink
from atlas_hpe_pipelines.sinks.gif.writer import split_delay


def write_gif(
    path: Path, pictures: Sequence[np.ndarray], times_s: Optional[Sequence[float]] = None, **kw: Any
) -> None:
    """Writes pictures (H, W, 3) BGR, at 25 frames/s unless times are given."""
    height, width = pictures[0].shape[:2]
    with open_sink(path, fps=25.0, size_px=(width, height), **kw) as sink:
        for index, picture in enumerate(pictures):
            time_s = index / 25 if times_s is None else times_s[index]
            sink.write(Frame(index, time_s, picture), picture, ())


def read_delays_cs(path: Path) -> List[int]:
    """The delays as the bytes of the file have them."""
    data = path.read_bytes()
    marker = b"!\xf9\x04\x05"
    return [struct.unpack("<H", part[:2])[0] for part in data.split(marker)[1:]]


def read_rgb(path: Path) -> List[np.ndarray]:
    """Each frame as Pillow shows it, (H, W, 3) RGB."""
    with Image.open(path) as gif:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)]


def draw_picture(width: int, height: int, phase: float) -> np.ndarray:
    """A smooth coloured picture, (H, W, 3) BGR."""
    y, x = np.mgrid[:height, :width] / max(width, height, 2)
    channels = [
        128 + 100 * np.sin(4 * x + phase),
        90 + 160 * y * np.ones_like(x),
        128 + 110 * np.cos(3 * (x + y) - phase),
    ]
    return np.clip(np.stack(channels, axis=2), 0, 255).astype(np.uint8)


def psnr_db(first: np.ndarray, second: np.ndarray) -> float:
    error = np.mean((first.astype(np.float64) - second) ** 2)
    return float(10 * np.log10(255.0**2 / max(error, 1e-9)))


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("size_px", [(1, 1), (1, 7), (3, 2), (64, 48), (101, 67)])
def test_pillow_opencv_and_imageio_read_it(
    tmp_path: Path, size_px: Tuple[int, int], palette: str
) -> None:
    import cv2
    from imageio import v2 as imageio

    path = tmp_path / "clip.gif"
    pictures = [draw_picture(*size_px, 0.9 * index) for index in range(5)]
    write_gif(path, pictures, options=OutputOptions(palette=palette))

    assert path.read_bytes().endswith(b"\x00;")
    with Image.open(path) as gif:
        assert (gif.n_frames, gif.size, gif.info["loop"]) == (5, size_px, 0)
        gif.verify()
    shape = (size_px[1], size_px[0], 3)
    assert [picture.shape[:2] for picture in imageio.mimread(str(path))] == [shape[:2]] * 5
    video = cv2.VideoCapture(str(path))
    shapes = []
    while True:
        read, picture = video.read()
        if not read:
            break
        shapes.append(picture.shape)
    assert shapes == [shape] * 5


def test_flat_colours_come_back_exactly(tmp_path: Path) -> None:
    picture = np.zeros((30, 40, 3), np.uint8)
    picture[:, :10] = (255, 0, 0)
    picture[:, 10:20] = (12, 200, 77)
    picture[:15, 20:] = (255, 255, 255)
    write_gif(tmp_path / "clip.gif", [picture, picture[::-1]])
    first, second = read_rgb(tmp_path / "clip.gif")
    assert np.array_equal(first, picture[..., ::-1])
    assert np.array_equal(second, picture[::-1, :, ::-1])


def test_quality_is_at_least_that_of_imageio(tmp_path: Path, shared_data: Path) -> None:
    import cv2
    from imageio import v2 as imageio

    video = cv2.VideoCapture(str(shared_data / "videos" / "finger_count_portrait.mp4"))
    pictures = [cv2.resize(video.read()[1], (240, 424)) for _ in range(4)]
    rgb = [np.ascontiguousarray(picture[..., ::-1]) for picture in pictures]
    write_gif(tmp_path / "ours.gif", pictures)
    imageio.mimsave(str(tmp_path / "imageio.gif"), rgb)
    ours, theirs = (
        np.mean([psnr_db(*pair) for pair in zip(read_rgb(tmp_path / name), rgb)])
        for name in ("ours.gif", "imageio.gif")
    )
    assert ours >= theirs


def test_durations_are_those_of_the_source(tmp_path: Path) -> None:
    pictures = [draw_picture(8, 8, index) for index in range(4)]
    write_gif(tmp_path / "clip.gif", pictures, times_s=[5.0, 5.1, 5.15, 5.45])
    assert read_delays_cs(tmp_path / "clip.gif") == [10, 5, 30, 30]
    with Image.open(tmp_path / "clip.gif") as gif:
        shown = [frame.info["duration"] for frame in ImageSequence.Iterator(gif)]
    assert shown == [100, 50, 300, 300]


def test_a_picture_that_is_shown_already_stands_longer(tmp_path: Path) -> None:
    first, second = draw_picture(8, 8, 0), draw_picture(8, 8, 2)
    pictures = [first, first, second, second, second, first]
    write_gif(tmp_path / "clip.gif", pictures)
    assert read_delays_cs(tmp_path / "clip.gif") == [8, 12, 4]


def test_a_clip_that_never_moves_is_one_picture(tmp_path: Path) -> None:
    write_gif(tmp_path / "clip.gif", [draw_picture(8, 8, 0)] * 25)
    assert read_delays_cs(tmp_path / "clip.gif") == [100]


@pytest.mark.parametrize(("max_fps", "left"), [(50, 60), (30, 60), (15, 30), (12, 24), (1, 2)])
def test_the_rate_is_capped_and_time_is_kept(tmp_path: Path, max_fps: float, left: int) -> None:
    pictures = [draw_picture(6, 5, index) for index in range(60)]
    times_s = [index / 30 for index in range(60)]
    write_gif(tmp_path / "clip.gif", pictures, times_s, options=OutputOptions(max_fps=max_fps))
    delays_cs = read_delays_cs(tmp_path / "clip.gif")
    assert len(delays_cs) == left
    assert sum(delays_cs) == 200


@settings(max_examples=40)
@given(
    start_s=st.floats(0, 1e4),
    gaps_s=st.lists(
        st.one_of(st.floats(0, 0.1), st.just(1 / 60), st.just(1 / 30), st.floats(0, 2000)),
        min_size=1,
        max_size=25,
    ),
)
def test_the_clip_is_as_long_as_the_source(start_s: float, gaps_s: List[float]) -> None:
    times_s = [start_s]
    for gap_s in gaps_s:
        times_s.append(times_s[-1] + gap_s)
    steps_s = [b - a for a, b in zip(times_s, times_s[1:]) if b > a]
    true_s = times_s[-1] - start_s + (steps_s[-1] if steps_s else 1 / 25)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.gif"
        pictures = [
            np.full((1, 1, 3), 255 * (index % 2), np.uint8) for index in range(len(times_s))
        ]
        write_gif(path, pictures, times_s)
        delays_cs = read_delays_cs(path)
    assert min(delays_cs) >= 2
    # A clip can't be shorter than the shortest frame.
    assert sum(delays_cs) / 100 == pytest.approx(max(true_s, 0.02), abs=0.01)


def test_above_fifty_frames_a_second_frames_are_dropped(tmp_path: Path) -> None:
    pictures = [draw_picture(6, 5, index) for index in range(120)]
    write_gif(tmp_path / "clip.gif", pictures, [index / 120 for index in range(120)])
    delays_cs = read_delays_cs(tmp_path / "clip.gif")
    assert sum(delays_cs) == 100
    assert 40 <= len(delays_cs) <= 50


@given(st.integers(2, 500_000))
@example(65_535)
@example(65_536)
@example(2 * 65_535 + 1)
def test_a_long_pause_is_cut_into_delays_the_format_has(delay_cs: int) -> None:
    parts = split_delay(delay_cs)
    assert sum(parts) == delay_cs
    assert all(2 <= part <= 0xFFFF for part in parts)


@pytest.mark.parametrize("loop", [0, 1, 7, 65535])
def test_loop_count(tmp_path: Path, loop: int) -> None:
    write_gif(tmp_path / "clip.gif", [draw_picture(4, 4, 0)] * 2, options=OutputOptions(loop=loop))
    with Image.open(tmp_path / "clip.gif") as gif:
        assert gif.info["loop"] == loop


def test_without_a_loop_it_plays_once(tmp_path: Path) -> None:
    write_gif(tmp_path / "clip.gif", [draw_picture(4, 4, 0)] * 2, options=OutputOptions(None))
    assert b"NETSCAPE" not in (tmp_path / "clip.gif").read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        {"options": OutputOptions(loop=-1)},
        {"options": OutputOptions(loop=65536)},
        {"size_px": (70_000, 2)},
    ],
    ids=str,
)
def test_what_the_format_can_not_hold_is_refused(tmp_path: Path, options: Any) -> None:
    with pytest.raises(OutputError):
        open_sink(tmp_path / "clip.gif", **{"fps": 25.0, "size_px": (2, 2), **options})
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_is_a_view_is_written_right(tmp_path: Path) -> None:
    picture = np.zeros((10, 24, 3), np.uint8)
    picture[:, 12:] = (9, 90, 200)
    write_gif(tmp_path / "clip.gif", [picture[:, ::-2]])
    assert np.array_equal(read_rgb(tmp_path / "clip.gif")[0], picture[:, ::-2, ::-1])


def test_the_caller_may_reuse_its_picture(tmp_path: Path) -> None:
    buffer = np.zeros((6, 6, 3), np.uint8)
    with open_sink(tmp_path / "clip.gif", fps=25.0, size_px=(6, 6)) as sink:
        for index in range(3):
            buffer[:] = 80 * index
            sink.write(Frame(index, index / 25, buffer), buffer, ())
    assert [int(picture.max()) for picture in read_rgb(tmp_path / "clip.gif")] == [0, 80, 160]


def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    pictures = [draw_picture(120, 90, phase) for phase in (0.0, 0.05)]
    sink = open_sink(tmp_path / "clip.gif", fps=25.0, size_px=(120, 90))

    def write(first: int, count: int) -> None:
        for index in range(first, first + count):
            picture = pictures[index % 2]
            sink.write(Frame(index, index / 25, picture), picture, ())

    write(0, 20)
    tracemalloc.start()
    try:
        write(20, 20)
        before, _ = tracemalloc.get_traced_memory()
        write(40, 200)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        sink.abort()
    # One more frame kept per frame written would be at least 200 encoded frames of 2 KiB.
    assert after - before < 20_000
