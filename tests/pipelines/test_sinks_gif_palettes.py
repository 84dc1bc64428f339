"""The colours of a GIF: good from the first picture on, through cuts, and for small new things."""

from __future__ import annotations

from pathlib import Path
from typing import List

import numpy as np
import pytest

from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sinks import PALETTES, OutputOptions, open_sink
from atlas_hpe_pipelines.sinks.gif.changes import Change
from atlas_hpe_pipelines.sinks.gif.colours import take_sample
from atlas_hpe_pipelines.sinks.gif.palettes import PALETTE_KINDS, Palette
from atlas_hpe_pipelines.sinks.gif.scratch import Scratch
from atlas_hpe_pipelines.sinks.gif.tracked import TrackedPalette


def draw_picture(width: int, height: int, phase: float) -> np.ndarray:
    """A smooth coloured picture, (H, W, 3) BGR."""
    y, x = np.mgrid[:height, :width] / max(width, height)
    channels = [
        128 + 100 * np.sin(4 * x + phase),
        90 + 160 * y * np.ones_like(x),
        128 + 110 * np.cos(3 * (x + y) - phase),
    ]
    return np.clip(np.stack(channels, axis=2), 0, 255).astype(np.uint8)


def whole(picture: np.ndarray) -> Change:
    return Change(0, 0, picture, None, None, 1.0, picture)


def shown_by(palette: Palette, change: Change) -> np.ndarray:
    """(h, w, 3) BGR."""
    indices, table = palette.index(change)
    assert len(table) == 768 and indices.max() < 255
    return np.frombuffer(table, np.uint8).reshape(256, 3)[indices][..., ::-1]


def psnr_db(first: np.ndarray, second: np.ndarray) -> float:
    error = np.mean((first.astype(np.float64) - second) ** 2)
    return float(10 * np.log10(255.0**2 / max(error, 1e-9)))


@pytest.mark.parametrize(("kind", "least_db"), [("tracked", 34), ("octree", 28), ("shared", 29)])
def test_every_picture_is_good(kind: str, least_db: float) -> None:
    palette = PALETTE_KINDS[kind]()
    values = []
    for number in range(60):
        picture = draw_picture(120, 90, 0.02 * number)
        values.append(psnr_db(shown_by(palette, whole(picture)), picture))
    assert min(values) > least_db


def test_the_colours_follow_a_cut_at_once() -> None:
    palette = TrackedPalette()
    red = draw_picture(120, 90, 0.0) // 4 + np.array([0, 0, 150], np.uint8)
    blue = draw_picture(120, 90, 2.0) // 4 + np.array([150, 0, 0], np.uint8)
    values = [psnr_db(shown_by(palette, whole(item)), item) for item in [red, red, red, blue]]
    assert values[-1] > 40


def test_a_grey_ramp_uses_the_whole_palette() -> None:
    # Its colours fill 16 cells of the octree; the rest of the palette has to be won by splitting.
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 32, axis=0).repeat(3, axis=2)
    assert psnr_db(shown_by(TrackedPalette(), whole(ramp)), ramp) > 45


def test_tracking_loses_nothing_on_a_still_picture_with_noise() -> None:
    palette = TrackedPalette()
    rng = np.random.RandomState(1)
    base = draw_picture(160, 120, 0.3).astype(np.int16)
    values = []
    for _ in range(12):
        noisy = np.clip(base + rng.randint(-8, 9, base.shape), 0, 255).astype(np.uint8)
        values.append(psnr_db(shown_by(palette, whole(noisy)), noisy))
    assert min(values) > values[0] - 0.5


def test_a_shared_palette_is_one_until_something_small_and_new_comes() -> None:
    palette = PALETTE_KINDS["shared"]()
    grey = np.repeat(draw_picture(240, 180, 0.0)[..., :1], 3, axis=2)
    tables = [palette.index(whole(grey))[1] for _ in range(30)]
    assert set(tables) == {tables[0]}
    drawn = grey.copy()
    drawn[40:43, 10:30] = (100, 160, 90)
    mask = np.where((drawn != grey).any(axis=2), 255, 0).astype(np.uint8)
    share = float(np.mean(mask > 0))
    change = Change(0, 0, drawn * (mask[..., None] > 0), mask, ~mask, share, drawn)
    line = shown_by(palette, change)[40:43, 10:30].reshape(-1, 3)
    assert np.abs(line.astype(int) - (100, 160, 90)).max() <= 8


def test_a_shared_palette_is_left_when_all_colours_move_a_little() -> None:
    palette = PALETTE_KINDS["shared"]()
    ramp = np.repeat(np.linspace(100, 140, 120)[None, :, None], 90, axis=0).repeat(3, axis=2)
    for _ in range(20):
        shown_by(palette, whole(ramp.astype(np.uint8)))
    lighter = (ramp + 24).astype(np.uint8)
    assert psnr_db(shown_by(palette, whole(lighter)), lighter) > 45


def test_a_shared_palette_stands_once_in_the_file(tmp_path: Path) -> None:
    sizes = {}
    pictures = [draw_picture(12, 12, 0.02 * number) for number in range(10)]
    for kind in ("shared", "tracked"):
        path = tmp_path / f"{kind}.gif"
        options = OutputOptions(palette=kind)
        with open_sink(path, fps=25, size_px=(12, 12), options=options) as sink:
            for number, picture in enumerate(pictures):
                sink.write(Frame(number, number / 25, picture), picture, ())
        sizes[kind] = path.stat().st_size
    assert sizes["shared"] < 768 + 10 * 250 < sizes["tracked"]


def sample_cases() -> List[np.ndarray]:
    """Masks that a grid could miss."""
    lines = np.zeros((400, 400), np.uint8)
    lines[1::2] = 255
    lines[:, ::2] = 0
    corner = np.zeros((400, 400), np.uint8)
    corner[399, 399] = 255
    far = np.zeros((400, 400), np.uint8)
    far[200:, 200:] = 255
    return [lines, corner, far, np.full((400, 400), 255, np.uint8)]


@pytest.mark.parametrize("mask", sample_cases(), ids=["between the grid", "one", "far", "all"])
def test_a_sample_holds_only_pixels_that_count(mask: np.ndarray) -> None:
    picture = np.dstack([mask, mask, mask])
    sample, places = take_sample(picture, mask)
    assert 0 < len(sample) <= 50_000
    assert (sample == 255).all()
    assert (mask[places] == 255).all()


@pytest.mark.parametrize("kind", PALETTES)
@pytest.mark.parametrize("size_px", [(1, 1), (1, 5000), (5000, 1), (2, 3)])
def test_any_size_has_colours(kind: str, size_px: tuple) -> None:
    picture = np.full((size_px[1], size_px[0], 3), (10, 20, 30), np.uint8)
    assert (shown_by(PALETTE_KINDS[kind](), whole(picture)) == (10, 20, 30)).all()


def test_scratch_grows_and_is_used_again() -> None:
    room = Scratch()
    small, large = room.take(2, 3), room.take(10, 20, 3)
    assert (small.shape, large.shape) == ((2, 3), (10, 20, 3))
    assert np.shares_memory(room.take(7, 9), large)
    assert np.shares_memory(room.take(20, 30), large)
    assert room.take(4, 5).flags.c_contiguous
