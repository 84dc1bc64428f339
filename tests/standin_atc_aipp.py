"""The stand-in's own reader of AIPP configurations: the judge of what the package writes.

Written after ascend.md sections 4.1, 4.2 and 4.6. It shares nothing with ``atlas_hpe.aipp``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, List, Tuple, Union

from standin_atc_flags import Refusal

Value = Union[bool, int, float, str]
Block = Dict[str, Value]

_FORMATS = ("YUV420SP_U8", "XRGB8888_U8", "RGB888_U8", "YUV400_U8")
_INTEGERS: Dict[str, Tuple[int, int]] = {
    "related_input_rank": (0, 1 << 30),
    "src_image_size_w": (0, 4096),
    "src_image_size_h": (0, 4096),
    "load_start_pos_w": (0, 4095),
    "load_start_pos_h": (0, 4095),
    "crop_size_w": (0, 4096),
    "crop_size_h": (0, 4096),
    "left_padding_size": (0, 32),
    "right_padding_size": (0, 32),
    "top_padding_size": (0, 32),
    "bottom_padding_size": (0, 32),
    "max_src_image_size": (1, (1 << 32) - 1),
    "resize_output_w": (16, 4096),
    "resize_output_h": (16, 4096),
    **{f"matrix_r{row}c{column}": (-32768, 32767) for row in range(3) for column in range(3)},
    **{f"{side}_bias_{channel}": (0, 255) for side in ("input", "output") for channel in range(3)},
    **{f"mean_chn_{channel}": (0, 255) for channel in range(4)},
}
_LARGEST_FP16 = 65504.0
_FLOATS = {
    "padding_value": (-_LARGEST_FP16, _LARGEST_FP16),
    **{f"min_chn_{channel}": (0.0, 255.0) for channel in range(4)},
    **{f"var_reci_chn_{channel}": (-_LARGEST_FP16, _LARGEST_FP16) for channel in range(4)},
}
_SWITCHES = {"crop", "resize", "padding", "csc_switch", "rbuv_swap_switch", "ax_swap_switch"}
_TOKEN = re.compile(r"\s*([A-Za-z_]\w*|-?[0-9][\w.+-]*|\"[^\"\n]*\"|[{}:])")


@dataclass(frozen=True)
class AippInput:
    """An input as AIPP makes it.

    ``shape`` is that of ``aclmdlGetInputDimsV2``, ``settings`` what the configuration said.
    """

    rank: int
    shape: Tuple[int, ...]
    dynamic: bool
    settings: Block


def refuse(reason: str) -> Refusal:
    return Refusal("E10052", f"AIPP configuration is invalid. Reason: {reason}.")


def parse_config(text: str) -> List[Block]:
    """The blocks of the text protobuf."""
    tokens = _tokens(text)
    blocks: List[Block] = []
    index = 0
    while index < len(tokens):
        if tokens[index] != "aipp_op" or tokens[index + 1 : index + 2] != ["{"]:
            raise refuse(f"expected [aipp_op {{], found [{tokens[index]}]")
        index += 2
        block: Block = {}
        while index < len(tokens) and tokens[index] != "}":
            key = tokens[index]
            if tokens[index + 1 : index + 2] != [":"] or index + 2 >= len(tokens):
                raise refuse(f"expected [{key} : value]")
            if key in block:
                raise refuse(f"[{key}] is there twice")
            block[key] = _value(key, tokens[index + 2])
            index += 3
        if index >= len(tokens):
            raise refuse("a block is not closed")
        index += 1
        blocks.append(block)
    if not blocks:
        raise refuse("there is no aipp_op")
    return blocks


def _tokens(text: str) -> List[str]:
    text = re.sub(r"#[^\n]*", "", text).rstrip()
    tokens, offset = [], 0
    while offset < len(text):
        match = _TOKEN.match(text, offset)
        if match is None:
            raise refuse(f"can't read [{text[offset:].strip()[:20]}]")
        tokens.append(match.group(1))
        offset = match.end()
    return tokens


def _value(key: str, token: str) -> Value:
    if key in _SWITCHES:
        if token not in ("true", "false"):
            raise refuse(f"[{key}] must be true or false, not [{token}]")
        return token == "true"
    if key in _INTEGERS:
        least, most = _INTEGERS[key]
        if not re.match(r"-?[0-9]{1,10}$", token) or not least <= int(token) <= most:
            raise refuse(f"[{key}] must be an integer within {least} and {most}, not [{token}]")
        return int(token)
    if key in _FLOATS:
        try:
            value = float(token)
        except ValueError:
            raise refuse(f"[{key}] must be a number, not [{token}]") from None
        low, high = _FLOATS[key]
        if not low <= value <= high:
            raise refuse(f"[{key}] must be a number within {low:g} and {high:g}, not [{token}]")
        return value
    if key == "aipp_mode" and token in ("static", "dynamic"):
        return token
    if key == "input_format" and token in _FORMATS:
        return token
    raise refuse(f"[{key} : {token}] is not supported on Ascend310")


def apply_config(
    text: str, shapes: List[Tuple[int, ...]], *, dynamic_image_size: bool
) -> List[AippInput]:
    """The inputs that the configuration changes.

    Args:
        text: The configuration.
        shapes: NCHW shapes of the model's inputs, -1 for an axis that profiles fill.
        dynamic_image_size: Whether the profiles are image sizes.
    """
    inputs = [_apply(block, shapes, dynamic_image_size) for block in parse_config(text)]
    if len({item.rank for item in inputs}) != len(inputs):
        raise refuse("two blocks have the same [related_input_rank]")
    return inputs


def _apply(block: Block, shapes: List[Tuple[int, ...]], dynamic_image_size: bool) -> AippInput:
    if "aipp_mode" not in block:
        raise refuse("[aipp_mode] is required")
    rank = int(block.get("related_input_rank", 0))
    if rank >= len(shapes):
        raise refuse(f"[related_input_rank] is {rank}, the model has {len(shapes)} inputs")
    shape = shapes[rank]
    if len(shape) != 4:
        raise refuse(f"the input has {len(shape)} dimensions, AIPP needs 4")
    if block["aipp_mode"] == "dynamic":
        if "max_src_image_size" not in block:
            raise refuse("[max_src_image_size] is required")
        return AippInput(rank, (shape[0], int(block["max_src_image_size"])), True, block)
    if block.get("resize"):
        raise refuse("[resize] is not supported on Ascend310")
    if "input_format" not in block:
        raise refuse("[input_format] is required")
    _check_colour(block, shape[1])
    width, height = _source_size(block, shape, dynamic_image_size)
    return AippInput(
        rank, _buffer(str(block["input_format"]), shape[0], width, height), False, block
    )


def _check_colour(block: Block, channels: int) -> None:
    form, csc = block["input_format"], bool(block.get("csc_switch"))
    if form == "YUV400_U8":
        if csc or block.get("rbuv_swap_switch"):
            raise refuse("YUV400_U8 has one channel, nothing to convert or swap")
        fits = channels == 1
    elif form == "XRGB8888_U8":
        fits = channels in (3, 4) or (channels == 1 and csc)
    else:
        fits = channels == 3 or (channels == 1 and csc)
    if not fits:
        raise refuse(f"the model's input has {channels} channels, which {form} does not give")


def _source_size(block: Block, shape: Tuple[int, ...], dynamic_image_size: bool) -> Tuple[int, int]:
    """Width and height of the picture, after the rules that tie it to the model's input."""
    width, height = int(block.get("src_image_size_w", 0)), int(block.get("src_image_size_h", 0))
    crop, padding = bool(block.get("crop")), bool(block.get("padding"))
    if dynamic_image_size:
        if width or height or crop or padding:
            raise refuse("with [--dynamic_image_size] no source size, crop or padding is allowed")
        return shape[3], shape[2]
    if not (width and height) and (width or height or crop or padding):
        raise refuse("[src_image_size_w] and [src_image_size_h] are needed with crop or padding")
    width, height = width or shape[3], height or shape[2]
    if width < 2:
        raise refuse("[src_image_size_w] must be within 2 and 4096")
    left, top, inner_width, inner_height = 0, 0, width, height
    if crop:
        left, top = int(block.get("load_start_pos_w", 0)), int(block.get("load_start_pos_h", 0))
        inner_width = int(block.get("crop_size_w", 0)) or (0 if padding else shape[3])
        inner_height = int(block.get("crop_size_h", 0)) or (0 if padding else shape[2])
        if not inner_width or not inner_height:
            raise refuse("[crop_size_w] and [crop_size_h] are needed with padding")
        if left + inner_width > width or top + inner_height > height:
            raise refuse("the crop reaches out of the picture")
    even = (width, height, left, top)
    if block["input_format"] == "YUV420SP_U8" and any(size % 2 for size in even):
        raise refuse("YUV420SP_U8 needs an even picture and an even start of the crop")
    if padding:
        inner_width += _sum(block, "left", "right")
        inner_height += _sum(block, "top", "bottom")
    if (inner_width, inner_height) != (shape[3], shape[2]):
        raise refuse(
            f"the picture comes out as {inner_width}x{inner_height}, "
            f"the model's input is {shape[3]}x{shape[2]}"
        )
    return width, height


def _sum(block: Block, *sides: str) -> int:
    return sum(int(block.get(f"{side}_padding_size", 0)) for side in sides)


def _buffer(form: str, batch: int, width: int, height: int) -> Tuple[int, ...]:
    if form == "YUV420SP_U8":
        return (batch, height * 3 // 2 if height > 0 else -1, width, 1)
    return (batch, height, width, {"RGB888_U8": 3, "XRGB8888_U8": 4, "YUV400_U8": 1}[form])
