"""The memory of the input ``ascend_dynamic_aipp_data``, byte for byte (ascend.md section 4.7)."""

from __future__ import annotations

from typing import Mapping, Sequence, Tuple

import numpy as np

from atlas_hpe.aipp import AippSpec, CscMatrix
from atlas_hpe.errors import UsageError

__all__ = ["HEADER", "INPUT_FORMATS", "RECORD", "aipp_from_record", "record_size"]


def _layout(fields: Mapping[str, Tuple[str, int]], size: int) -> np.dtype:
    """A record of so many bytes from the type and the offset of each field."""
    formats, offsets = zip(*fields.values())
    return np.dtype(
        {
            "names": list(fields),
            "formats": list(formats),
            "offsets": list(offsets),
            "itemsize": size,
        }
    )


#: The first 64 bytes.
HEADER = _layout(
    {
        "input_format": ("u1", 0),
        "csc_switch": ("i1", 1),
        "rbuv_swap_switch": ("i1", 2),
        "ax_swap_switch": ("i1", 3),
        "batch_count": ("i1", 4),
        "src_image_size_w": ("<i4", 8),
        "src_image_size_h": ("<i4", 12),
        "matrix": ("9<i2", 16),
        "output_bias": ("3u1", 40),
        "input_bias": ("3u1", 43),
    },
    64,
)
#: 96 bytes for each picture of the batch.
RECORD = _layout(
    {
        "crop": ("i1", 0),
        "scf": ("i1", 1),
        "padding": ("i1", 2),
        "rotate": ("i1", 3),
        "crop_values": ("4<i4", 8),  # left, top, width, height
        "scf_values": ("4<i4", 24),
        "padding_values": ("4<i4", 40),  # top, bottom, left, right
        "mean": ("4<i2", 56),
        "minimum": ("4<f2", 64),
        "var_reci": ("4<f2", 72),
    },
    96,
)
#: Number of an input format -> our name (ascend.md section 1.6); the chip has no others.
INPUT_FORMATS = {1: "nv12", 2: "xrgb", 3: "rgb", 4: "gray"}


def record_size(batch: int) -> int:
    """Bytes for a batch."""
    return HEADER.itemsize + RECORD.itemsize * batch


def aipp_from_record(data: np.ndarray, index: int, channels: int) -> AippSpec:
    """The settings for one picture.

    Args:
        data: The memory, uint8, of at least ``record_size(index + 1)`` bytes.
        index: Position of the picture in the batch.
        channels: Channels that the model takes.

    Raises:
        UsageError: Settings that the unit of this chip can't follow.
    """
    header = data[: HEADER.itemsize].view(HEADER)[0]
    start = record_size(index)
    record = data[start : start + RECORD.itemsize].view(RECORD)[0]
    input_format = int(header["input_format"])
    if input_format not in INPUT_FORMATS:
        raise UsageError(f"AIPP on this chip has no input format {input_format}")
    if record["scf"] or record["rotate"]:
        raise UsageError("AIPP on this chip neither resizes nor turns")
    matrix = header["matrix"].tolist()
    csc = CscMatrix(
        (_three(matrix[:3]), _three(matrix[3:6]), _three(matrix[6:])),
        _three(header["input_bias"].tolist()),
        _three(header["output_bias"].tolist()),
    )
    left, top, width, height = record["crop_values"].tolist()
    pad_top, pad_bottom, pad_left, pad_right = record["padding_values"].tolist()
    pad = (pad_left, pad_right, pad_top, pad_bottom)
    return AippSpec(
        input_format=INPUT_FORMATS[input_format],
        src_width_px=int(header["src_image_size_w"]),
        src_height_px=int(header["src_image_size_h"]),
        mean=tuple(record["mean"].tolist()[:channels]),
        minimum=tuple(record["minimum"].tolist()[:channels]),
        var_reci=tuple(record["var_reci"].tolist()[:channels]),
        csc=csc if header["csc_switch"] else None,
        rbuv_swap=bool(header["rbuv_swap_switch"]),
        ax_swap=bool(header["ax_swap_switch"]),
        crop=(left, top, width, height) if record["crop"] else None,
        padding=pad if record["padding"] else (0, 0, 0, 0),
    )


def _three(values: Sequence[int]) -> Tuple[int, int, int]:
    first, second, third = values
    return first, second, third
