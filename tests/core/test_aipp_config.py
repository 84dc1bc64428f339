"""The text for atc: written with the documented keys, and read back to the same registers."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Tuple

import numpy as np
import pytest
from aipp_cases import IMAGENET, preprocess, settings_for, specs
from hypothesis import example, given, settings
from hypothesis import strategies as st

from atlas_hpe.aipp import AippSpec, CscMatrix, DynamicAipp, aipp_config, read_aipp_config
from atlas_hpe.errors import UsageError

NV12 = settings_for(preprocess(IMAGENET, (256, 128)))


def test_the_text_is_the_documented_one() -> None:
    assert aipp_config(NV12).splitlines() == [
        "aipp_op {",
        "    aipp_mode : static",
        "    related_input_rank : 0",
        "    input_format : YUV420SP_U8",
        "    src_image_size_w : 256",
        "    src_image_size_h : 128",
        "    csc_switch : true",
        "    matrix_r0c0 : 298",
        "    matrix_r0c1 : 0",
        "    matrix_r0c2 : 409",
        "    matrix_r1c0 : 298",
        "    matrix_r1c1 : -100",
        "    matrix_r1c2 : -208",
        "    matrix_r2c0 : 298",
        "    matrix_r2c1 : 516",
        "    matrix_r2c2 : 0",
        "    input_bias_0 : 16",
        "    input_bias_1 : 128",
        "    input_bias_2 : 128",
        "    mean_chn_0 : 123",
        "    min_chn_0 : 0.6748046875",
        "    var_reci_chn_0 : 0.017120361328125",
        "    mean_chn_1 : 116",
        "    min_chn_1 : 0.280029296875",
        "    var_reci_chn_1 : 0.0175018310546875",
        "    mean_chn_2 : 103",
        "    min_chn_2 : 0.5302734375",
        "    var_reci_chn_2 : 0.017425537109375",
        "}",
    ]


def test_only_the_keys_that_are_needed_are_written() -> None:
    spec = AippSpec(
        *("xrgb", 40, 30, (0,), (0.0,), (1.0,)),
        rbuv_swap=True,
        ax_swap=True,
        crop=(1, 2, 30, 20),
        padding=(1, 2, 3, 4),
        padding_value=-0.5,
    )
    assert aipp_config(spec, 2).splitlines() == [
        "aipp_op {",
        "    aipp_mode : static",
        "    related_input_rank : 2",
        "    input_format : XRGB8888_U8",
        "    src_image_size_w : 40",
        "    src_image_size_h : 30",
        "    crop : true",
        "    load_start_pos_w : 1",
        "    load_start_pos_h : 2",
        "    crop_size_w : 30",
        "    crop_size_h : 20",
        "    padding : true",
        "    left_padding_size : 1",
        "    right_padding_size : 2",
        "    top_padding_size : 3",
        "    bottom_padding_size : 4",
        "    padding_value : -0.5",
        "    rbuv_swap_switch : true",
        "    ax_swap_switch : true",
        "    csc_switch : false",
        "    mean_chn_0 : 0",
        "    min_chn_0 : 0.0",
        "    var_reci_chn_0 : 1.0",
        "}",
    ]


def test_models_of_several_sizes_have_no_size_in_the_text() -> None:
    free = replace(NV12, src_width_px=0, src_height_px=0)
    text = aipp_config(free)
    assert "src_image_size" not in text
    assert read_aipp_config(text) == {0: free}


def test_dynamic_settings_have_a_largest_size() -> None:
    settings_ = DynamicAipp(1 << 20)
    text = aipp_config(settings_, 1)
    assert text == (
        "aipp_op {\n    aipp_mode : dynamic\n    related_input_rank : 1\n"
        "    max_src_image_size : 1048576\n}\n"
    )
    assert read_aipp_config(text) == {1: settings_}


def as_registers(spec: AippSpec) -> AippSpec:
    """With the numbers that fp16 holds, and the padding's value only where there is padding."""
    value = float(np.float16(spec.padding_value)) if any(spec.padding) else 0.0
    halves = (tuple(float(np.float16(n)) for n in row) for row in (spec.minimum, spec.var_reci))
    minimum, var_reci = halves
    return replace(spec, minimum=minimum, var_reci=var_reci, padding_value=value)


@given(first=specs(), second=specs(), index=st.integers(0, 5))
def test_what_is_written_is_read_back(first: AippSpec, second: AippSpec, index: int) -> None:
    text = aipp_config(first, index) + aipp_config(second, index + 1)
    assert read_aipp_config(text) == {index: as_registers(first), index + 1: as_registers(second)}


