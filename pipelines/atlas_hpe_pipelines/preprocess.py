"""Picture to network input, from the card's ``PreprocessSpec``: the host reference."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Dict, Optional, Tuple

import cv2
import numpy as np

from atlas_hpe.aipp import aipp_buffer, aipp_input_shape
from atlas_hpe.card import ModelCard, PreprocessSpec, TensorSpec
from atlas_hpe.errors import InputError, UsageError
from atlas_hpe.files import read_bytes
from atlas_hpe.geometry import Box, apply_affine, box_affine, invert_affine, to_pixel_centres
from atlas_hpe.parity import Sample
from atlas_hpe_pipelines.regions import choose_region

__all__ = [
    "crop_picture",
    "cut_sample",
    "input_affine",
    "make_feeds",
    "picture_input",
    "prepare_sample",
    "to_feeds",
]


def input_affine(spec: PreprocessSpec, region: Box) -> np.ndarray:
    """The map from source pixels to input pixels for a region, (2, 3)."""
    return box_affine(region, (spec.width_px, spec.height_px), spec.fit == "letterbox")


def crop_picture(
    image: np.ndarray,
    affine: np.ndarray,
    spec: PreprocessSpec,
    out: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Cut the input out of a picture.

    Where the picture shrinks by two or more it is halved as often first, averaging as an area
    filter does, so that fine texture does not alias.

    Args:
        image: (H, W, 3) uint8, BGR.
        affine: (2, 3) map from source to input, continuous pixels.
        spec: Size and border of the input.
        out: An array of the result's shape and type to write to, None for a new one.

    Returns:
        (height_px, width_px, 3) uint8, BGR.
    """
    scale = math.sqrt(abs(float(np.linalg.det(affine[:, :2]))))
    halvings = int(math.log2(1 / scale)) if scale < 1 else 0
    if halvings:
        image, affine = _shrink(image, affine, halvings, spec)
    mean_bgr = spec.mean[::-1] if spec.colour == "rgb" else spec.mean
    return np.asarray(
        cv2.warpAffine(
            image,
            to_pixel_centres(affine),
            (spec.width_px, spec.height_px),
            dst=out,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT if spec.border == "mean" else cv2.BORDER_REPLICATE,
            borderValue=tuple(mean_bgr) if len(mean_bgr) == 3 else mean_bgr * 3,
        )
    )


def _shrink(
    image: np.ndarray, affine: np.ndarray, halvings: int, spec: PreprocessSpec
) -> Tuple[np.ndarray, np.ndarray]:
    """Halve the part of the picture that the input shows; OpenCV is fastest at exact halves."""
    factor = 2**halvings
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * (spec.width_px, spec.height_px)
    seen = apply_affine(invert_affine(affine), corners)
    limits = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(seen.min(axis=0)).astype(int) - factor, 0, limits - 1)
    high = np.clip(np.ceil(seen.max(axis=0)).astype(int) + factor, low + 1, limits)
    small = image[low[1] : high[1], low[0] : high[0]]
    for _ in range(halvings):
        half = ((small.shape[1] + 1) // 2, (small.shape[0] + 1) // 2)
        small = cv2.resize(small, half, interpolation=cv2.INTER_AREA)
    # Source pixels per small pixel; close to factor, as odd sides are rounded up.
    ratio = (high - low) / np.array([small.shape[1], small.shape[0]])
    linear = affine[:, :2] * ratio
    shift = affine[:, :2] @ low + affine[:, 2]
    return small, np.hstack([linear, shift[:, None]])


def to_feeds(
    card: ModelCard, crop: np.ndarray, out: Optional[Dict[str, np.ndarray]] = None
) -> Dict[str, np.ndarray]:
    """Colour order, normalisation, layout and dtype of the card, or the picture that AIPP takes.

    Args:
        card: The model's card; its first input is the picture.
        crop: (height_px, width_px, 3) uint8, BGR.
        out: What an earlier call returned, to be filled again; None for a new array.

    Returns:
        Input name -> array of batch 1.
    """
    spec = card.preprocess
    feeds = make_feeds(card) if out is None else out
    (batch,) = feeds.values()
    if spec.aipp is not None:
        aipp_buffer(crop, spec.aipp, batch)
        return feeds
    planes = batch[0] if spec.layout == "NCHW" else batch[0].transpose(2, 0, 1)
    if spec.colour == "gray":
        channels = [np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY))]
    else:
        channels = [
            crop[..., index] for index in ((0, 1, 2) if spec.colour == "bgr" else (2, 1, 0))
        ]
    for plane, channel, mean, std in zip(planes, channels, spec.mean, spec.std):
        if spec.where != "host":
            plane[...] = channel
            continue
        # A plane at a time, each in one pass over memory: four times as fast as all three at once.
        values = plane if plane.dtype == np.float32 else np.empty(plane.shape, np.float32)
        np.subtract(channel, np.float32(mean), out=values, dtype=np.float32)
        np.divide(values, np.float32(std), out=values)
        if values is not plane:
            plane[...] = values
    return feeds


def picture_input(card: ModelCard) -> TensorSpec:
    """The input that takes one picture, as ``to_feeds`` fills it."""
    spec, name = card.preprocess, card.graphs[0].inputs[0].name
    if spec.aipp is not None:
        return TensorSpec(name, aipp_input_shape(spec.aipp), "uint8", "NHWC")
    channels = 1 if spec.colour == "gray" else 3
    size = (spec.height_px, spec.width_px)
    shape = (1, channels, *size) if spec.layout == "NCHW" else (1, *size, channels)
    return TensorSpec(name, shape, spec.dtype, spec.layout)


def make_feeds(card: ModelCard) -> Dict[str, np.ndarray]:
    """An array for ``to_feeds`` to fill, by the input's name."""
    wanted = picture_input(card)
    # Zeros: what AIPP crops away is never written.
    return {wanted.name: np.zeros(wanted.shape, wanted.dtype)}


def prepare_sample(card: ModelCard, path: Path) -> Sample:
    """Read a photograph and prepare the whole of it as the region.

    Raises:
        InputError: The file can't be read, or is not a picture.
        UsageError: The card's input is not a picture.
    """
    if card.task == "depth-hand-3d":
        raise UsageError("the model takes depth, not photographs", where=card.name)
    image = cv2.imdecode(np.frombuffer(read_bytes(path), np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError("the file is not a picture that OpenCV reads", where=path)
    return cut_sample(card, path.name, image, None)


def cut_sample(card: ModelCard, name: str, picture: np.ndarray, box: Optional[Box]) -> Sample:
    """A sample from a picture.

    Args:
        card: The model's card; its first input is a picture.
        name: What a person knows the picture by.
        picture: (H, W, 3) uint8, BGR.
        box: The hand's box in pixels of the picture; None for the whole picture.

    Raises:
        UsageError: The box lies outside the picture.
    """
    spec = card.preprocess
    affine = input_affine(spec, choose_region(spec, (picture.shape[1], picture.shape[0]), box))
    crop = crop_picture(picture, affine, spec)
    return Sample(
        name=name,
        feeds=to_feeds(card, crop),
        crop=crop,
        picture=picture,
        to_source=invert_affine(affine),
    )
