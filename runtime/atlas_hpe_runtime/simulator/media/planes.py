"""Pictures in memory <-> arrays: Y, and Cb and Cr at their own resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from atlas_hpe_runtime.simulator.media.formats import GREY, Picture
from atlas_hpe_runtime.simulator.media.limits import Area

__all__ = ["Planes", "crop_planes", "halve_chroma", "read_picture", "to_420", "write_picture"]

# BT.601 narrow range, AIPP's default for RGB (ascend.md section 4.4). VPC's own is not published.
_RGB_TO_YUV = np.array([[66, 129, 25], [-38, -74, 112], [112, -94, -18]], np.int32)
_YUV_BIAS = np.array([16, 128, 128], np.int32)


@dataclass(frozen=True)
class Planes:
    """A picture as arrays.

    Attributes:
        luma: (H, W) uint8.
        chroma: (rows, columns, 2) uint8, Cb then Cr.
    """

    luma: np.ndarray
    chroma: np.ndarray


def read_picture(memory: np.ndarray, picture: Picture) -> Planes:
    """The picture that lies in memory.

    Args:
        memory: uint8, ``picture.least_size`` bytes or more.
        picture: What lies there. Grey has no chroma in memory: it reads as 128.

    Returns:
        Copies; chroma in the sampling of the format.
    """
    layout, width, height = picture.layout, picture.width, picture.height
    if layout.kind == "planar":
        return _read_planar(memory, picture)
    rows = memory[: height * picture.width_stride].reshape(height, picture.width_stride)
    pixels = rows[:, : width * layout.bytes_per_pixel]
    if layout.kind == "422":
        groups = pixels.reshape(height, width // 2, 4)
        luma = [index for index, channel in enumerate(layout.order) if channel == "Y"]
        chroma = [layout.order.index("U"), layout.order.index("V")]
        return Planes(groups[..., luma].reshape(height, width), groups[..., chroma])
    groups = pixels.reshape(height, width, layout.bytes_per_pixel)
    if layout.kind == "rgb":
        rgb = groups[..., [layout.order.index(channel) for channel in "RGB"]].astype(np.int32)
        groups = (((rgb @ _RGB_TO_YUV.T) >> 8) + _YUV_BIAS).clip(0, 255).astype(np.uint8)
    return Planes(groups[..., 0].copy(), groups[..., 1:].copy())


def _read_planar(memory: np.ndarray, picture: Picture) -> Planes:
    luma = _luma_rows(memory, picture)[: picture.height, : picture.width].copy()
    if picture.format == GREY:
        shape = (-(-picture.height // 2), -(-picture.width // 2), 2)
        return Planes(luma, np.full(shape, 128, np.uint8))
    chroma = _chroma_view(memory, picture)
    return Planes(luma, (chroma if picture.layout.order == "uv" else chroma[..., ::-1]).copy())


def _luma_rows(memory: np.ndarray, picture: Picture) -> np.ndarray:
    rows, stride = picture.height_stride, picture.width_stride
    return memory[: rows * stride].reshape(rows, stride)


def _chroma_view(memory: np.ndarray, picture: Picture) -> np.ndarray:
    """Chroma of a planar picture as (rows, columns, 2), a view in the order of the format."""
    layout = picture.layout
    stride = picture.width_stride * (2 // layout.chroma_w)
    rows = picture.height_stride // layout.chroma_h
    start = picture.height_stride * picture.width_stride
    chroma: np.ndarray = memory[start : start + rows * stride].reshape(rows, stride)
    used_rows = picture.height // layout.chroma_h
    used_columns = picture.width // layout.chroma_w
    return chroma[:used_rows, : used_columns * 2].reshape(used_rows, used_columns, 2)


def write_picture(memory: np.ndarray, picture: Picture, planes: Planes, area: Area) -> None:
    """Write planes into an area of a planar picture; all other bytes stay as they are.

    Args:
        memory: uint8, writable, ``picture.least_size`` bytes or more.
        picture: What lies there, of a semi-planar format.
        planes: The area's content, in the sampling of the format.
        area: Where to.
    """
    layout = picture.layout
    luma = _luma_rows(memory, picture)
    luma[area.top : area.bottom + 1, area.left : area.right + 1] = planes.luma
    chroma = planes.chroma if layout.order == "uv" else planes.chroma[..., ::-1]
    top, left = area.top // layout.chroma_h, area.left // layout.chroma_w
    rows, columns = chroma.shape[:2]
    _chroma_view(memory, picture)[top : top + rows, left : left + columns] = chroma


def crop_planes(planes: Planes, area: Area) -> Planes:
    """The part of a picture inside an area; its edges must fall between chroma samples."""
    height, width = planes.luma.shape
    step_y = -(-height // planes.chroma.shape[0])
    step_x = -(-width // planes.chroma.shape[1])
    return Planes(
        planes.luma[area.top : area.bottom + 1, area.left : area.right + 1],
        planes.chroma[
            area.top // step_y : area.bottom // step_y + 1,
            area.left // step_x : area.right // step_x + 1,
        ],
    )


def halve_chroma(chroma: np.ndarray, axis: int) -> np.ndarray:
    """Mean of two neighbours along an axis, halves rounded up; an odd last one is repeated."""
    if chroma.shape[axis] % 2:
        last = np.take(chroma, [-1], axis=axis)
        chroma = np.concatenate([chroma, last], axis=axis)
    first = np.take(chroma, range(0, chroma.shape[axis], 2), axis=axis).astype(np.uint16)
    second = np.take(chroma, range(1, chroma.shape[axis], 2), axis=axis)
    mean: np.ndarray = (first + second + 1) >> 1
    return mean.astype(np.uint8)


def to_420(planes: Planes) -> Planes:
    """The same picture with one chroma sample for 2x2 pixels."""
    height, width = planes.luma.shape
    chroma = planes.chroma
    if chroma.shape[1] > -(-width // 2):
        chroma = halve_chroma(chroma, axis=1)
    if chroma.shape[0] > -(-height // 2):
        chroma = halve_chroma(chroma, axis=0)
    return Planes(planes.luma, chroma)
