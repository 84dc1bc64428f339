"""The stand-in compiler's own judge of AIPP configurations."""

from __future__ import annotations

from typing import Dict, Sequence, Tuple

import pytest

from standin_atc_aipp import apply_config, parse_config
from standin_atc_flags import Refusal

STATIC = """
aipp_op {
    # a comment
    aipp_mode : static
    input_format : RGB888_U8
    src_image_size_w : 16
    src_image_size_h: 16
    mean_chn_0: 124
    min_chn_0 : 0.325
    var_reci_chn_0 : 1.7e-2
}
"""


def with_key(*lines: str, base: str = STATIC) -> str:
    return base.replace("}", "\n".join(lines) + "\n}")


def without(key: str) -> str:
    return "\n".join(line for line in STATIC.splitlines() if key not in line)


def apply(text: str, shape: Tuple[int, ...] = (1, 3, 16, 16)) -> Tuple[int, ...]:
    (made,) = apply_config(text, [shape], dynamic_image_size=False)
    return made.shape


@pytest.mark.parametrize(
    ("form", "channels", "shape"),
    [
        ("YUV420SP_U8", 3, (1, 24, 16, 1)),
        ("RGB888_U8", 3, (1, 16, 16, 3)),
        ("XRGB8888_U8", 3, (1, 16, 16, 4)),
        ("YUV400_U8", 1, (1, 16, 16, 1)),
    ],
)
def test_aipp_changes_the_input(form: str, channels: int, shape: Tuple[int, ...]) -> None:
    assert apply(STATIC.replace("RGB888_U8", form), (1, channels, 16, 16)) == shape


def test_crop_and_padding_must_end_at_the_models_size() -> None:
    bigger = STATIC.replace(": 16", ": 40")
    crop = ("crop: true", "load_start_pos_w: 4", "load_start_pos_h: 6")
    size = ("crop_size_w: 16", "crop_size_h: 16")
    assert apply(with_key(*crop, *size, base=bigger)) == (1, 40, 40, 3)
    assert apply(with_key(*crop, base=bigger)) == (1, 40, 40, 3)
    sides = [f"{side}_padding_size: 3" for side in ("left", "right", "top", "bottom")]
    small = ("crop: true", "crop_size_w: 10", "crop_size_h: 10", "padding: true", *sides)
    assert apply(with_key(*small, base=bigger)) == (1, 40, 40, 3)


BAD_AIPP: Dict[str, str] = {
    "nothing": "",
    "not closed": STATIC.replace("}", ""),
    "two colons": STATIC.replace("aipp_mode :", "aipp_mode : :"),
    "an unknown key": with_key("mean_chn_9: 1"),
    "a key twice": with_key("mean_chn_0: 1"),
    "no mode": without("aipp_mode"),
    "no format": without("input_format"),
    "a format of another chip": STATIC.replace("RGB888_U8", "YUV422SP_U8"),
    "a mean that is no integer": STATIC.replace("124", "123.675"),
    "a mean above 255": STATIC.replace("124", "256"),
    "a minimum below 0": STATIC.replace("0.325", "-0.325"),
    "a factor that fp16 does not hold": STATIC.replace("1.7e-2", "70000"),
    "a factor that is no number": STATIC.replace("1.7e-2", "nan"),
    "another size": STATIC.replace(": 16", ": 18"),
    "half a size": without("src_image_size_h"),
    "a switch as a number": with_key("crop: 1"),
    "a crop that reaches out": with_key("crop: true", "load_start_pos_w: 2"),
    "a crop without a size, padded": with_key("crop: true", "padding: true"),
    "too much padding": with_key("padding: true", "left_padding_size: 33"),
    "padding beyond the input": with_key("padding: true", "left_padding_size: 2"),
    "resize": with_key("resize: true"),
    "a matrix out of range": with_key("matrix_r0c0: 40000"),
    "a bias below 0": with_key("input_bias_0: -1"),
    "another input": with_key("related_input_rank: 1"),
    "a name, as for Caffe": with_key('related_input_name: "image"'),
    "two blocks for one input": STATIC + STATIC,
    "one channel": STATIC.replace("RGB888_U8", "YUV400_U8"),
    "dynamic without a size": "aipp_op { aipp_mode: dynamic }",
    "a stray sign": STATIC.replace("static", "static;"),
}


@pytest.mark.parametrize("text", BAD_AIPP.values(), ids=BAD_AIPP.keys())
def test_a_bad_aipp_configuration_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        apply_config(text, [(1, 3, 16, 16)], dynamic_image_size=False)
    assert caught.value.code == "E10052"


@pytest.mark.parametrize(
    ("keys", "shape"),
    [
        (("crop: true", "load_start_pos_w: 1", "crop_size_w: 8", "crop_size_h: 8"), (1, 3, 8, 8)),
        ((), (1, 3, 16, 15)),
        ((), (1, 3, 15, 16)),
    ],
)
def test_nv12_is_even(keys: Sequence[str], shape: Tuple[int, ...]) -> None:
    text = with_key(*keys).replace("RGB888_U8", "YUV420SP_U8")
    text = text.replace("w : 16", f"w : {16 if keys else shape[3]}")
    text = text.replace("h: 16", f"h: {16 if keys else shape[2]}")
    with pytest.raises(Refusal, match="even"):
        apply(text, shape)


def test_grey_has_nothing_to_convert() -> None:
    grey = STATIC.replace("RGB888_U8", "YUV400_U8")
    for switch in ("csc_switch", "rbuv_swap_switch"):
        with pytest.raises(Refusal, match="one channel"):
            apply(with_key(f"{switch}: true", base=grey), (1, 1, 16, 16))


def test_image_sizes_leave_the_picture_free() -> None:
    free = "aipp_op { aipp_mode: static input_format: YUV420SP_U8 }"
    (made,) = apply_config(free, [(1, 3, -1, -1)], dynamic_image_size=True)
    assert made.shape == (1, -1, -1, 1)
    with pytest.raises(Refusal, match="dynamic_image_size"):
        apply_config(STATIC, [(1, 3, -1, -1)], dynamic_image_size=True)


def test_numbers_are_read_as_they_stand() -> None:
    (block,) = parse_config(STATIC)
    assert block["min_chn_0"] == 0.325
    assert block["var_reci_chn_0"] == 0.017
    assert block["mean_chn_0"] == 124
