"""An .om file's summary in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List

from atlas_hpe.om_file import describe_om, parse_om
from om_files import Attribute, Model, Port, build_om, typical_attributes

STATIC: Dict[str, Attribute] = {
    "aipp_mode": 1,
    "input_format": 1,
    "src_image_size_w": 320,
    "src_image_size_h": 240,
    "rbuv_swap_switch": True,
    "ax_swap_switch": True,
    "crop": True,
    "load_start_pos_w": 16,
    "load_start_pos_h": 8,
    "crop_size_w": 224,
    "crop_size_h": 192,
    "csc_switch": True,
    **{f"matrix_r{row}c{column}": 3 * row + column for row in range(3) for column in range(3)},
    **{f"input_bias_{index}": 16 + index for index in range(3)},
    **{f"mean_chn_{index}": 100 + index for index in range(4)},
    "min_chn_0": 0.25,
    "var_reci_chn_0": 0.0171247,
    "padding": True,
    "left_padding_size": 1,
    "right_padding_size": 2,
    "top_padding_size": 3,
    "bottom_padding_size": 4,
}


def lines_of(*models: Model, encrypted: bool = False) -> List[str]:
    return describe_om(parse_om(build_om(models, encrypted=encrypted)))


def test_every_part_has_its_line() -> None:
    model = Model(attributes=typical_attributes(), operators={"Relu": 2, "Conv2D": 10})
    lines = lines_of(model)
    text = "\n".join(lines)
    for part in (
        "  model       hand",
        "version 0x20000000, 32-bit partition table",
        "  chip        Ascend310",
        "  compiler    atc 1.80.T15.0.B156, CANN 5.0.4, from Onnx, target MINI",
        "  input       image float32 1x3x16x16 NCHW, 3,072 bytes",
        "  output      joints:0 float32 1x21x2 ND, 168 bytes",
        "  weights     64 bytes",
        "  memory      1,048,576 bytes on the device, weights apart",
        "  operators   Conv2D x10, Relu x2, Data x1, NetOutput x1",
        "  partitions  MODEL_DEF",
        "              WEIGHTS_DATA                    64 bytes from byte",
        "  command     /usr/local/Ascend",
        "              --model=hand.onnx",
    ):
        assert part in text
    assert all(line.startswith("  ") for line in lines)
    assert "aipp" not in text and "profiles" not in text and "bytes follow" not in text


def test_an_old_file_says_what_it_does_not_state() -> None:
    text = "\n".join(lines_of(Model(inputs=[Port("image", (-1, 3), size_bytes=0)])))
    for part in ("chip        not stated", "atc, version not stated", "?x3 NCHW, size not stated"):
        assert part in text
    assert "command" not in text and "memory" not in text


def test_operators_are_wrapped_between_names() -> None:
    operators = {f"A Type-With {index:03}": 1 for index in range(40)}
    lines = lines_of(Model(operators=operators))
    first, last = (
        next(index for index, line in enumerate(lines) if line.startswith(f"  {label}"))
        for label in ("operators", "partitions")
    )
    wrapped = lines[first:last]
    assert len(wrapped) > 5 and max(map(len, wrapped)) <= 100
    assert sum(line.count(" x1") for line in wrapped) >= 40
    assert all(line.rstrip(",").endswith(" x1") for line in wrapped)


def test_static_aipp_in_the_order_of_its_work() -> None:
    port = Port("image", (1, 240, 320, 3), "uint8", "NHWC", 115200, STATIC)
    lines = lines_of(Model(inputs=[port]))
    start = next(index for index, line in enumerate(lines) if line.startswith("  aipp"))
    assert lines[start : start + 5] == [
        "  aipp        image: static, YUV420SP_U8, picture 320x240, red and blue (or U and V) "
        "swapped, first channel moved to the end",
        "              cut 224x192, from column 16, row 8",
        "              colour matrix 0,1,2 / 3,4,5 / 6,7,8, input bias 16,17,18",
        "              mean 100,101,102,103, min 0.25, var_reci 0.0171247",
        "              padding left 1, right 2, top 3, bottom 4",
    ]


def test_aipp_that_is_off_is_left_out() -> None:
    off = {**STATIC, "crop": False, "csc_switch": False, "padding": False}
    text = "\n".join(lines_of(Model(inputs=[Port("image", (1, 3, 8, 8), aipp=off)])))
    assert "cut" not in text and "matrix" not in text and "padding" not in text
    bare = {"aipp_mode": 1, "csc_switch": True}
    text = "\n".join(lines_of(Model(inputs=[Port("image", (1, 3, 8, 8), aipp=bare)])))
    assert "colour matrix not stated" in text


def test_dynamic_aipp_and_profiles() -> None:
    settings: Dict[str, Attribute] = {"aipp_mode": 2, "max_src_image_size": 5000}
    mode: Dict[str, Attribute] = {"_data_related_aipp_mode": "dynamic_aipp_conf"}
    ports = [
        Port("image", (1, 3, 8, 8), aipp=settings),
        Port("ascend_dynamic_aipp_data", (160,), "uint8", "ND", None, settings, mode, "AippData"),
        Port("other", (1, 3, 8, 8), aipp={}),
    ]
    command = "atc --dynamic_image_size=8,16;32,64"
    text = "\n".join(lines_of(Model(inputs=ports, attributes=typical_attributes(command=command))))
    for part in (
        "image: dynamic, the program gives the settings, at most 5000 bytes",
        "ascend_dynamic_aipp_data: takes the settings of dynamic AIPP",
        "other: the file does not say whether static or dynamic",
        "profiles    image size (height x width): 8x16; 32x64",
    ):
        assert part in text


def test_several_models_are_numbered() -> None:
    text = "\n".join(lines_of(Model("left"), Model("right")))
    assert "model       left (1 of 2)" in text and "model       right (2 of 2)" in text


def test_what_can_t_be_read_or_does_not_belong_is_said() -> None:
    text = "\n".join(lines_of(Model(attributes=typical_attributes()), encrypted=True))
    assert "encrypted" in text and "chip" not in text
    content = bytearray(build_om([Model()]) + bytes(1000))
    content[82], content[193] = 5, 1
    text = "\n".join(describe_om(parse_om(bytes(content))))
    assert "1,000 bytes follow that do not belong to the model" in text
    assert "model type bundle, dynamic shape" in text


def test_another_operator_package_is_named() -> None:
    attributes = {**typical_attributes(), "opp_version": "1.81"}
    text = "\n".join(lines_of(replace(Model(), attributes=attributes)))
    assert "operators 1.81" in text
