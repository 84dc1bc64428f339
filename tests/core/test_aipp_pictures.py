"""Pictures in the forms that AIPP takes: exact, and seen by the network as they are."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import List, Tuple

import numpy as np
import pytest
from aipp_cases import IMAGENET, picture, preprocess, settings_for
from example_cards import plain_card
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe.aipp import (
    CSC_MATRICES,
    aipp_buffer,
    aipp_feeds,
    aipp_input_shape,
    aipp_spec,
    apply_aipp,
    bgr_to_nv12,
    choose_aipp_input,
)
from atlas_hpe.card import INPUT_FORMS, AippInput, ModelCard
from atlas_hpe.errors import UsageError


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
@pytest.mark.parametrize("matrix", sorted(CSC_MATRICES))
@given(pixel=st.tuples(*[st.integers(0, 255)] * 3))
def test_a_colour_comes_back_from_nv12_within_two_steps(
    matrix: str, colour: str, pixel: Tuple[int, int, int]
) -> None:
    plain = np.full((2, 4, 3), pixel, np.uint8)
    name, colour_range = matrix.replace("wide", "full").split("-")
    spec = settings_for(preprocess(colour=colour), matrix=name, colour_range=colour_range)
    back = apply_aipp(bgr_to_nv12(plain, matrix), spec)[0].transpose(1, 2, 0)
    want = plain if colour == "bgr" else plain[..., ::-1]
    # >> 8 rounds down, so the result is half a step too low in the mean.
    assert -2 <= (back - want).min() <= (back - want).max() <= 1


@given(seed=st.integers(0, 1 << 30))
def test_nv12_keeps_the_mean_colour_of_each_block(seed: int) -> None:
    # Greyish, so that nothing is cut off at 0 or 255.
    noise = 96 + picture(seed) // 4
    spec = settings_for(preprocess(size=(8, 6), colour="bgr"))
    back = apply_aipp(bgr_to_nv12(noise), spec)[0].transpose(1, 2, 0).astype(float)
    means = [item.reshape(3, 2, 4, 2, 3).mean(axis=(1, 3)) for item in (back, noise.astype(float))]
    assert np.abs(means[0] - means[1]).max() <= 2


def exact_weights(matrix: str) -> List[List[int]]:
    """The inverse of a matrix in 1/16384, rows Y U V and columns R G B, by Cramer's rule."""
    a, b, c = CSC_MATRICES[matrix].rows
    minors = [
        [
            (q[(i + 1) % 3] * r[(i + 2) % 3] - q[(i + 2) % 3] * r[(i + 1) % 3])
            for q, r in ((b, c), (c, a), (a, b))
        ]
        for i in range(3)
    ]
    whole = sum(a[i] * minors[i][0] for i in range(3))
    return [[round(Fraction(256 * 16384 * minor, whole)) for minor in row] for row in minors]


@pytest.mark.parametrize("matrix", sorted(CSC_MATRICES))
@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=20)
def test_nv12_is_that_of_whole_numbers(matrix: str, seed: int) -> None:
    crop = picture(seed, 4, 4)
    weights, biases = exact_weights(matrix), CSC_MATRICES[matrix].input_bias

    def weigh(channel: int, pixels: np.ndarray) -> int:
        """The mean of some pixels to the nearest, halves up."""
        count = len(pixels)
        total = sum(
            weight * int(value)
            for pixel in pixels
            for weight, value in zip(weights[channel], pixel[::-1])
        )
        value = (2 * total + 16384 * count) // (2 * 16384 * count) + biases[channel]
        return min(255, max(0, value))

    planes = bgr_to_nv12(crop, matrix)
    for y in range(4):
        for x in range(4):
            assert planes[y, x] == weigh(0, crop[y, x][None])
    for y in range(2):
        for x in range(2):
            block = crop[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].reshape(4, 3)
            assert list(planes[4 + y, 2 * x : 2 * x + 2]) == [weigh(1, block), weigh(2, block)]


