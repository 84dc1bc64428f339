"""Pictures in the form that AIPP takes, and what a network sees of them.

Coefficients are multiples of 2^-14, so that every sum of them with pixels is exact in float32: the
result is the same on every machine, in whatever order a library adds.
"""

from __future__ import annotations

from typing import Dict, Optional, Tuple

import numpy as np

from atlas_hpe.aipp.arithmetic import apply_aipp
from atlas_hpe.aipp.choice import (
    aipp_input_shape,
    aipp_spec,
    check_pictures,
    choose_aipp_input,
)
from atlas_hpe.aipp.settings import find_matrix
from atlas_hpe.card import AippInput, ModelCard
from atlas_hpe.errors import UsageError

__all__ = ["aipp_buffer", "aipp_feeds", "bgr_to_nv12"]

_SCALE = 1 << 14


def bgr_to_nv12(
    crop: np.ndarray, matrix: str = "bt601-narrow", out: Optional[np.ndarray] = None
) -> np.ndarray:
    """A picture as the device's decoders deliver it: the inverse of what AIPP's matrix does.

    ``[Y, U, V] = inverse(rows / 256) @ [R, G, B] + input_bias``, with the inverse rounded to
    multiples of 2^-14; the result is rounded to the nearest, halves up, and kept in 0..255. U and V
    are the mean of 2x2 pixels, taken before they are rounded.

    Args:
        crop: (H, W, 3) uint8, BGR, both sides even.
        matrix: A key of ``CSC_MATRICES``.
        out: An array of the result's shape and type to write to, None for a new one.

    Returns:
        (H * 3 / 2, W) uint8: H rows of Y, then H / 2 rows of U and V in turn.

    Raises:
        UsageError: Not such a picture, or an unknown matrix.
    """
    _check_picture(crop)
    height, width = crop.shape[:2]
    if height % 2 or width % 2:
        raise UsageError(
            f"a picture of {width}x{height} px has no nv12 form",
            why="four pixels share one chroma, so both sides must be even",
            fix="feed rgb, or use an even size",
        )
    planes = np.empty((height * 3 // 2, width), np.uint8) if out is None else out
    _write_yuv(crop, matrix, planes[:height], planes[height:])
    return planes


def _write_yuv(crop: np.ndarray, matrix: str, luma: np.ndarray, chroma: np.ndarray) -> None:
    """Fill (H, W) and (H / 2, W), U first."""
    csc = find_matrix(matrix)
    # Rows Y, U, V; columns B, G, R, as the pixels have them.
    weights = _exact(np.linalg.inv(np.array(csc.rows) / 256)[:, ::-1])
    pixels = crop.astype(np.float32)
    _weigh(pixels.reshape(-1, 3), weights[0], csc.input_bias[0], luma)
    # Two rows are added up, two columns by having their weights twice.
    pairs = (pixels[0::2] + pixels[1::2]).reshape(-1, 6)
    _weigh(pairs, np.tile(weights[1:].T / 4, (2, 1)), csc.input_bias[1], chroma)


def _exact(weights: np.ndarray) -> np.ndarray:
    return (np.round(weights * _SCALE) / _SCALE).astype(np.float32)


def _weigh(pixels: np.ndarray, weights: np.ndarray, bias: int, out: np.ndarray) -> None:
    """``pixels @ weights + bias`` to the nearest whole number in 0..255."""
    values = np.dot(pixels, np.ascontiguousarray(weights))
    values += np.float32(bias + 0.5)
    np.clip(values, 0, 255, out=values)
    np.copyto(out, values.reshape(out.shape), casting="unsafe")


#: B, G, R to the luma of BT.601, wide range, as OpenCV's grey.
_GREY = _exact(np.array([0.114, 0.587, 0.299]))


def aipp_buffer(
    crop: np.ndarray, aipp_input: AippInput, out: Optional[np.ndarray] = None
) -> np.ndarray:
    """A network's picture in the form that its AIPP takes.

    What AIPP pads is left out. Where AIPP crops, the picture lies there, and the rest is not
    written.

    Args:
        crop: (H, W, 3) uint8, BGR, of the network's size.
        aipp_input: The form, one that ``aipp_spec`` takes.
        out: What an earlier call returned, to be filled again; None for a new array of zeros.

    Returns:
        uint8 of ``aipp_input_shape``. X of xrgb is 0; gray is the BT.601 luma, wide range.

    Raises:
        UsageError: Not such a picture, or an unknown form or matrix.
    """
    _check_picture(crop)
    shape = aipp_input_shape(aipp_input)
    batch = np.zeros(shape, np.uint8) if out is None else out
    left, top, width, height = aipp_input.crop or (0, 0, aipp_input.width_px, aipp_input.height_px)
    pad_left, pad_right, pad_top, pad_bottom = aipp_input.padding
    made = (pad_top + height + pad_bottom, pad_left + width + pad_right)
    if crop.shape[:2] != made:
        raise UsageError(
            "the picture does not fit the AIPP settings",
            why=f"they make {made[1]}x{made[0]} px, the picture has "
            f"{crop.shape[1]}x{crop.shape[0]}",
        )
    shown = crop[pad_top : pad_top + height, pad_left : pad_left + width]
    if aipp_input.form in ("nv12", "nv21"):
        _place_yuv(shown, aipp_input, batch[0, :, :, 0], (left, top))
    else:
        _write_packed(shown, aipp_input.form, batch[0, top : top + height, left : left + width])
    return batch


def _place_yuv(
    shown: np.ndarray, aipp_input: AippInput, planes: np.ndarray, start: Tuple[int, int]
) -> None:
    """Write a picture into the planes of a larger one, from an even column and row on."""
    # An odd picture shares its last blocks with what is not shown: its own edge goes there too.
    odd = shown.shape[0] % 2, shown.shape[1] % 2
    if any(odd):
        shown = np.pad(shown, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")
    left, top = start
    height, width = shown.shape[:2]
    luma, chroma = planes[: aipp_input.height_px], planes[aipp_input.height_px :]
    half = chroma[top // 2 : (top + height) // 2, left : left + width]
    matrix = aipp_input.matrix or ""
    _write_yuv(shown, matrix, luma[top : top + height, left : left + width], half)
    if aipp_input.form == "nv21":
        half[:, 0::2], half[:, 1::2] = half[:, 1::2].copy(), half[:, 0::2].copy()


def _write_packed(shown: np.ndarray, form: str, out: np.ndarray) -> None:
    if form == "bgr":
        out[...] = shown
    elif form == "gray":
        _weigh(shown.astype(np.float32).reshape(-1, 3), _GREY, 0, out[..., 0])
    elif form in ("rgb", "xrgb"):
        for channel in (1, 2, 3):  # one by one: twice as fast as all three at once
            out[..., -channel] = shown[..., channel - 1]
    else:
        raise UsageError(f"there is no input form '{form}'")


def _check_picture(crop: np.ndarray) -> None:
    if crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3:
        raise UsageError(
            "the array is not a picture",
            why=f"expected uint8 (H, W, 3), got {crop.dtype} {list(crop.shape)}",
        )


def aipp_feeds(
    card: ModelCard, crop: np.ndarray, aipp_input: Optional[AippInput] = None
) -> Dict[str, np.ndarray]:
    """What a network would see with AIPP in front of it, to feed the ONNX graph with.

    Args:
        card: The model's card; its first input is the picture.
        crop: (height_px, width_px, 3) uint8, BGR.
        aipp_input: Form in which the picture reaches the device; None for that of the card, or else
            nv12 of BT.601, narrow range.

    Returns:
        Input name -> array of batch 1 in the network's layout and type, holding fp16 values.

    Raises:
        UsageError: The card's input is not a picture, or the crop has another size.
    """
    check_pictures(card)
    preprocess = card.preprocess
    chosen = aipp_input or preprocess.aipp or choose_aipp_input(preprocess, "nv12")
    values = apply_aipp(aipp_buffer(crop, chosen).ravel(), aipp_spec(preprocess, chosen))
    if preprocess.layout == "NHWC":
        values = values.transpose(0, 2, 3, 1)
    values = np.ascontiguousarray(values.astype(preprocess.dtype))
    return {card.graphs[0].inputs[0].name: values}
