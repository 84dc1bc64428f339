"""The crop shows the right place, and the tensor follows the card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny_onnx
from atlas_hpe.aipp import (
    aipp_buffer,
    aipp_spec,
    apply_aipp,
    card_with_aipp,
    choose_aipp_input,
)
from atlas_hpe.card import PreprocessSpec
from atlas_hpe.errors import InputError, UsageError
from atlas_hpe.geometry import Box, apply_affine, invert_affine
from atlas_hpe_pipelines import (
    crop_picture,
    cut_sample,
    input_affine,
    prepare_sample,
    to_feeds,
)
from atlas_hpe_pipelines.preprocess import make_feeds
from atlas_hpe_pipelines.regions import choose_region

SPEC = PreprocessSpec(
    width_px=32,
    height_px=32,
    colour="rgb",
    fit="crop",
    mean=(10.0, 20.0, 30.0),
    std=(2.0, 4.0, 8.0),
)


def blob(width_px: int, height_px: int, x: float, y: float, sigma_px: float) -> np.ndarray:
    columns, rows = np.arange(width_px) + 0.5, np.arange(height_px) + 0.5
    distance = (columns[None] - x) ** 2 + (rows[:, None] - y) ** 2
    grey = 255 * np.exp(-distance / (2 * sigma_px**2))
    return np.repeat(grey[..., None], 3, axis=2).round().astype(np.uint8)


def centre_of(picture: np.ndarray) -> np.ndarray:
    weights = picture[..., 0].astype(float)
    rows, columns = np.indices(weights.shape) + 0.5
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


@settings(max_examples=40)
@given(
    side_px=st.floats(20, 400),
    offset=st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2)),
    fit=st.sampled_from(["crop", "letterbox", "stretch"]),
)
def test_a_spot_lands_where_the_map_says(side_px: float, offset: tuple, fit: str) -> None:
    spot = np.array([210.3, 190.7])
    image = blob(420, 400, *spot, sigma_px=side_px / 20)
    box = Box(spot[0] - side_px / 2, spot[1] - side_px / 2.2, side_px, side_px * 0.9)
    box = Box(box.x + offset[0] * side_px, box.y + offset[1] * side_px, box.width, box.height)
    spec = replace(SPEC, fit=fit)
    affine = input_affine(spec, choose_region(spec, (420, 400), box))
    crop = crop_picture(image, affine, spec)
    assert crop.shape == (32, 32, 3)
    expected = apply_affine(affine, spot)
    np.testing.assert_allclose(centre_of(crop), expected, atol=0.25)
    np.testing.assert_allclose(apply_affine(invert_affine(affine), expected), spot, atol=1e-6)


def test_shrinking_averages_instead_of_aliasing() -> None:
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = crop_picture(stripes, input_affine(SPEC, Box(0, 0, 512, 512)), SPEC)
    assert np.abs(crop.astype(int) - 127).max() <= 2


@pytest.mark.parametrize(("border", "outside"), [("replicate", 200), ("mean", 30)])
def test_outside_of_the_picture_is_border(border: str, outside: int) -> None:
    image = np.full((64, 64, 3), 200, np.uint8)
    spec = replace(SPEC, border=border)
    crop = crop_picture(image, input_affine(spec, Box(-64, -64, 128, 128)), spec)
    assert crop[0, 0, 0] == outside  # blue: the mean of an RGB card is given in RGB
    assert crop[31, 31, 0] == 200


def test_the_tensor_has_the_cards_colour_order_and_normalisation() -> None:
    card = tiny_onnx.hand_card(SPEC, {"joints": (1, 21, 2)})
    crop = np.zeros((32, 32, 3), np.uint8)
    crop[..., 2] = 50  # red
    tensor = to_feeds(card, crop)["image"]
    assert tensor.shape == (1, 3, 32, 32)
    assert tensor.dtype == np.float32
    np.testing.assert_allclose(tensor[0, :, 0, 0], [(50 - 10) / 2, -20 / 4, -30 / 8])


def test_nhwc_gray_and_normalisation_elsewhere() -> None:
    spec = replace(
        SPEC, colour="gray", layout="NHWC", mean=(0.0,), std=(1.0,), where="graph", dtype="uint8"
    )
    card = tiny_onnx.hand_card(spec, {"joints": (1, 21, 2)})
    tensor = to_feeds(card, np.full((32, 32, 3), 9, np.uint8))["image"]
    assert tensor.shape == (1, 32, 32, 1)
    assert tensor.dtype == np.uint8
    assert (tensor == 9).all()


@pytest.mark.parametrize("form", ["nv12", "nv21", "rgb", "bgr", "xrgb"])
def test_aipp_gets_the_picture_in_its_form(form: str) -> None:
    card = tiny_onnx.hand_card(SPEC, {"joints": (1, 21, 2)})
    choices = {"source_size_px": (40, 36), "crop": (4, 2, 30, 32), "padding": (1, 1, 0, 0)}
    fed = choose_aipp_input(SPEC, form, **choices)  # type: ignore[arg-type]
    made = card_with_aipp(card, fed)
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    feeds = make_feeds(made)
    assert feeds["image"].dtype == np.uint8
    assert feeds["image"].shape == made.graphs[0].inputs[0].shape
    for crop in crops:
        again = to_feeds(made, crop, feeds)
        assert again["image"] is feeds["image"]
        np.testing.assert_array_equal(again["image"], aipp_buffer(crop, fed))
        np.testing.assert_array_equal(again["image"], to_feeds(made, crop)["image"])


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_what_aipp_makes_of_the_picture_is_what_the_host_would_feed(colour: str) -> None:
    spec = replace(SPEC, colour=colour)
    card = tiny_onnx.hand_card(spec, {"joints": (1, 21, 2)})
    made = card_with_aipp(card, choose_aipp_input(spec, "xrgb"))
    crop = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert made.preprocess.aipp is not None
    seen = apply_aipp(to_feeds(made, crop)["image"], aipp_spec(spec, made.preprocess.aipp))
    np.testing.assert_allclose(seen, to_feeds(card, crop)["image"], atol=0.07)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("colour", ["rgb", "bgr", "gray"])
@pytest.mark.parametrize("where", ["host", "graph"])
def test_the_tensor_is_what_the_formula_says(
    layout: str, dtype: str, colour: str, where: str
) -> None:
    channels = 1 if colour == "gray" else 3
    spec = replace(
        SPEC,
        layout=layout,
        dtype=dtype,
        colour=colour,
        where=where,
        mean=SPEC.mean[:channels],
        std=SPEC.std[:channels],
        height_px=24,
    )
    card = tiny_onnx.hand_card(spec, {"joints": (1, 21, 2)})
    crop = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    picture = {"rgb": crop[..., ::-1], "bgr": crop, "gray": grey[..., None]}[colour]
    expected = picture.astype(np.float32)
    if where == "host":
        expected = (expected - np.float32(spec.mean)) / np.float32(spec.std)
    batch = expected.astype(dtype)[None]
    if layout == "NCHW":
        batch = batch.transpose(0, 3, 1, 2)
    tensor = to_feeds(card, crop)["image"]
    assert tensor.dtype == dtype and tensor.flags.c_contiguous
    np.testing.assert_array_equal(tensor, batch)


def test_arrays_that_are_given_are_filled_again() -> None:
    card = tiny_onnx.hand_card(SPEC, {"joints": (1, 21, 2)})
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    affine = input_affine(SPEC, Box(20, 20, 40, 40))
    crop, feeds = np.empty((32, 32, 3), np.uint8), make_feeds(card)
    for shade in (image, 255 - image):
        filled = crop_picture(shade, affine, SPEC, crop)
        assert np.shares_memory(filled, crop)
        np.testing.assert_array_equal(filled, crop_picture(shade, affine, SPEC))
        again = to_feeds(card, filled, feeds)
        assert again["image"] is feeds["image"]
        np.testing.assert_array_equal(again["image"], to_feeds(card, filled)["image"])


def test_a_sample_shows_the_whole_photograph_and_the_way_back(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.full((40, 80, 3), 128, np.uint8))
    card = tiny_onnx.hand_card(SPEC, {"joints": (1, 21, 2)})
    sample = prepare_sample(card, path)
    assert sample.name == "photo.png"
    assert sample.feeds["image"].shape == (1, 3, 32, 32)
    assert sample.crop is not None
    assert sample.crop.shape == (32, 32, 3)
    np.testing.assert_array_equal(to_feeds(card, sample.crop)["image"], sample.feeds["image"])
    assert sample.picture is not None
    assert sample.picture.shape == (40, 80, 3)
    # A square around the whole picture: 32 input pixels are 80 of the photograph.
    corners = np.array([[0.0, 0.0], [32.0, 32.0]])
    assert sample.to_source is not None
    np.testing.assert_allclose(
        apply_affine(sample.to_source, corners), [[0, -20], [80, 60]], atol=1e-9
    )


@given(x=st.floats(0, 60), y=st.floats(0, 60), side_px=st.floats(20, 60))
def test_a_sample_of_a_box_leads_back_to_the_box(x: float, y: float, side_px: float) -> None:
    card = tiny_onnx.hand_card(SPEC, {"joints": (1, 21, 2)})
    picture = np.zeros((120, 120, 3), np.uint8)
    sample = cut_sample(card, "hand", picture, Box(x, y, side_px, side_px))
    assert sample.to_source is not None
    corners = apply_affine(sample.to_source, np.array([[0.0, 0.0], [32.0, 32.0]]))
    np.testing.assert_allclose(corners, [[x, y], [x + side_px, y + side_px]], atol=1e-6)


def test_a_file_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a picture")
    card = tiny_onnx.hand_card(SPEC, {"joints": (1, 21, 2)})
    with pytest.raises(InputError, match="not a picture"):
        prepare_sample(card, path)


def test_a_model_that_takes_depth_takes_no_photograph(tmp_path: Path) -> None:
    card = tiny_onnx.hand_card(SPEC, {"joints": (1, 21, 2)})
    with pytest.raises(UsageError, match="takes depth"):
        prepare_sample(replace(card, task="depth-hand-3d"), tmp_path / "photo.png")
