"""The package's AIPP settings against the stand-in compiler's own rules: they must agree."""

from __future__ import annotations

from typing import Optional, Tuple

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from atlas_hpe.aipp import aipp_config, aipp_spec, choose_aipp_input
from atlas_hpe.card import PreprocessSpec
from atlas_hpe.errors import UsageError
from standin_atc_aipp import AippInput, apply_config
from standin_atc_flags import Refusal

Box = Tuple[int, int, int, int]

_FORMATS = {
    "nv12": "YUV420SP_U8",
    "nv21": "YUV420SP_U8",
    "rgb": "RGB888_U8",
    "bgr": "RGB888_U8",
    "xrgb": "XRGB8888_U8",
    "gray": "YUV400_U8",
}
SIZES = st.sampled_from([15, 16, 24, 32])
EDGES = st.sampled_from([0, 0, 1, 2, 8, 33])
BOXES = st.tuples(EDGES, EDGES, SIZES, SIZES)
PADDINGS = st.tuples(EDGES, EDGES, EDGES, EDGES)


def own_text(form: str, source: Tuple[int, int], crop: Optional[Box], padding: Box) -> str:
    """The geometry as a user would write it by hand."""
    lines = [f"input_format: {_FORMATS[form]}"]
    lines += [f"src_image_size_w: {source[0]}", f"src_image_size_h: {source[1]}"]
    if crop is not None:
        names = ("load_start_pos_w", "load_start_pos_h", "crop_size_w", "crop_size_h")
        lines += ["crop: true", *(f"{name}: {size}" for name, size in zip(names, crop))]
    if any(padding):
        sides = zip(("left", "right", "top", "bottom"), padding)
        lines += ["padding: true", *(f"{side}_padding_size: {size}" for side, size in sides)]
    return "aipp_op { aipp_mode: static " + " ".join(lines) + " }"


def judge(text: str, preprocess: PreprocessSpec) -> AippInput:
    shape = (1, len(preprocess.mean), preprocess.height_px, preprocess.width_px)
    (made,) = apply_config(text, [shape], dynamic_image_size=False)
    return made


@settings(max_examples=300)
@given(
    form=st.sampled_from(sorted(_FORMATS)),
    colour=st.sampled_from(["rgb", "bgr", "gray"]),
    size=st.none() | st.tuples(SIZES, SIZES),
    source=st.tuples(SIZES, SIZES),
    crop=st.none() | BOXES,
    padding=st.just((0, 0, 0, 0)) | PADDINGS,
)
def test_both_refuse_the_same_geometry(
    form: str,
    colour: str,
    size: Optional[Tuple[int, int]],
    source: Tuple[int, int],
    crop: Optional[Box],
    padding: Box,
) -> None:
    width, height = source if crop is None else crop[2:]
    fitting = (width + padding[0] + padding[1], height + padding[2] + padding[3])
    size = size or fitting
    channels = 1 if colour == "gray" else 3
    preprocess = PreprocessSpec(
        width_px=size[0],
        height_px=size[1],
        colour=colour,
        fit="letterbox",
        mean=(123.675,) * channels,
        std=(58.395,) * channels,
    )
    try:
        chosen = choose_aipp_input(
            preprocess, form, source_size_px=source, crop=crop, padding=padding
        )
    except UsageError:
        event("refused")
        if form != "gray" and colour != "gray":  # without a matrix the text is not all there is
            with pytest.raises(Refusal):
                judge(own_text(form, source, crop, padding), preprocess)
        return
    event("taken")
    spec = aipp_spec(preprocess, chosen)
    made = judge(aipp_config(spec), preprocess)
    width, height = source
    shapes = {
        "YUV420SP_U8": (1, height * 3 // 2, width, 1),
        "RGB888_U8": (1, height, width, 3),
        "XRGB8888_U8": (1, height, width, 4),
        "YUV400_U8": (1, height, width, 1),
    }
    assert made.shape == shapes[_FORMATS[form]]
    assert made.settings["input_format"] == _FORMATS[form]


@given(
    mean=st.tuples(*[st.floats(0, 255)] * 3),
    std=st.tuples(*[st.floats(0.01, 255)] * 3),
    form=st.sampled_from(["nv12", "rgb"]),
)
def test_every_number_that_is_written_is_one_that_the_registers_take(
    mean: Tuple[float, float, float], std: Tuple[float, float, float], form: str
) -> None:
    preprocess = PreprocessSpec(
        width_px=16, height_px=16, colour="rgb", fit="letterbox", mean=mean, std=std
    )
    try:
        spec = aipp_spec(preprocess, choose_aipp_input(preprocess, form))
    except UsageError:
        return
    written = judge(aipp_config(spec), preprocess).settings
    for channel in range(3):
        integer, rest = written[f"mean_chn_{channel}"], written[f"min_chn_{channel}"]
        assert float(integer) + float(rest) == pytest.approx(mean[channel], abs=0.2)
        factor = float(written[f"var_reci_chn_{channel}"])
        assert factor * std[channel] == pytest.approx(1, rel=2**-10)
