"""An AIPP configuration read back: what atc would build from the text (ascend.md section 4)."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

import numpy as np

from atlas_hpe.aipp.config import AippSettings
from atlas_hpe.aipp.config_grammar import Block, Value, fail, read_blocks
from atlas_hpe.aipp.settings import AIPP_FORMATS, CSC_MATRICES, AippSpec, CscMatrix, DynamicAipp
from atlas_hpe.errors import UsageError

__all__ = ["read_aipp_config"]

_NAMES = {value: name for name, value in AIPP_FORMATS.items()}
_MATRIX = tuple(f"matrix_r{row}c{column}" for row in range(3) for column in range(3))
_EVEN = ("src_image_size_w", "src_image_size_h", "load_start_pos_w", "load_start_pos_h")
_YUV_TO_RGB = CSC_MATRICES["bt601-narrow"]
#: What stands in for a matrix that is not given (ascend.md section 4.4).
_YUV_TO_BGR = CscMatrix(
    (_YUV_TO_RGB.rows[2], _YUV_TO_RGB.rows[1], _YUV_TO_RGB.rows[0]), _YUV_TO_RGB.input_bias
)
_RGB_TO_YUV = CscMatrix(
    ((66, 129, 25), (-38, -74, 112), (112, -94, -18)), output_bias=(16, 128, 128)
)


def read_aipp_config(text: str, where: str = "AIPP configuration") -> Dict[int, AippSettings]:
    """Read a configuration, strictly.

    Stricter than atc in two points: a crop has to give its size, and a matrix all its numbers.

    Args:
        text: What ``--insert_op_conf`` names.
        where: File it came from, for messages.

    Returns:
        Index of the input -> its settings. A static size that is left out is 0x0. Networks take
        three channels, or one where no register beyond channel 0 is set for a matrix or a picture
        of one.

    Raises:
        UsageError: Another grammar, an unknown key, a value of another type or out of its range, or
            settings that the unit can't follow; the message names the line.
    """
    settings: Dict[int, AippSettings] = {}
    for block in read_blocks(text, where):
        rank = _integer(block, "related_input_rank")
        if rank in settings:
            fail(where, block.line, f"a second block for input {rank}")
        settings[rank] = _read_block(block, where)
    if not settings:
        fail(where, 1, "there is no aipp_op")
    return settings


def _value(block: Block, key: str, default: Value) -> Value:
    return block.entries[key].value if key in block.entries else default


def _integer(block: Block, key: str, default: int = 0) -> int:
    return int(_value(block, key, default))


def _line(block: Block, key: str) -> int:
    return block.entries[key].line if key in block.entries else block.line


def _read_block(block: Block, where: str) -> AippSettings:
    mode = _value(block, "aipp_mode", "")
    if not mode:
        fail(where, block.line, "the block has no aipp_mode")
    if mode == "dynamic":
        return _read_dynamic(block, where)
    for key, needed in (("input_format", True), ("max_src_image_size", False)):
        if (key in block.entries) != needed:
            why = f"static AIPP {'needs' if needed else 'has no'} {key}"
            fail(where, _line(block, key), why)
    if block.entries["input_format"].value == AIPP_FORMATS["nv12"]:
        for key in _EVEN:
            if _integer(block, key) % 2:
                fail(where, _line(block, key), f"'{key}' is even for YUV420SP_U8")
    try:
        return _build(block, where)
    except UsageError as error:
        if error.where != "AIPP":
            raise
        fail(where, block.line, str(error.why))


def _read_dynamic(block: Block, where: str) -> DynamicAipp:
    known = ("aipp_mode", "related_input_rank", "max_src_image_size")
    for key, entry in block.entries.items():
        if key not in known:
            fail(where, entry.line, f"dynamic AIPP gets '{key}' at run time")
    if "max_src_image_size" not in block.entries:
        fail(where, block.line, "dynamic AIPP needs max_src_image_size")
    return DynamicAipp(_integer(block, "max_src_image_size"))


def _build(block: Block, where: str) -> AippSpec:
    input_format = _NAMES[str(block.entries["input_format"].value)]
    channels = _count_channels(block, input_format, where)
    sides = ("left", "right", "top", "bottom")
    left, right, top, bottom = (_integer(block, f"{side}_padding_size") for side in sides)
    has_padding = bool(_value(block, "padding", False))
    return AippSpec(
        input_format=input_format,
        src_width_px=_integer(block, "src_image_size_w"),
        src_height_px=_integer(block, "src_image_size_h"),
        mean=tuple(_integer(block, f"mean_chn_{index}") for index in range(channels)),
        minimum=_halves(block, "min_chn", 0.0, channels),
        var_reci=_halves(block, "var_reci_chn", 1.0, channels),
        csc=_read_csc(block, input_format, where) if _value(block, "csc_switch", False) else None,
        rbuv_swap=bool(_value(block, "rbuv_swap_switch", False)),
        ax_swap=bool(_value(block, "ax_swap_switch", False)),
        crop=_read_crop(block, where) if _value(block, "crop", False) else None,
        padding=(left, right, top, bottom) if has_padding else (0, 0, 0, 0),
        padding_value=_half(_value(block, "padding_value", 0.0)) if has_padding else 0.0,
    )


def _half(value: Value) -> float:
    return float(np.float16(value))


def _halves(block: Block, name: str, default: float, channels: int) -> Tuple[float, ...]:
    return tuple(_half(_value(block, f"{name}_{index}", default)) for index in range(channels))


def _count_channels(block: Block, input_format: str, where: str) -> int:
    """3 or 1: the text does not say it, but names a register for each channel."""
    defaults = {"mean_chn": 0, "min_chn": 0.0, "var_reci_chn": 1.0}
    named = set()
    for name, default in defaults.items():
        for index in range(4):
            key = f"{name}_{index}"
            if key in block.entries:
                named.add(index)
        if _value(block, f"{name}_3", default) != default:
            fail(where, _line(block, f"{name}_3"), "networks of four channels are not supported")
    if input_format == "gray":
        return 1
    return 1 if named == {0} else 3


def _read_crop(block: Block, where: str) -> Tuple[int, int, int, int]:
    width, height = _integer(block, "crop_size_w"), _integer(block, "crop_size_h")
    if not (width and height):
        fail(where, _line(block, "crop"), "a crop needs crop_size_w and crop_size_h")
    start = _integer(block, "load_start_pos_w"), _integer(block, "load_start_pos_h")
    return (*start, width, height)


def _read_csc(block: Block, input_format: str, where: str) -> CscMatrix:
    missing = [key for key in _MATRIX if key not in block.entries]
    default: Optional[CscMatrix] = None
    if len(missing) == len(_MATRIX):
        default = _YUV_TO_BGR if input_format == "nv12" else _RGB_TO_YUV
        rows = default.rows
    elif missing:
        fail(where, _line(block, "csc_switch"), f"the matrix has no {missing[0]}")
    else:
        rows = (
            _three(block, "matrix_r0c"),
            _three(block, "matrix_r1c"),
            _three(block, "matrix_r2c"),
        )
    zero = (0, 0, 0)
    return CscMatrix(
        rows,
        _three(block, "input_bias_", default.input_bias if default else zero),
        _three(block, "output_bias_", default.output_bias if default else zero),
    )


def _three(
    block: Block, stem: str, default: Tuple[int, int, int] = (0, 0, 0)
) -> Tuple[int, int, int]:
    first, second, third = (_integer(block, f"{stem}{index}", default[index]) for index in range(3))
    return first, second, third
