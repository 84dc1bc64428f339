"""The text for ``--insert_op_conf``, which tells atc what AIPP does (ascend.md section 4.1)."""

from __future__ import annotations

from typing import Dict, List, Tuple, Union

import numpy as np

from atlas_hpe.aipp.settings import AIPP_FORMATS, AippSpec, CscMatrix, DynamicAipp
from atlas_hpe.errors import UsageError

__all__ = ["AippSettings", "aipp_config", "aipp_entries"]

AippSettings = Union[AippSpec, DynamicAipp]

_Value = Union[bool, int, float, str]
_Entry = Tuple[str, _Value]


def aipp_config(settings: AippSettings, index: int = 0) -> str:
    """The block for one input; texts for several inputs are put one after the other.

    Holds the keys that are needed and no others. fp16 numbers are written with all their digits, so
    that the compiler stores the same ones.

    Args:
        settings: What AIPP does. A size of 0x0, for models of several picture sizes, is left out.
        index: Which input of the model, from 0.

    Raises:
        UsageError: A negative index.
    """
    if index < 0:
        raise UsageError(f"a model has no input {index}", where="AIPP")
    lines = [f"    {key} : {_show(value)}" for key, value in aipp_entries(settings, index).items()]
    return "\n".join(["aipp_op {", *lines, "}", ""])


def aipp_entries(settings: AippSettings, index: int = 0) -> Dict[str, _Value]:
    """The keys of the block with their values, in its order; arguments as :func:`aipp_config`."""
    entries: List[_Entry] = [("aipp_mode", "static"), ("related_input_rank", index)]
    if isinstance(settings, DynamicAipp):
        entries[0] = ("aipp_mode", "dynamic")
        entries.append(("max_src_image_size", settings.max_image_bytes))
    else:
        entries += _write(settings)
    return dict(entries)


def _show(value: _Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # Through fp16, as the register holds it; an fp16 number is exact in a few decimals.
        return np.format_float_positional(float(np.float16(value)), trim="0")
    return str(value)


def _write(spec: AippSpec) -> List[_Entry]:
    entries: List[_Entry] = [("input_format", AIPP_FORMATS[spec.input_format])]
    if spec.src_width_px:
        entries += [
            ("src_image_size_w", spec.src_width_px),
            ("src_image_size_h", spec.src_height_px),
        ]
    if spec.crop is not None:
        keys = ("load_start_pos_w", "load_start_pos_h", "crop_size_w", "crop_size_h")
        entries += [("crop", True), *zip(keys, spec.crop)]
    if any(spec.padding):
        sides = tuple(f"{side}_padding_size" for side in ("left", "right", "top", "bottom"))
        entries += [("padding", True), *zip(sides, spec.padding)]
        entries += [("padding_value", float(spec.padding_value))]
    if spec.rbuv_swap:
        entries.append(("rbuv_swap_switch", True))
    if spec.ax_swap:
        entries.append(("ax_swap_switch", True))
    entries.append(("csc_switch", spec.csc is not None))
    if spec.csc is not None:
        entries += _write_csc(spec.csc)
    for channel, (mean, least, factor) in enumerate(zip(spec.mean, spec.minimum, spec.var_reci)):
        entries += [
            (f"mean_chn_{channel}", mean),
            (f"min_chn_{channel}", float(least)),
            (f"var_reci_chn_{channel}", float(factor)),
        ]
    return entries


def _write_csc(csc: CscMatrix) -> List[_Entry]:
    entries: List[_Entry] = [
        (f"matrix_r{row}c{column}", number)
        for row, numbers in enumerate(csc.rows)
        for column, number in enumerate(numbers)
    ]
    for name, bias in (("input_bias", csc.input_bias), ("output_bias", csc.output_bias)):
        if any(bias):
            entries += [(f"{name}_{channel}", number) for channel, number in enumerate(bias)]
    return entries
