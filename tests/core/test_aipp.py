"""AIPP's arithmetic: exact against a loop over pixels, close to what the card asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Tuple

import numpy as np
import pytest
from example_cards import plain_card
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe.aipp import (
    AIPP_FORMATS,
    CSC_MATRICES,
    AippSpec,
    CscMatrix,
    aipp_buffer,
    aipp_feeds,
    aipp_spec,
    apply_aipp,
    bgr_to_nv12,
    normalisation_error,
)
from atlas_hpe.card import PreprocessSpec
from atlas_hpe.errors import UsageError

IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
UNIT = ((0.0,) * 3, (255.0,) * 3)
SYMMETRIC = ((127.5,) * 3, (127.5,) * 3)
RAW = ((0.0,) * 3, (1.0,) * 3)


def preprocess(
    style: Tuple[Tuple[float, ...], Tuple[float, ...]] = RAW,
    size: Tuple[int, int] = (4, 2),
    colour: str = "rgb",
    where: str = "host",
) -> PreprocessSpec:
    mean, std = style
    channels = 1 if colour == "gray" else 3
    return PreprocessSpec(
        width_px=size[0],
        height_px=size[1],
        colour=colour,
        fit="stretch",
        mean=mean[:channels],
        std=std[:channels],
        where=where,
    )


def picture(seed: int, width: int = 8, height: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def slow_pixel(spec: AippSpec, source: np.ndarray, x: int, y: int) -> List[np.float16]:
    """One pixel of the unpadded result, in plain integers and one fp16 operation at a time."""
    if spec.input_format == "nv12":
        luma, chroma = source[: spec.src_height_px], source[spec.src_height_px :]
        values = [luma[y, x], chroma[y // 2, x // 2 * 2], chroma[y // 2, x // 2 * 2 + 1]]
        if spec.rbuv_swap:
            values = [values[0], values[2], values[1]]
    else:
        values = list(source[y, x])
        if spec.rbuv_swap:
            values = values[:-3] + values[-3:][::-1]
        if spec.ax_swap:
            values = values[1:] + values[:1]
    numbers = [int(value) for value in values][:3]
    if spec.csc is not None:
        moved = [number - bias for number, bias in zip(numbers, spec.csc.input_bias)]
        totals = [sum(a * b for a, b in zip(row, moved)) for row in spec.csc.rows]
        numbers = [
            min(255, max(0, total // 256 + bias))
            for total, bias in zip(totals, spec.csc.output_bias)
        ]
    registers = zip(numbers, spec.mean, spec.minimum, spec.var_reci)
    return [
        (np.float16(number - mean) - np.float16(least)) * np.float16(factor)
        for number, mean, least, factor in registers
    ]


@st.composite
def specs(draw: st.DrawFn) -> AippSpec:
    """Any settings for a picture of 8x6 px."""
    input_format = draw(st.sampled_from(sorted(AIPP_FORMATS)))
    channels = 1 if input_format == "gray" else draw(st.sampled_from([1, 3]))
    number = st.integers(-1000, 1000)
    row = st.tuples(number, number, number)
    bias = st.tuples(*[st.integers(0, 255)] * 3)
    matrix = st.builds(CscMatrix, st.tuples(row, row, row), bias, bias)
    factor = st.floats(-50, 50, width=16)
    crops = [None, (0, 0, 8, 6), (2, 2, 6, 4), (4, 2, 3, 1)]
    return AippSpec(
        input_format=input_format,
        src_width_px=8,
        src_height_px=6,
        mean=draw(st.tuples(*[st.integers(0, 255)] * channels)),
        minimum=draw(st.tuples(*[factor] * channels)),
        var_reci=draw(st.tuples(*[factor] * channels)),
        csc=None if input_format == "gray" else draw(st.none() | matrix),
        rbuv_swap=draw(st.booleans()) if input_format != "gray" else False,
        ax_swap=draw(st.booleans()) if input_format == "xrgb" else False,
        crop=draw(st.sampled_from(crops)),
        padding=draw(st.tuples(*[st.integers(0, 3)] * 4)),
        padding_value=draw(factor),
    )


@given(spec=specs(), seed=st.integers(0, 1 << 30))
@settings(max_examples=60)
def test_every_pixel_is_that_of_the_plain_loop(spec: AippSpec, seed: int) -> None:
    source = np.random.default_rng(seed).integers(0, 256, spec.buffer_shape).astype(np.uint8)
    result = apply_aipp(source, spec)
    x0, y0, width, height = spec.crop or (0, 0, 8, 6)
    left, right, top, bottom = spec.padding
    assert result.dtype == np.float16
    assert result.shape == (1, len(spec.mean), height + top + bottom, width + left + right)
    expected = np.full(result.shape, np.float16(spec.padding_value))
    for y in range(height):
        for x in range(width):
            expected[0, :, top + y, left + x] = slow_pixel(spec, source, x0 + x, y0 + y)
    np.testing.assert_array_equal(result, expected)


def test_a_flat_buffer_and_a_batch_of_one_are_the_same_picture() -> None:
    spec = aipp_spec(preprocess(size=(8, 6)))
    buffer = bgr_to_nv12(picture(0))
    want = apply_aipp(buffer, spec)
    np.testing.assert_array_equal(apply_aipp(buffer.ravel(), spec), want)
    np.testing.assert_array_equal(apply_aipp(buffer[None], spec), want)


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
@pytest.mark.parametrize("matrix", sorted(CSC_MATRICES))
@given(pixel=st.tuples(*[st.integers(0, 255)] * 3))
def test_a_colour_comes_back_from_nv12_within_two_steps(
    matrix: str, colour: str, pixel: Tuple[int, int, int]
) -> None:
    plain = np.full((2, 4, 3), pixel, np.uint8)
    spec = aipp_spec(preprocess(colour=colour), "nv12", matrix)
    back = apply_aipp(bgr_to_nv12(plain, matrix), spec)[0].transpose(1, 2, 0)
    want = plain if colour == "bgr" else plain[..., ::-1]
    # >> 8 rounds down, so the result is half a step too low in the mean.
    assert -2 <= (back - want).min() <= (back - want).max() <= 1


@given(seed=st.integers(0, 1 << 30))
def test_nv12_keeps_the_mean_colour_of_each_block(seed: int) -> None:
    # Greyish, so that nothing is cut off at 0 or 255.
    noise = 96 + picture(seed) // 4
    spec = aipp_spec(preprocess(size=(8, 6), colour="bgr"))
    back = apply_aipp(bgr_to_nv12(noise), spec)[0].transpose(1, 2, 0).astype(float)
    means = [item.reshape(3, 2, 4, 2, 3).mean(axis=(1, 3)) for item in (back, noise.astype(float))]
    assert np.abs(means[0] - means[1]).max() <= 2


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


def test_the_matrices_are_those_that_are_documented() -> None:
    tables = {name: (item.rows, item.input_bias) for name, item in CSC_MATRICES.items()}
    assert tables == {
        "bt601-narrow": (((298, 0, 409), (298, -100, -208), (298, 516, 0)), (16, 128, 128)),
        "bt601-wide": (((256, 0, 359), (256, -88, -183), (256, 454, 0)), (0, 128, 128)),
        "bt709-narrow": (((298, 0, 459), (298, -55, -136), (298, 541, 0)), (16, 128, 128)),
        "bt709-wide": (((256, 0, 403), (256, -48, -120), (256, 475, 0)), (0, 128, 128)),
    }


@pytest.mark.parametrize("input_format", ["rgb", "xrgb"])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_packed_formats_deliver_the_colours_exactly(input_format: str, colour: str) -> None:
    crop = picture(1)
    spec = aipp_spec(preprocess(size=(8, 6), colour=colour), input_format)
    result = apply_aipp(aipp_buffer(crop, input_format), spec)[0].transpose(1, 2, 0)
    np.testing.assert_array_equal(result, crop if colour == "bgr" else crop[..., ::-1])


@pytest.mark.parametrize("input_format", sorted(AIPP_FORMATS))
@pytest.mark.parametrize("matrix", ["bt601-narrow", "bt601-wide"])
def test_a_grey_network_gets_the_luma_in_0_to_255(input_format: str, matrix: str) -> None:
    crop = picture(2)
    luma = crop @ [0.114, 0.587, 0.299]
    spec = aipp_spec(preprocess(size=(8, 6), colour="gray"), input_format, matrix)
    result = apply_aipp(aipp_buffer(crop, input_format, matrix), spec)
    assert result.shape == (1, 1, 6, 8)
    assert np.abs(result[0, 0] - luma).max() <= 2


@pytest.mark.parametrize(
    ("style", "bound"), [(IMAGENET, 1.7e-3), (UNIT, 2.6e-4), (SYMMETRIC, 2.5e-4), (RAW, 0)]
)
def test_registers_are_close_to_the_ideal(style: Tuple, bound: float) -> None:
    errors = normalisation_error(preprocess(style))
    assert len(errors) == 3
    assert max(errors) <= bound
    if bound:
        assert max(errors) > bound / 2, "the figure is not a measurement"


def test_the_integer_register_saves_what_fp16_would_lose() -> None:
    spec = aipp_spec(preprocess(IMAGENET))
    assert spec.mean == (124, 116, 104)
    np.testing.assert_allclose(np.add(spec.mean, spec.minimum), IMAGENET[0], atol=1.3e-4)
    for register in (spec.minimum, spec.var_reci):
        np.testing.assert_array_equal(register, np.float16(register))
    split = preprocess(IMAGENET)
    pixels = np.arange(256)[:, None]
    ideal = (pixels - np.array(IMAGENET[0])) / np.array(IMAGENET[1])
    alone = (pixels.astype(np.float16) - np.float16(IMAGENET[0])) * np.float16(spec.var_reci)
    assert max(normalisation_error(split)) < np.abs(alone - ideal).max()


@given(mean=st.floats(0, 255), std=st.floats(1, 300), crop=st.integers(0, 1 << 30).map(picture))
def test_any_normalisation_is_good_to_three_digits(
    mean: float, std: float, crop: np.ndarray
) -> None:
    asked = preprocess(((mean,) * 3, (std,) * 3), (8, 6), "bgr")
    spec = aipp_spec(asked, "rgb")
    result = apply_aipp(aipp_buffer(crop, "rgb"), spec)[0].transpose(1, 2, 0)
    ideal = (crop - mean) / std
    errors = np.abs(result - ideal).max()
    assert errors <= normalisation_error(asked)[0] + 1e-12
    # Each of three roundings is within 2^-11 of what it rounds; 2^-13 is that of min_chn.
    assert errors <= np.abs(ideal).max() * 3 * 2**-11 + 2**-12 / std + 2**-24


def test_a_graph_that_normalises_is_not_normalised_for_again() -> None:
    asked = preprocess(IMAGENET, where="graph")
    spec = aipp_spec(asked)
    assert (spec.mean, spec.minimum, spec.var_reci) == ((0,) * 3, (0.0,) * 3, (1.0,) * 3)
    assert normalisation_error(asked) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("layout", "shape"), [("NCHW", (1, 3, 8, 8)), ("NHWC", (1, 8, 8, 3))])
def test_feeds_have_the_layout_and_type_of_the_card(layout: str, shape: Tuple[int, ...]) -> None:
    card = plain_card()
    card = replace(card, preprocess=replace(card.preprocess, layout=layout))
    crop = picture(3, 8, 8)
    (name, values), *others = aipp_feeds(card, crop).items()
    assert (name, others) == ("image", [])
    assert (values.shape, values.dtype) == (shape, np.float32)
    np.testing.assert_array_equal(values, values.astype(np.float16))
    exact = aipp_feeds(card, crop, "rgb")[name][0]
    exact = exact.transpose(1, 2, 0) if layout == "NCHW" else exact
    np.testing.assert_array_equal(exact, (crop[..., ::-1] - np.array([1.0, 2.0, 3.0])) / 4)


def test_feeds_use_the_matrix_that_is_asked_for() -> None:
    crop = np.full((8, 8, 3), 250, np.uint8)
    by_matrix = {
        matrix: aipp_feeds(plain_card(), crop, "nv12", matrix)["image"] for matrix in CSC_MATRICES
    }
    for values in by_matrix.values():
        np.testing.assert_allclose(values[0, :, 0, 0], [249 / 4, 248 / 4, 247 / 4], atol=0.5)


def test_a_graph_that_takes_bytes_gets_bytes() -> None:
    card = plain_card()
    changes = {"where": "graph", "dtype": "uint8", "colour": "bgr"}
    card = replace(card, preprocess=replace(card.preprocess, **changes))
    crop = picture(4, 8, 8)
    (values,) = aipp_feeds(card, crop, "rgb").values()
    assert values.dtype == np.uint8
    np.testing.assert_array_equal(values[0].transpose(1, 2, 0), crop)


def test_a_crop_of_another_size_is_refused() -> None:
    with pytest.raises(UsageError, match="does not fit") as caught:
        aipp_feeds(plain_card(), picture(0, 8, 6))
    assert "takes uint8 [12, 8], got uint8 [9, 8]" in str(caught.value)


def test_a_depth_network_has_no_aipp() -> None:
    card = replace(plain_card(), task="depth-hand-3d")
    with pytest.raises(UsageError, match="depth"):
        aipp_feeds(card, picture(0, 8, 8))


GOOD = aipp_spec(preprocess(size=(8, 6)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"input_format": "jpeg"}, "no input format 'jpeg'"),
        ({"src_width_px": 1}, "1x6"),
        ({"src_height_px": 4097}, "8x4097"),
        ({"src_width_px": 7}, "even"),
        ({"crop": (1, 0, 4, 4)}, "even"),
        ({"crop": (4, 0, 6, 4)}, "reaches out"),
        ({"crop": (0, 4, 4, 4)}, "reaches out"),
        ({"crop": (-2, 0, 4, 4)}, "no pixels"),
        ({"crop": (0, 0, 0, 4)}, "no pixels"),
        ({"mean": (0, 0)}, "once per channel"),
        ({"mean": (0, 0, 0, 0)}, "once per channel"),
        ({"minimum": (0.0,)}, "once per channel"),
        ({"mean": (0, 0, 256)}, "0..255"),
        ({"input_format": "gray"}, "one channel"),
        ({"input_format": "rgb", "ax_swap": True}, "xrgb alone"),
        ({"var_reci": (1.0, 1e6, 1.0)}, "fp16"),
        ({"padding_value": float("nan")}, "fp16"),
        ({"padding": (0, 33, 0, 0)}, "0..32"),
    ],
)
def test_impossible_settings_are_refused_with_the_reason(changes: dict, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        replace(GOOD, **changes)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "buffer",
    [
        np.zeros((6, 8), np.uint8),
        np.zeros((9, 8), np.float32),
        np.zeros((8, 9), np.uint8),
        np.zeros((2, 9, 8), np.uint8),
    ],
)
def test_a_buffer_of_another_form_is_refused(buffer: np.ndarray) -> None:
    with pytest.raises(UsageError, match="does not fit") as caught:
        apply_aipp(buffer, GOOD)
    assert "YUV420SP_U8 takes uint8 [9, 8]" in str(caught.value)


def test_a_mean_beyond_the_integer_register_goes_into_the_other() -> None:
    spec = aipp_spec(preprocess(((-128.0, 300.0, 0.5), (1.0,) * 3)))
    assert (spec.mean, spec.minimum) == ((0, 255, 0), (-128.0, 45.0, 0.5))


@pytest.mark.parametrize("std", [0.0, 1e-9, 1e9])
def test_a_std_that_fp16_does_not_hold_is_refused(std: float) -> None:
    with pytest.raises(UsageError, match="registers"):
        aipp_spec(preprocess(((0.0,) * 3, (std,) * 3)))


def test_names_that_do_not_exist_are_refused() -> None:
    with pytest.raises(UsageError, match="matrix 'bt2020'"):
        aipp_spec(preprocess(), "nv12", "bt2020")
    with pytest.raises(UsageError, match="matrix 'bt2020'"):
        bgr_to_nv12(picture(0), "bt2020")
    with pytest.raises(UsageError, match="input format 'jpeg'"):
        aipp_buffer(picture(0), "jpeg")


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


def test_what_is_no_picture_has_no_buffer_in_any_format() -> None:
    for input_format in AIPP_FORMATS:
        with pytest.raises(UsageError, match="not a picture"):
            aipp_buffer(np.zeros((4, 4, 3), np.float32), input_format)
