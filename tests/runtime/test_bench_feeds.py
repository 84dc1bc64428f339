"""What the bench feeds a model: the right range and type, the same numbers everywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Tuple

import numpy as np
import pytest

import tiny_onnx
from atlas_hpe.card import PreprocessSpec, TensorSpec
from atlas_hpe.errors import UsageError
from atlas_hpe_runtime.bench.feeds import count_frames, make_feeds

IMAGE = TensorSpec("image", (1, 3, 4, 6), "float32", "NCHW")
PREPROCESS = PreprocessSpec(
    width_px=6,
    height_px=4,
    colour="rgb",
    fit="stretch",
    mean=(10.0, 20.0, 30.0),
    std=(2.0, 4.0, 8.0),
)


def test_the_picture_gets_random_pixels_prepared_as_the_card_says() -> None:
    card = tiny_onnx.hand_card(PREPROCESS, {"joints": (1, 21, 2)})
    feeds, ranges = make_feeds([IMAGE], card, None)
    pixels = feeds["image"] * np.reshape(PREPROCESS.std, (3, 1, 1)) + np.reshape(
        PREPROCESS.mean, (3, 1, 1)
    )
    assert feeds["image"].dtype == np.float32 and feeds["image"].shape == IMAGE.shape
    np.testing.assert_allclose(pixels, np.round(pixels), atol=1e-4)
    assert pixels.min() >= -1e-4 and pixels.max() <= 255.0001 and np.ptp(pixels) > 200
    assert ranges[0].low == feeds["image"].min() and ranges[0].high == feeds["image"].max()
    again, _ = make_feeds([IMAGE], card, None)
    np.testing.assert_array_equal(again["image"], feeds["image"])


def test_channels_are_last_where_the_card_says_so() -> None:
    card = tiny_onnx.hand_card(replace(PREPROCESS, layout="NHWC"), {"joints": (1, 21, 2)})
    feeds, _ = make_feeds([replace(IMAGE, shape=(1, 4, 6, 3))], card, None)
    assert feeds["image"][..., 0].max() > 60 > 32 > feeds["image"][..., 2].max()


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("shape", [(1, 4, 6, 4), (36,)])
def test_the_card_of_another_model_is_refused(shape: Tuple[int, ...], layout: str) -> None:
    card = tiny_onnx.hand_card(replace(PREPROCESS, layout=layout), {"joints": (1, 21, 2)})
    with pytest.raises(UsageError, match="does not fit"):
        make_feeds([replace(IMAGE, dtype="uint8", shape=shape)], card, None)


@pytest.mark.parametrize("where", ["graph", "aipp"])
def test_a_graph_that_normalises_itself_gets_pixels(where: str) -> None:
    card = tiny_onnx.hand_card(replace(PREPROCESS, where=where), {"joints": (1, 21, 2)})
    feeds, ranges = make_feeds([replace(IMAGE, dtype="uint8", shape=(36,))], card, None)
    assert feeds["image"].dtype == np.uint8 and feeds["image"].shape == (36,)
    assert 0 <= ranges[0].low < 50 and 200 < ranges[0].high <= 255


def test_inputs_without_a_card_get_numbers_of_their_type() -> None:
    types = ("float32", "float16", "uint8", "int8", "bool", "int64", "int32")
    feeds, _ = make_feeds([TensorSpec(name, (1000,), name) for name in types], None, None)
    assert all(str(array.dtype) == name for name, array in feeds.items())
    for name in ("float32", "float16"):
        assert 0 <= feeds[name].min() < 0.1 and 0.9 < feeds[name].max() <= 1
    assert feeds["uint8"].max() > 250 and feeds["int8"].min() < -120
    assert set(feeds["bool"].tolist()) == {False, True}
    assert not feeds["int64"].any() and not feeds["int32"].any()


def test_an_open_batch_is_the_one_asked_for_else_the_cards_else_one() -> None:
    card = tiny_onnx.hand_card(PREPROCESS, {"joints": (1, 21, 2)})
    open_image = replace(IMAGE, shape=(-1, 3, -1, -1))
    for batch, frames in ((None, 1), (5, 5)):
        feeds, ranges = make_feeds([open_image], card, batch)
        assert feeds["image"].shape == (frames, 3, 4, 6)
        assert count_frames(ranges, batch) == frames
    feeds, ranges = make_feeds([TensorSpec("x", (-1, 2), "float32")], None, None)
    assert feeds["x"].shape == (1, 2)
    _, ranges = make_feeds([TensorSpec("x", (-1, 2), "float32")], None, 3)
    assert count_frames(ranges, 3) == 3


def test_a_batch_that_the_model_does_not_take_and_sizes_nobody_knows_are_refused() -> None:
    with pytest.raises(UsageError, match="no batch of 4"):
        make_feeds([IMAGE], None, 4)
    make_feeds([IMAGE], None, 1)
    with pytest.raises(UsageError, match="size of input 'x' is open"):
        make_feeds([TensorSpec("x", (1, 3, -1, -1), "float32")], None, None)


def test_frames_of_a_run_are_the_pictures_in_it() -> None:
    _, ranges = make_feeds([replace(IMAGE, shape=(8, 3, 4, 6))], None, None)
    assert count_frames(ranges, None) == 8
    _, ranges = make_feeds([TensorSpec("joints", (21, 2), "float32")], None, None)
    assert count_frames(ranges, None) == 1