@pytest.mark.parametrize("matrix", sorted(CSC_MATRICES))
def test_sums_for_nv12_have_no_rounding_in_float32(matrix: str) -> None:
    # 24 bits of a float32 hold 14 or 16 after the point and the sums before it.
    for channel, row in enumerate(exact_weights(matrix)):
        positive = sum(weight for weight in row if weight > 0) * 255
        negative = -sum(weight for weight in row if weight < 0) * 255
        bits = 16 if channel else 14
        assert max(positive, negative) / 16384 + 0.5 < 2 ** (24 - bits)


@pytest.mark.parametrize("matrix", ["bt601-narrow", "bt709-narrow"])
def test_narrow_colours_stay_within_16_to_235(matrix: str) -> None:
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    np.testing.assert_array_equal(bgr_to_nv12(black, matrix), [[16, 16], [16, 16], [128, 128]])
    np.testing.assert_array_equal(bgr_to_nv12(white, matrix), [[235, 235], [235, 235], [128, 128]])


def test_red_has_much_v_and_blue_much_u() -> None:
    blue, red = np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 3), np.uint8)
    blue[..., 0] = red[..., 2] = 255
    assert bgr_to_nv12(blue)[2, 0] > 200 > 128 > bgr_to_nv12(blue)[2, 1]
    assert bgr_to_nv12(red)[2, 1] > 200 > 128 > bgr_to_nv12(red)[2, 0]


def test_the_strongest_colours_are_cut_off_and_do_not_wrap() -> None:
    blue, red = np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 3), np.uint8)
    blue[..., 0] = red[..., 2] = 255
    assert bgr_to_nv12(blue, "bt709-wide")[2, 0] == 255
    assert bgr_to_nv12(red, "bt709-wide")[2, 1] == 255


@pytest.mark.parametrize(("layout", "shape"), [("NCHW", (1, 3, 8, 8)), ("NHWC", (1, 8, 8, 3))])
def test_feeds_have_the_layout_and_type_of_the_card(layout: str, shape: Tuple[int, ...]) -> None:
    card = plain_card()
    card = replace(card, preprocess=replace(card.preprocess, layout=layout))
    crop = picture(3, 8, 8)
    (name, values), *others = aipp_feeds(card, crop).items()
    assert (name, others) == ("image", [])
    assert (values.shape, values.dtype) == (shape, np.float32)
    np.testing.assert_array_equal(values, values.astype(np.float16))
    exact = aipp_feeds(card, crop, AippInput("rgb", 8, 8))[name][0]
    exact = exact.transpose(1, 2, 0) if layout == "NCHW" else exact
    np.testing.assert_array_equal(exact, (crop[..., ::-1] - np.array([1.0, 2.0, 3.0])) / 4)


def test_a_graph_that_takes_bytes_gets_bytes() -> None:
    card = plain_card()
    changes = {"where": "graph", "dtype": "uint8", "colour": "bgr"}
    card = replace(card, preprocess=replace(card.preprocess, **changes))
    crop = picture(4, 8, 8)
    (values,) = aipp_feeds(card, crop, AippInput("rgb", 8, 8)).values()
    assert values.dtype == np.uint8
    np.testing.assert_array_equal(values[0].transpose(1, 2, 0), crop)


def test_a_depth_network_has_no_aipp() -> None:
    card = replace(plain_card(), task="depth-hand-3d")
    with pytest.raises(UsageError, match="depth"):
        aipp_feeds(card, picture(0, 8, 8))