def test_every_number_of_fp16_is_read_back() -> None:
    numbers = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    numbers = numbers[np.isfinite(numbers)]
    rows = np.resize(numbers.astype(float), (len(numbers) // 3 + 1, 3))
    lines = [
        line.split(" : ")[1]
        for row in rows.tolist()
        for line in aipp_config(replace(NV12, var_reci=tuple(row))).splitlines()
        if "var_reci_chn" in line
    ]
    for reader in (np.float16, np.float32, np.float64):
        np.testing.assert_array_equal(np.array(lines).astype(reader), rows.ravel())
    assert all("e" not in line for line in lines)


def test_numbers_are_written_as_fp16_rounds_them() -> None:
    spec = replace(NV12, minimum=(0.1, 0.2, 1 / 3), var_reci=(1 / 255, 2.0, 0.3))
    text = aipp_config(spec)
    assert "min_chn_0 : 0.0999755859375\n" in text
    assert read_aipp_config(text) == {0: as_registers(spec)}


def test_a_negative_index_is_refused() -> None:
    with pytest.raises(UsageError, match="no input -1"):
        aipp_config(NV12, -1)


def block(*lines: str) -> str:
    """A block whose own lines start in line 2, with line 4 the first that is given."""
    return "\n".join(["aipp_op {", "aipp_mode: static", "input_format: RGB888_U8", *lines, "}"])


def test_the_shortest_text_passes_pixels_on() -> None:
    assert read_aipp_config(block()) == {0: AippSpec("rgb", 0, 0, (0,) * 3, (0.0,) * 3, (1.0,) * 3)}


def test_comments_spaces_and_numbers_are_those_of_the_text_format() -> None:
    text = block("# a note: { }", "mean_chn_0 : 1 min_chn_1:.5", "var_reci_chn_2\n:\n2.5E-1 # end")
    spec = read_aipp_config(text + "\n# the end")[0]
    assert isinstance(spec, AippSpec)
    assert (spec.mean, spec.minimum, spec.var_reci) == (
        (1, 0, 0),
        (0.0, 0.5, 0.0),
        (1.0, 1.0, 0.25),
    )


def test_registers_of_the_first_channel_alone_are_for_a_network_of_one() -> None:
    spec = read_aipp_config(block("mean_chn_0: 3", "var_reci_chn_0: 0.5"))[0]
    assert isinstance(spec, AippSpec) and spec.mean == (3,) and spec.var_reci == (0.5,)
    grey = read_aipp_config(block().replace("RGB888_U8", "YUV400_U8"))[0]
    assert isinstance(grey, AippSpec) and grey.mean == (0,)


def test_switches_that_are_off_leave_their_numbers_out() -> None:
    text = block(
        *("crop: false", "crop_size_w: 2", "padding: false", "left_padding_size: 3"),
        *("padding_value: 2.0", "csc_switch: false", "matrix_r0c0: 5", "mean_chn_3: 0"),
        *("var_reci_chn_3: 1.0", "rbuv_swap_switch: false"),
    )
    assert read_aipp_config(text) == read_aipp_config(block())


def test_a_matrix_that_is_left_out_is_the_compilers_own() -> None:
    """ascend.md section 4.4."""
    rgb = read_aipp_config(block("csc_switch: true"))[0]
    yuv = read_aipp_config(block("csc_switch: true").replace("RGB888", "YUV420SP"))[0]
    assert isinstance(rgb, AippSpec) and isinstance(yuv, AippSpec)
    assert rgb.csc == CscMatrix(
        ((66, 129, 25), (-38, -74, 112), (112, -94, -18)), (0, 0, 0), (16, 128, 128)
    )
    assert yuv.csc == CscMatrix(
        ((298, 516, 0), (298, -100, -208), (298, 0, 409)), (16, 128, 128), (0, 0, 0)
    )


MATRIX = [f"matrix_r{row}c{column}: 1" for row in range(3) for column in range(3)]
BAD: List[Tuple[str, int, str]] = [
    ("", 1, "there is no aipp_op"),
    ("# nothing", 1, "there is no aipp_op"),
    ("aipp {", 1, "expected 'aipp_op', found 'aipp'"),
    ("aipp_op : {}", 1, "expected '{', found ':'"),
    ("aipp_op", 1, "the file ends"),
    ("aipp_op {\naipp_mode: static", 1, "the file ends"),
    ("aipp_op {\naipp_mode:", 2, "the file ends"),
    ("aipp_op {}", 1, "no aipp_mode"),
    ("aipp_op {\naipp_mode: static }", 1, "static AIPP needs input_format"),
    (block() + "\n}", 5, "expected 'aipp_op', found '}'"),
    (block() + "\n\n" + block(), 6, "a second block for input 0"),
    (block("12: 3"), 4, "expected a key or '}', found '12'"),
    (block("crop true"), 4, "expected ':', found 'true'"),
    (block("", "shoe_size: 44"), 5, "'shoe_size' is no key of AIPP, found '44'"),
    (block("crop: false", "crop: false"), 5, "'crop' is given twice"),
    (block("crop: 1"), 4, "'crop' is true or false, found '1'"),
    (block("crop: True"), 4, "'crop' is true or false, found 'True'"),
    (block("resize: true"), 4, "'resize' is for other chips"),
    (block("related_input_name: data"), 4, "'related_input_name' is for other chips or other"),
    (block("input_edge_idx: 0"), 4, "for other chips or other networks"),
    (block("cpadding_value: 0"), 4, "for other chips"),
    (block("input_format: RGB888_U8"), 4, "given twice"),
    (block().replace("RGB888_U8", "YUYV_U8"), 3, "is one of YUV420SP_U8, RGB888_U8, XRGB8888_U8"),
    (block().replace("static", "mixed"), 2, "is one of static, dynamic, found 'mixed'"),
    (block("mean_chn_0: 256"), 4, "takes whole numbers 0..255, found '256'"),
    (block("mean_chn_0: -1"), 4, "0..255, found '-1'"),
    (block("mean_chn_0: 1.5"), 4, "found '1.5'"),
    (block("mean_chn_4: 1"), 4, "no key of AIPP"),
    (block("mean_chn_3: 1"), 4, "four channels"),
    (block("var_reci_chn_3: 0.5"), 4, "four channels"),
    (block("var_reci_chn_0: 1e6"), 4, "a number that fp16 holds, found '1e6'"),
    (block("min_chn_0: 255.01"), 4, "takes a number 0..255, found '255.01'"),
    (block("", "min_chn_2: -0.5"), 5, "takes a number 0..255, found '-0.5'"),
    (block("min_chn_0: nan"), 4, "found 'nan'"),
    (block("min_chn_0: true"), 4, "found 'true'"),
    (block("min_chn_0: {"), 4, "found '{'"),
    (block("matrix_r0c0: 32768"), 4, "-32768..32767"),
    (block("matrix_r0c0: 1" + "0" * 50), 4, "more than 40 characters"),
    (block("input_bias_0: 256"), 4, "0..255"),
    (block("left_padding_size: 33"), 4, "0..32"),
    (block("src_image_size_w: 5000"), 4, "0..4096"),
    (block("load_start_pos_w: 4096"), 4, "0..4095"),
    (block("related_input_rank: -1"), 4, "found '-1'"),
    (block("max_src_image_size: 1"), 4, "static AIPP has no max_src_image_size"),
    (block("crop: true"), 4, "crop_size_w and crop_size_h"),
    (block("padding: true", "left_padding_size: 1"), 1, "size of the picture"),
    (block("src_image_size_w: 8"), 1, "8x0"),
    (block("", "csc_switch: true", *MATRIX[1:]), 5, "the matrix has no matrix_r0c0"),
    (block("ax_swap_switch: true"), 1, "ax_swap is for xrgb alone"),
    (block("csc_switch: true").replace("RGB888_U8", "YUV400_U8"), 1, "no colour matrix"),
    (block("src_image_size_w: 7").replace("RGB888", "YUV420SP"), 4, "'src_image_size_w' is even"),
    (block("load_start_pos_h: 3").replace("RGB888", "YUV420SP"), 4, "'load_start_pos_h' is even"),
    ("aipp_op {\naipp_mode: dynamic\n}", 1, "dynamic AIPP needs max_src_image_size"),
    ("aipp_op {\naipp_mode: dynamic\nmax_src_image_size: 0\n}", 3, "found '0'"),
    ("aipp_op {\naipp_mode: dynamic\ncrop: true\nmax_src_image_size: 9}", 3, "'crop' at run time"),
    (block("crop: @"), 4, "can't read '@'"),
    (block("mean_chn_0: 0x10"), 4, "can't read '0x10'"),
    (block("mean_chn_0: 1.5f"), 4, "can't read '1.5f'"),
    (block("related_input_name: \"data\""), 4, "can't read '\"data\"'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "why"), BAD)
def test_a_bad_text_is_refused_with_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_aipp_config(text, "aipp.cfg")
    assert caught.value.where == f"aipp.cfg, line {line}"
    assert why in str(caught.value.why)


WORDS = [
    *("aipp_op", "{", "}", ":", "\n", "# x\n", "aipp_mode", "static", "dynamic", "input_format"),
    *("YUV420SP_U8", "YUV400_U8", "crop", "padding", "csc_switch", "true", "false", "mean_chn_0"),
    *("src_image_size_w", "max_src_image_size", "matrix_r1c1", "min_chn_2", "0", "8", "-1", "1e9"),
    *("1" * 60, ".5", "\x00", "é", '"', "1e999"),
]


@given(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join) | st.text(max_size=80))
@example(aipp_config(NV12)[:-3])
@settings(max_examples=300)
def test_any_text_is_settings_or_one_clear_error(text: str) -> None:
    try:
        assert read_aipp_config(text)
    except UsageError as error:
        assert "line" in str(error.where)


@given(data=st.data())
@settings(max_examples=200)
def test_a_text_with_a_damage_is_settings_or_one_clear_error(data: st.DataObject) -> None:
    text = aipp_config(replace(NV12, crop=(2, 4, 30, 20), padding=(1, 1, 1, 1)))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 12)))
    damaged = text[:start] + data.draw(st.sampled_from(["", *WORDS])) + text[end:]
    try:
        assert read_aipp_config(damaged)
    except UsageError as error:
        assert "line" in str(error.where)
