"""Only what changed is written, and what a viewer sees is what the writer thinks it does."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import List, Tuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sinks import PALETTES, OutputOptions, SinkOptions
from atlas_hpe_pipelines.sinks.gif.changes import Screen
from atlas_hpe_pipelines.sinks.gif.palettes import PALETTE_KINDS
from atlas_hpe_pipelines.sinks.gif.writer import GifSink


def make_clip(seed: int, size_px: Tuple[int, int], steps: List[str]) -> List[np.ndarray]:
    """Pictures (H, W, 3) BGR that each differ from the one before by one step."""
    rng = np.random.RandomState(seed)
    width, height = size_px
    picture = rng.randint(0, 256, (height, width, 3)).astype(np.uint8)
    clip = [picture]
    for step in steps:
        picture = picture.copy()
        if step == "noise":
            moved = picture.astype(np.int16) + rng.randint(-5, 6, picture.shape)
            picture = np.clip(moved, 0, 255).astype(np.uint8)
        elif step == "fade":
            picture = np.clip(picture.astype(np.int16) + 1, 0, 255).astype(np.uint8)
        elif step == "patch":
            top, left = rng.randint(height), rng.randint(width)
            picture[top : top + 4, left : left + 5] = rng.randint(0, 256, 3)
        elif step == "dots":
            picture[rng.uniform(size=(height, width)) < 0.2] = rng.randint(0, 256, 3)
        elif step == "cut":
            picture = rng.randint(0, 256, picture.shape).astype(np.uint8)
        clip.append(picture)
    return clip


def write_and_watch(path: Path, clip: List[np.ndarray], palette: str) -> List[np.ndarray]:
    """Write a clip at 25 frames/s; what the writer takes the screen to show after each picture."""
    size_px = (clip[0].shape[1], clip[0].shape[0])
    options = SinkOptions(fps=25, size_px=size_px, output=OutputOptions(palette=palette))
    shown = []
    with GifSink(path, options) as sink:
        for index, picture in enumerate(clip):
            sink.write(Frame(index, index / 25, picture), picture, ())
            assert sink._screen.shown is not None
            shown.append(sink._screen.shown.copy())
    return shown


def read_at_25_fps(path: Path) -> List[np.ndarray]:
    """What Pillow shows, (H, W, 3) BGR, each frame as often as it stands for 1/25 s."""
    pictures = []
    with Image.open(path) as gif:
        for frame in ImageSequence.Iterator(gif):
            rgb = np.asarray(frame.convert("RGB"))
            pictures += [rgb[..., ::-1]] * round(frame.info["duration"] / 40)
    return pictures


STEPS = ["noise", "fade", "patch", "dots", "cut", "none"]
clips = st.builds(
    make_clip,
    st.integers(0, 2**31),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.lists(st.sampled_from(STEPS), max_size=8),
)


@settings(max_examples=30, deadline=None)
@given(clip=clips, palette=st.sampled_from(PALETTES))
def test_a_viewer_sees_what_the_writer_thinks(clip: List[np.ndarray], palette: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.gif"
        shown = write_and_watch(path, clip, palette)
        seen = read_at_25_fps(path)
    assert len(seen) == len(shown) == len(clip)
    for a, b in zip(seen, shown):
        np.testing.assert_array_equal(a, b)


@settings(max_examples=30, deadline=None)
@given(clip=clips, palette=st.sampled_from(PALETTES))
def test_a_pixel_that_stays_is_within_the_tolerance(clip: List[np.ndarray], palette: str) -> None:
    colours = PALETTE_KINDS[palette]()
    screen = Screen(colours.tolerance)
    for picture in clip:
        before = None if screen.shown is None else screen.shown.copy()
        change = screen.compare(picture)
        if change is None:
            written = np.zeros(picture.shape[:2], bool)
        else:
            indices, table = colours.index(change)
            screen.show(change, indices, table)
            written = np.zeros(picture.shape[:2], bool)
            height, width = indices.shape
            place = (
                slice(change.top, change.top + height),
                slice(change.left, change.left + width),
            )
            written[place] = True if change.mask is None else change.mask > 0
            # A pixel that is written has one of the colours of the table, and below 255 all count.
            rgb = np.frombuffer(table, np.uint8).reshape(256, 3)
            assert indices[written[place]].max() < 255
            now = screen.shown[place][written[place]]
            np.testing.assert_array_equal(now, rgb[indices[written[place]]][:, ::-1])
        stays = ~written
        error = np.abs(screen.shown.astype(int) - picture)
        assert error[stays].max(initial=0) <= colours.tolerance
        if before is not None:
            np.testing.assert_array_equal(screen.shown[stays], before[stays])


@pytest.mark.parametrize("palette", PALETTES)
def test_a_slow_fade_never_adds_up(tmp_path: Path, palette: str) -> None:
    clip = [np.full((20, 30, 3), 60 + level, np.uint8) for level in range(80)]
    write_and_watch(tmp_path / "clip.gif", clip, palette)
    seen = read_at_25_fps(tmp_path / "clip.gif")
    errors = [np.abs(a.astype(int) - b).max() for a, b in zip(seen, clip)]
    tolerance = PALETTE_KINDS[palette]().tolerance
    # "shared" keeps the one colour of the first picture until that is seen to be wrong.
    assert max(errors) <= (tolerance if palette != "shared" else 24)


def test_only_the_rectangle_that_changed_is_in_the_file(tmp_path: Path) -> None:
    picture = np.random.RandomState(0).randint(0, 256, (60, 80, 3)).astype(np.uint8) // 64 * 64
    moved = picture.copy()
    moved[10:20, 30:50] = (10, 200, 90)
    write_and_watch(tmp_path / "clip.gif", [picture, moved], "tracked")
    with Image.open(tmp_path / "clip.gif") as gif:
        gif.seek(1)
        (tile,) = [entry[1] for entry in gif.tile] or [(0, 0, 0, 0)]
    assert tile == (30, 10, 50, 20)


def test_few_scattered_pixels_leave_the_others_out() -> None:
    screen = Screen(3)
    first = np.full((50, 50, 3), 100, np.uint8)
    change = screen.compare(first)
    assert change is not None and change.mask is None and change.share == 1.0
    screen.show(change, np.zeros((50, 50), np.uint8), bytes([100, 100, 100]) + bytes(765))
    second = first.copy()
    second[5, 5] = second[40, 30] = 200
    second[20, 20] = 103
    change = screen.compare(second)
    assert change is not None and change.mask is not None
    assert (change.left, change.top, change.picture.shape) == (5, 5, (36, 26, 3))
    assert np.count_nonzero(change.mask) == 2
    # Black elsewhere: colours are chosen for what is written alone.
    assert np.unique(change.picture[change.mask == 0]).tolist() == [0]
    assert np.unique(change.picture[change.mask > 0]).tolist() == [200]
    assert change.share == 2 / 2500
    assert np.count_nonzero(change.leave_out_unchanged(np.zeros((36, 26), np.uint8)) == 255) == (
        36 * 26 - 2
    )


def test_where_most_pixels_change_all_are_written() -> None:
    screen = Screen(3)
    first = np.full((50, 50, 3), 100, np.uint8)
    change = screen.compare(first)
    assert change is not None
    screen.show(change, np.zeros((50, 50), np.uint8), bytes([100, 100, 100]) + bytes(765))
    second = first.copy()
    second[:, ::2] = 180
    second[:30] = 180
    change = screen.compare(second)
    assert change is not None and change.mask is None
    np.testing.assert_array_equal(change.picture, second)


@pytest.mark.parametrize("palette", PALETTES)
def test_ffmpeg_shows_the_same(tmp_path: Path, palette: str) -> None:
    import subprocess

    from imageio_ffmpeg import get_ffmpeg_exe

    clip = make_clip(3, (40, 30), ["noise", "patch", "dots", "cut", "patch"])
    shown = write_and_watch(tmp_path / "clip.gif", clip, palette)
    command = [get_ffmpeg_exe(), "-loglevel", "error", "-i", str(tmp_path / "clip.gif")]
    command += ["-f", "rawvideo", "-pix_fmt", "bgr24", "-"]
    data = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    np.testing.assert_array_equal(np.frombuffer(data, np.uint8).reshape(-1, 30, 40, 3), shown)