@pytest.mark.parametrize(
    ("crop", "reason"),
    [
        (np.zeros((4, 4), np.uint8), "H, W, 3"),
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((3, 4, 3), np.uint8), "even"),
        (np.zeros((4, 5, 3), np.uint8), "even"),
    ],
)
def test_a_picture_without_an_nv12_form_is_refused(crop: np.ndarray, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        bgr_to_nv12(crop)
    assert reason in str(caught.value)


def card_for(
    form: str, colour: str, size: Tuple[int, int] = (8, 6), **choices: object
) -> ModelCard:
    asked = preprocess(IMAGENET, size, colour)
    chosen = choose_aipp_input(asked, form, **choices)  # type: ignore[arg-type]
    return replace(plain_card(), preprocess=replace(asked, where="aipp", aipp=chosen))


@pytest.mark.parametrize("form", ["rgb", "bgr", "xrgb"])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_packed_forms_deliver_the_colours_exactly(form: str, colour: str) -> None:
    crop = picture(1)
    asked = preprocess(size=(8, 6), colour=colour)
    fed = choose_aipp_input(asked, form)
    result = apply_aipp(aipp_buffer(crop, fed), aipp_spec(asked, fed))[0].transpose(1, 2, 0)
    np.testing.assert_array_equal(result, crop if colour == "bgr" else crop[..., ::-1])


@pytest.mark.parametrize("colour", ["rgb", "bgr", "gray"])
def test_nv21_is_nv12_with_its_chroma_swapped(colour: str) -> None:
    asked = preprocess(IMAGENET, (8, 6), colour)
    results = []
    for form in ("nv12", "nv21"):
        fed = choose_aipp_input(asked, form, matrix="bt709")
        buffer = aipp_buffer(picture(5), fed)
        assert buffer.shape == (1, 9, 8, 1)
        results.append((buffer, apply_aipp(buffer.ravel(), aipp_spec(asked, fed))))
    (first, seen), (second, seen_too) = results
    np.testing.assert_array_equal(seen, seen_too)
    np.testing.assert_array_equal(first[0, :6], second[0, :6])
    np.testing.assert_array_equal(first[0, 6:, 0::2], second[0, 6:, 1::2])
    assert (first != second).any()


@pytest.mark.parametrize("form", INPUT_FORMS)
@pytest.mark.parametrize("colour_range", ["narrow", "full"])
def test_a_grey_network_gets_the_luma_in_0_to_255(form: str, colour_range: str) -> None:
    crop = picture(2)
    luma = crop @ [0.114, 0.587, 0.299]
    asked = preprocess(size=(8, 6), colour="gray")
    fed = choose_aipp_input(asked, form, colour_range=colour_range)
    result = apply_aipp(aipp_buffer(crop, fed).ravel(), aipp_spec(asked, fed))
    assert result.shape == (1, 1, 6, 8)
    assert np.abs(result[0, 0] - luma).max() <= 2


def test_grey_is_rounded_to_the_nearest() -> None:
    crop = picture(2)
    luma = aipp_buffer(crop, AippInput("gray", 8, 6))[0, ..., 0]
    assert np.abs(luma - crop @ [0.114, 0.587, 0.299]).max() <= 0.53


@pytest.mark.parametrize("form", INPUT_FORMS)
@given(
    crop=st.tuples(*[st.integers(0, 3)] * 2, *[st.integers(1, 5)] * 2),
    padding=st.tuples(*[st.integers(0, 3)] * 4),
    seed=st.integers(0, 1 << 30),
)
@settings(max_examples=30)
def test_the_picture_comes_through_crop_and_padding(
    form: str, crop: Tuple[int, int, int, int], padding: Tuple[int, int, int, int], seed: int
) -> None:
    left, right, top, bottom = padding
    x, y, width, height = 2 * crop[0], 2 * crop[1], crop[2], crop[3]
    size = (left + width + right, top + height + bottom)
    colour = "gray" if form == "gray" else "rgb"
    card = card_for(
        form, colour, size, source_size_px=(12, 14), crop=(x, y, width, height), padding=padding
    )
    image = picture(seed, *size)
    inside = np.s_[:, :, top : top + height, left : left + width]
    (seen,) = aipp_feeds(card, image).values()
    whole = replace(card, preprocess=replace(card.preprocess, width_px=width, height_px=height))
    shown = image[top : top + height, left : left + width]
    if form.startswith("nv"):  # an odd edge shares its chroma with itself
        odd = (height % 2, width % 2)
        shown = np.pad(shown, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")
    rows, columns = shown.shape[:2]
    asked = replace(whole.preprocess, width_px=columns, height_px=rows, where="host", aipp=None)
    plain = replace(whole, preprocess=asked)
    if columns > 1:  # a picture of its own has at least two columns
        (want,) = aipp_feeds(plain, shown, choose_aipp_input(asked, form)).values()
        np.testing.assert_array_equal(seen[inside], want[:, :, :height, :width])
    outside = seen.copy()
    outside[inside] = 0
    assert not outside.any()


@pytest.mark.parametrize("form", INPUT_FORMS)
def test_memory_that_is_given_is_filled_again(form: str) -> None:
    card = card_for(
        form,
        "gray" if form == "gray" else "bgr",
        source_size_px=(12, 8),
        crop=(2, 2, 6, 4),
        padding=(1, 1, 2, 0),
    )
    fed = card.preprocess.aipp
    assert fed is not None
    out = aipp_buffer(picture(0), fed)
    assert not out[0, 0].any(), "row 0 is not in the crop"
    assert out.shape == aipp_input_shape(fed) and out.flags.c_contiguous
    again = aipp_buffer(picture(1), fed, out)
    assert again is out
    np.testing.assert_array_equal(out, aipp_buffer(picture(1), fed))
    assert (out != aipp_buffer(picture(0), fed)).any()


def test_nv12_can_be_written_to_memory_that_is_given() -> None:
    out = np.zeros((9, 8), np.uint8)
    assert bgr_to_nv12(picture(0), out=out) is out
    np.testing.assert_array_equal(out, bgr_to_nv12(picture(0)))


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("colour_range", ["narrow", "full"])
def test_feeds_use_the_matrix_of_the_card(matrix: str, colour_range: str) -> None:
    crop = np.full((6, 8, 3), 250, np.uint8)
    crop[..., 0] = 180
    card = card_for("nv12", "bgr", matrix=matrix, colour_range=colour_range)
    (values,) = aipp_feeds(card, crop).values()
    want = (np.array([180, 250, 250]) - IMAGENET[0]) / IMAGENET[1]
    np.testing.assert_allclose(values[0, :, 3, 3], want, atol=2.5 / 57)


def test_feeds_without_a_form_are_those_of_narrow_bt601() -> None:
    card, crop = plain_card(), picture(3, 8, 8)
    (values,) = aipp_feeds(card, crop).values()
    (same,) = aipp_feeds(card, crop, AippInput("nv12", 8, 8, "bt601-narrow")).values()
    (other,) = aipp_feeds(card, crop, AippInput("nv12", 8, 8, "bt709-wide")).values()
    np.testing.assert_array_equal(values, same)
    assert (values != other).any()


def test_a_crop_of_another_size_is_refused() -> None:
    with pytest.raises(UsageError, match="does not fit") as caught:
        aipp_feeds(plain_card(), picture(0, 8, 6))
    assert "they make 8x8 px, the picture has 8x6" in str(caught.value)


def test_what_is_no_picture_has_no_buffer_in_any_form() -> None:
    for form in INPUT_FORMS:
        with pytest.raises(UsageError, match="not a picture"):
            aipp_buffer(np.zeros((4, 4, 3), np.float32), AippInput(form, 4, 4))
    with pytest.raises(UsageError, match="input form 'jpeg'"):
        aipp_buffer(picture(0), AippInput("jpeg", 8, 6))
    with pytest.raises(UsageError, match="matrix 'bt2020'"):
        aipp_buffer(picture(0), AippInput("nv12", 8, 6, "bt2020"))
