"""The arithmetic of AIPP: what the network receives for a picture.

Four things are documented nowhere, and are chosen here:

- ``>> 8`` after the colour matrix rounds down, as an arithmetic shift does; the sum before it is
  exact.
- Each step of the normalisation rounds to the nearest fp16, ties to even.
- All four pixels of a 2x2 block take the chroma of the block as it is, without interpolation.
- Four channels are X R G B in memory, ``ax_swap`` makes them R G B X, and the first three go on.

Expect a real board to differ by a step of 255 in colour, and by 1e-3 of a normalised value
(ascend.md section 11, point 7).
"""

from __future__ import annotations

import numpy as np

from atlas_hpe.aipp.registers import normalise
from atlas_hpe.aipp.settings import AIPP_FORMATS, AippSpec, CscMatrix
from atlas_hpe.errors import UsageError

__all__ = ["apply_aipp"]


def apply_aipp(buffer: np.ndarray, spec: AippSpec) -> np.ndarray:
    """What the network receives for a picture.

    Args:
        buffer: uint8, of ``spec.buffer_shape``, or the same bytes flat; a batch of 1 in front is
            taken too.
        spec: The settings.

    Returns:
        (1, C, H, W) float16.

    Raises:
        UsageError: A buffer of another shape or type.
    """
    pixels = _swap_channels(_unpack(buffer, spec), spec)
    if spec.crop is not None:
        left, top, width, height = spec.crop
        pixels = pixels[top : top + height, left : left + width]
    pixels = pixels[..., :3]
    if spec.csc is not None:
        pixels = _convert(pixels, spec.csc)
    pixels = pixels[..., : len(spec.mean)]
    registers = (spec.mean, spec.minimum, spec.var_reci)
    values = normalise(pixels, *(np.array(numbers) for numbers in registers))
    left, right, top, bottom = spec.padding
    edges = ((top, bottom), (left, right), (0, 0))
    values = np.pad(values, edges, mode="constant", constant_values=spec.padding_value)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def _unpack(buffer: np.ndarray, spec: AippSpec) -> np.ndarray:
    """The bytes as (H, W, channels) int32."""
    shape = spec.buffer_shape
    size = int(np.prod(shape))
    if buffer.dtype != np.uint8 or buffer.shape not in ((size,), shape, (1, *shape)):
        raise UsageError(
            "the picture does not fit the AIPP settings",
            why=f"{AIPP_FORMATS[spec.input_format]} takes uint8 {list(shape)}, "
            f"got {buffer.dtype} {list(buffer.shape)}",
        )
    values = buffer.astype(np.int32)
    height, width = spec.src_height_px, spec.src_width_px
    if spec.input_format != "nv12":
        return values.reshape(height, width, -1)
    luma, chroma = np.split(values.reshape(-1), [height * width])
    blocks = chroma.reshape(height // 2, width // 2, 2)
    spread = blocks.repeat(2, axis=0).repeat(2, axis=1)
    return np.concatenate([luma.reshape(height, width, 1), spread], axis=2)


def _swap_channels(pixels: np.ndarray, spec: AippSpec) -> np.ndarray:
    order = list(range(pixels.shape[2]))
    if spec.rbuv_swap:
        first, second = {"nv12": (1, 2), "rgb": (0, 2), "xrgb": (1, 3)}[spec.input_format]
        order[first], order[second] = order[second], order[first]
    if spec.ax_swap:
        order = order[1:] + order[:1]
    return pixels[..., order]


def _convert(pixels: np.ndarray, csc: CscMatrix) -> np.ndarray:
    total = (pixels - np.array(csc.input_bias)) @ np.array(csc.rows).T
    return np.asarray(np.clip((total >> 8) + np.array(csc.output_bias), 0, 255))
