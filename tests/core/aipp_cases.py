"""Inputs of networks, pictures and AIPP settings for tests."""

from __future__ import annotations

from typing import Tuple

import numpy as np
from hypothesis import strategies as st

from atlas_hpe.aipp import AIPP_FORMATS, AippSpec, CscMatrix, aipp_spec, choose_aipp_input
from atlas_hpe.card import PreprocessSpec

Style = Tuple[Tuple[float, ...], Tuple[float, ...]]

IMAGENET: Style = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
UNIT: Style = ((0.0,) * 3, (255.0,) * 3)
SYMMETRIC: Style = ((127.5,) * 3, (127.5,) * 3)
RAW: Style = ((0.0,) * 3, (1.0,) * 3)


def preprocess(
    style: Style = RAW,
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


def settings_for(asked: PreprocessSpec, form: str = "nv12", **choices: object) -> AippSpec:
    return aipp_spec(asked, choose_aipp_input(asked, form, **choices))  # type: ignore[arg-type]


def picture(seed: int, width: int = 8, height: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


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
        minimum=draw(st.tuples(*[st.floats(0, 255, width=16)] * channels)),
        var_reci=draw(st.tuples(*[factor] * channels)),
        csc=None if input_format == "gray" else draw(st.none() | matrix),
        rbuv_swap=draw(st.booleans()) if input_format != "gray" else False,
        ax_swap=draw(st.booleans()) if input_format == "xrgb" else False,
        crop=draw(st.sampled_from(crops)),
        padding=draw(st.tuples(*[st.integers(0, 3)] * 4)),
        padding_value=draw(factor),
    )
