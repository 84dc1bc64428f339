"""Things with edges: boxes, slabs and rods as layers with depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Tuple

import cv2
import numpy as np

from atlas_hpe_pipelines.drawn_hand.camera import View, to_camera
from atlas_hpe_pipelines.drawn_hand.layers import Layer
from atlas_hpe_pipelines.drawn_hand.style import Colour, DrawStyle

__all__ = ["Prism", "draw_prism"]

_SUBPIXEL_BITS = 4


@dataclass(frozen=True, eq=False)
class Prism:
    """A straight prism in hand coordinates.

    Attributes:
        centre_m: (3,) its middle.
        axes_m: (3, 3) rows, orthogonal: the two half axes of the base, and half of the length.
        sides: 4 for a box whose faces stand on the half axes; more for a rod.
        colour_bgr: Colour of the sides in full light.
        cap_bgr: Colour of the two bases; on a slab the screen or the page.
    """

    centre_m: np.ndarray
    axes_m: np.ndarray
    sides: int
    colour_bgr: Colour
    cap_bgr: Colour


def draw_prism(prism: Prism, view: View, size_px: Tuple[int, int], style: DrawStyle) -> Layer:
    """A prism as the camera of the hand sees it.

    Args:
        prism: The thing, in hand coordinates.
        view: The camera.
        size_px: Width and height.
        style: The light.

    Returns:
        Its layer; depth as ``Surface.depth_px``, so that it can be merged with the hand's.
    """
    width, height = size_px
    ring = _base_corners(prism)
    corners = to_camera(np.concatenate([ring - prism.axes_m[2], ring + prism.axes_m[2]]), view)
    reference = float(view.position_m[2])
    # As with a forearm: what comes too near the camera is held at half the distance.
    flat = corners[:, :2] / np.maximum(corners[:, 2:], 0.5 * reference) * view.focal_px
    flat = flat + view.centre_px
    lift = (reference - corners[:, 2]) * (view.focal_px / reference)
    middle = corners.mean(axis=0)

    cover = _fill(cv2.convexHull(flat.astype(np.float32))[:, 0], size_px, cv2.LINE_AA)
    depth = np.full((height, width), float(lift.mean()), dtype=np.float32)
    colours = np.empty((height, width, 3), dtype=np.float32)
    colours[:] = np.array(prism.colour_bgr) * (style.ambient + 0.3 * style.light_gain)
    for face, is_cap in _faces(prism.sides):
        points = corners[face]
        normal = np.cross(points[1] - points[0], points[2] - points[1])
        normal /= max(float(np.linalg.norm(normal)), 1e-12)
        if float(normal @ (points.mean(axis=0) - middle)) < 0:
            normal = -normal
        if float(normal @ points.mean(axis=0)) > -0.03 * reference:
            continue  # It looks away, or is seen so flatly that it is no more than a line.
        rows, columns = np.nonzero(_fill(flat[face], size_px, cv2.LINE_8))
        plane = np.column_stack([flat[face], np.ones(len(face))])
        a, b, c = (float(value) for value in np.linalg.lstsq(plane, lift[face], rcond=None)[0])
        depth[rows, columns] = columns * a + rows * b + c
        colour = prism.cap_bgr if is_cap else prism.colour_bgr
        colours[rows, columns] = _light(np.array(colour), normal, style)
    return Layer(cover=cover.astype(np.float32) / 255.0, depth_px=depth, colours=colours)


def _base_corners(prism: Prism) -> np.ndarray:
    """(N, 3) the base's corners, in the middle of the prism."""
    if prism.sides == 4:
        weights = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    else:
        angles = np.arange(prism.sides) * (2.0 * np.pi / prism.sides)
        weights = np.column_stack([np.cos(angles), np.sin(angles)])
    return np.asarray(prism.centre_m + weights @ prism.axes_m[:2])


def _faces(sides: int) -> List[Tuple[List[int], bool]]:
    """Corner numbers of every face and whether it is one of the two bases."""
    faces = [(list(range(sides)), True), (list(range(sides, 2 * sides)), True)]
    for k in range(sides):
        following = (k + 1) % sides
        faces.append(([k, following, sides + following, sides + k], False))
    return faces


def _fill(points: np.ndarray, size_px: Tuple[int, int], line: int) -> np.ndarray:
    """(H, W) uint8, 255 inside a convex polygon."""
    mask = np.zeros((size_px[1], size_px[0]), dtype=np.uint8)
    # Far outside the picture OpenCV's whole numbers would overflow.
    limit = 8.0 * max(size_px)
    fixed = np.round(np.clip(points, -limit, limit) * 2**_SUBPIXEL_BITS).astype(np.int32)
    cv2.fillConvexPoly(mask, fixed, (255.0,), line, _SUBPIXEL_BITS)
    return mask


def _light(colour: np.ndarray, normal: np.ndarray, style: DrawStyle) -> np.ndarray:
    """(3,) a colour on a flat face; ``normal`` in camera coordinates."""
    light = np.array(style.light) / float(np.linalg.norm(style.light))
    # Camera coordinates have z away from the camera, the light has it towards.
    facing = float(normal @ (light * np.array([1.0, 1.0, -1.0])))
    gain = style.ambient * (1.0 - 0.25 * float(normal[1])) + style.light_gain * max(facing, 0.0)
    return np.asarray(colour * gain * np.array(style.light_bgr))
