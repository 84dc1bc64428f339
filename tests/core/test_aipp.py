"""AIPP's arithmetic: exact against a loop over pixels; and the limits of its registers."""

from __future__ import annotations

from dataclasses import replace
from typing import List

import numpy as np
import pytest
from aipp_cases import picture, preprocess, settings_for, specs
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe.aipp import CSC_MATRICES, AippSpec, CscMatrix, apply_aipp, bgr_to_nv12
from atlas_hpe.errors import UsageError


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
    spec = settings_for(preprocess(size=(8, 6)))
    buffer = bgr_to_nv12(picture(0))
    want = apply_aipp(buffer, spec)
    np.testing.assert_array_equal(apply_aipp(buffer.ravel(), spec), want)
    np.testing.assert_array_equal(apply_aipp(buffer[None], spec), want)


def test_the_matrices_are_those_that_are_documented() -> None:
    tables = {name: (item.rows, item.input_bias) for name, item in CSC_MATRICES.items()}
    assert tables == {
        "bt601-narrow": (((298, 0, 409), (298, -100, -208), (298, 516, 0)), (16, 128, 128)),
        "bt601-wide": (((256, 0, 359), (256, -88, -183), (256, 454, 0)), (0, 128, 128)),
        "bt709-narrow": (((298, 0, 459), (298, -55, -136), (298, 541, 0)), (16, 128, 128)),
        "bt709-wide": (((256, 0, 403), (256, -48, -120), (256, 475, 0)), (0, 128, 128)),
    }


GOOD = settings_for(preprocess(size=(8, 6)))


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
        ({"minimum": (0.0, -0.5, 0.0)}, "not within 0..255"),
        ({"mean": (0, 0, 256)}, "0..255"),
        ({"input_format": "gray"}, "one channel"),
        ({"input_format": "rgb", "ax_swap": True}, "xrgb alone"),
        ({"var_reci": (1.0, 1e6, 1.0)}, "fp16"),
        ({"padding_value": float("nan")}, "fp16"),
        ({"padding": (0, 33, 0, 0)}, "0..32"),
        ({"src_width_px": 0}, "0x6"),
        ({"src_width_px": 0, "src_height_px": 0, "padding": (0, 1, 0, 0)}, "size of the picture"),
        ({"src_width_px": 0, "src_height_px": 0, "crop": (0, 0, 2, 2)}, "size of the picture"),
        ({"src_width_px": 0, "src_height_px": 0, "mean": (0, 0)}, "once per channel"),
        ({"csc": CscMatrix(((0, 0, 0), (0, 1 << 15, 0), (0, 0, 0)))}, "32768 in the colour"),
        ({"csc": CscMatrix(((0, 0, -40000), (0, 0, 0), (0, 0, 0)))}, "-40000 in the colour"),
        ({"csc": CscMatrix(((0, 0, 0),) * 3, (0, 256, 0))}, "bias 256"),
        ({"csc": CscMatrix(((0, 0, 0),) * 3, (0, 0, 0), (0, -1, 0))}, "bias -1"),
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


def test_the_size_that_the_model_gets_is_that_after_crop_and_padding() -> None:
    assert GOOD.output_size_px == (8, 6)
    assert replace(GOOD, padding=(1, 2, 3, 4)).output_size_px == (11, 13)
    cut = replace(GOOD, crop=(2, 2, 6, 3), padding=(1, 2, 3, 4))
    assert cut.output_size_px == apply_aipp(bgr_to_nv12(picture(0)), cut).shape[:1:-1] == (9, 10)


def test_a_size_that_is_left_to_the_model_is_nothing() -> None:
    spec = replace(GOOD, src_width_px=0, src_height_px=0)
    assert spec.output_size_px == (0, 0)
