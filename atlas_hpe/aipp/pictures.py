"""Pictures in the form that AIPP takes, and what a network sees of them."""

from __future__ import annotations

from typing import Dict

import numpy as np

from atlas_hpe.aipp.arithmetic import apply_aipp
from atlas_hpe.aipp.settings import AIPP_FORMATS, aipp_spec, find_matrix
from atlas_hpe.card import ModelCard
from atlas_hpe.errors import UsageError

__all__ = ["aipp_buffer", "aipp_feeds", "bgr_to_nv12"]

_LUMA_BGR = np.array([0.114, 0.587, 0.299])  # BT.601, as OpenCV's grey


def bgr_to_nv12(crop: np.ndarray, matrix: str = "bt601-narrow") -> np.ndarray:
    """A picture as the device's decoders deliver it: the inverse of what AIPP's matrix does.

    ``[Y, U, V] = inverse(rows / 256) @ [R, G, B] + input_bias``, rounded to the nearest and kept in
    0..255. U and V are the mean of 2x2 pixels, taken before they are rounded.

    Args:
        crop: (H, W, 3) uint8, BGR, both sides even.
        matrix: A key of ``CSC_MATRICES``.

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
    csc = find_matrix(matrix)
    rgb = crop[..., ::-1].astype(np.float64)
    yuv = rgb @ np.linalg.inv(np.array(csc.rows) / 256).T + np.array(csc.input_bias)
    chroma = yuv[..., 1:].reshape(height // 2, 2, width // 2, 2, 2).mean(axis=(1, 3))
    return _to_bytes(np.concatenate([yuv[..., 0], chroma.reshape(height // 2, width)]))


def aipp_buffer(
    crop: np.ndarray, input_format: str = "nv12", matrix: str = "bt601-narrow"
) -> np.ndarray:
    """A picture in the form that AIPP takes.

    Args:
        crop: (H, W, 3) uint8, BGR.
        input_format: A key of ``AIPP_FORMATS``.
        matrix: A key of ``CSC_MATRICES``, for nv12.

    Returns:
        uint8 of ``AippSpec.buffer_shape``. X of xrgb is 0; gray is the BT.601 luma, wide range.

    Raises:
        UsageError: Not such a picture, or an unknown name.
    """
    _check_picture(crop)
    if input_format == "nv12":
        return bgr_to_nv12(crop, matrix)
    if input_format == "rgb":
        return np.ascontiguousarray(crop[..., ::-1])
    if input_format == "xrgb":
        return np.concatenate([np.zeros_like(crop[..., :1]), crop[..., ::-1]], axis=2)
    if input_format == "gray":
        return _to_bytes(crop @ _LUMA_BGR)[..., None]
    raise UsageError(
        f"there is no input format '{input_format}'",
        fix="choose one of: " + ", ".join(AIPP_FORMATS),
    )


def _to_bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)


def _check_picture(crop: np.ndarray) -> None:
    if crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3:
        raise UsageError(
            "the array is not a picture",
            why=f"expected uint8 (H, W, 3), got {crop.dtype} {list(crop.shape)}",
        )


def aipp_feeds(
    card: ModelCard,
    crop: np.ndarray,
    input_format: str = "nv12",
    matrix: str = "bt601-narrow",
) -> Dict[str, np.ndarray]:
    """What a network would see with AIPP in front of it, to feed the ONNX graph with.

    Args:
        card: The model's card; its first input is the picture.
        crop: (height_px, width_px, 3) uint8, BGR.
        input_format: Form in which the picture reaches the device.
        matrix: Colours of nv12.

    Returns:
        Input name -> array of batch 1 in the card's layout and type, holding fp16 values.

    Raises:
        UsageError: The card's input is not a picture, or the crop has another size.
    """
    preprocess = card.preprocess
    if card.task == "depth-hand-3d":
        raise UsageError("the model takes depth, not pictures: AIPP has no part", where=card.name)
    buffer = aipp_buffer(crop, input_format, matrix)
    values = apply_aipp(buffer, aipp_spec(preprocess, input_format, matrix))
    if preprocess.layout == "NHWC":
        values = values.transpose(0, 2, 3, 1)
    values = np.ascontiguousarray(values.astype(preprocess.dtype))
    return {card.graphs[0].inputs[0].name: values}
