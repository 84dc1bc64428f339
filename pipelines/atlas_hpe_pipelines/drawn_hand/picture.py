"""One picture of a drawn hand together with the exact places of its joints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from atlas_hpe.errors import UsageError
from atlas_hpe_pipelines.drawn_hand.background import draw_background, value_noise
from atlas_hpe_pipelines.drawn_hand.camera import View, frame_hand, project, turn
from atlas_hpe_pipelines.drawn_hand.flesh import cover_bones
from atlas_hpe_pipelines.drawn_hand.poses import random_pose
from atlas_hpe_pipelines.drawn_hand.raster import Surface, rasterise
from atlas_hpe_pipelines.drawn_hand.render import compose, shade
from atlas_hpe_pipelines.drawn_hand.skeleton import (
    HandPosture,
    HandShape,
    default_shape,
    pose_skeleton,
    random_shape,
)
from atlas_hpe_pipelines.drawn_hand.style import DrawStyle, random_style

__all__ = [
    "Subject",
    "check_size",
    "draw_hand",
    "draw_subjects",
    "draw_texture",
    "expose",
    "fit_background",
    "lay_texture",
    "random_sample",
]

_TEXTURE_SIDE_PX = 128


@dataclass(frozen=True, eq=False)
class Subject:
    """One hand in front of the camera.

    Attributes:
        posture: Joint angles.
        shape: Sizes.
        view: The camera.
        texture: (128, 128) float32 unevenness of the skin, see ``draw_texture``.
    """

    posture: HandPosture
    shape: HandShape
    view: View
    texture: np.ndarray


def check_size(size_px: Union[int, Tuple[int, int]]) -> Tuple[int, int]:
    """Width and height from a side or a pair.

    Raises:
        UsageError: Smaller than 16 or larger than 8192.
    """
    pair = (size_px, size_px) if isinstance(size_px, int) else (int(size_px[0]), int(size_px[1]))
    if not all(16 <= side <= 8192 for side in pair):
        raise UsageError(
            "a picture of a drawn hand has sides of 16 to 8192 pixels",
            where=f"size_px={pair[0]}x{pair[1]}",
            fix="choose another size, for example 480x480",
        )
    return pair


def draw_texture(rng: np.random.Generator) -> np.ndarray:
    """(128, 128) float32 uneven skin colour, about -1..1; it moves with the hand."""
    return value_noise(rng, (_TEXTURE_SIDE_PX, _TEXTURE_SIDE_PX), (9.0, 9.0), 3)


def draw_hand(
    posture: HandPosture,
    view: View,
    size_px: Union[int, Tuple[int, int]],
    style: DrawStyle,
    rng: np.random.Generator,
    *,
    shape: Optional[HandShape] = None,
) -> Tuple[np.ndarray, np.ndarray]:
    """Draw one hand.

    Args:
        posture: Joint angles and side.
        view: The camera.
        size_px: Side, or width and height.
        style: Skin, light, background and so on.
        rng: Source of skin texture, noise and, when the style has none, the background.
        shape: Bone lengths and thickness; None for the default hand.

    Returns:
        The picture, (H, W, 3) BGR uint8, and the projections of the joint centres, (21, 2)
        float64 continuous pixels, hand21; joints may lie outside the picture when the view puts
        them there.

    Raises:
        UsageError: Impossible size, or a joint behind the camera.
    """
    shape = default_shape() if shape is None else shape
    subject = Subject(posture=posture, shape=shape, view=view, texture=draw_texture(rng))
    picture, joints = draw_subjects([subject], check_size(size_px), style, rng)
    return picture, joints[0]


def draw_subjects(
    subjects: Sequence[Subject],
    size_px: Tuple[int, int],
    style: DrawStyle,
    rng: np.random.Generator,
) -> Tuple[np.ndarray, np.ndarray]:
    """Draw several hands, the later ones in front.

    Args:
        subjects: The hands.
        size_px: Width and height.
        style: Shared look.
        rng: Source of noise and, when the style has none, the background.

    Returns:
        (H, W, 3) BGR uint8 and (S, 21, 2) float64 joints in continuous pixels.
    """
    picture = fit_background(style.background, size_px, rng)
    places = []
    for subject in subjects:
        hand = pose_skeleton(subject.posture, subject.shape)
        joints = project(hand.joints_m, subject.view)
        sleeve_m = -1.0 if style.sleeve_bgr is None else style.sleeve_m
        flesh = cover_bones(hand, subject.shape, sleeve_m=sleeve_m)
        surface = rasterise(flesh, subject.view, size_px)
        texture = lay_texture(subject.texture, joints, surface)
        picture = compose(surface, shade(surface, style, texture), picture, style)
        # Pixel centres are integers for the renderer and OpenCV, halves for everybody else.
        places.append(joints + 0.5)
    return expose(picture, style, rng), np.stack(places)


def random_sample(
    rng: np.random.Generator,
    size_px: int = 160,
    background: Optional[np.ndarray] = None,
) -> Tuple[np.ndarray, np.ndarray, bool]:
    """A random training picture: any pose, view, skin, light, sleeve, sharpness and noise.

    The hand is upright within 20 degrees: turning in the picture is left to the trainer. The box
    of the joints takes 42 to 72 % of the side, and all joints are inside the picture.

    Args:
        rng: Source of randomness; the same state gives the same sample.
        size_px: Side of the square picture.
        background: (H, W, 3) BGR uint8 picture of any size to use behind the hand; None draws
            one.

    Returns:
        (size, size, 3) BGR uint8; (21, 2) float64 joints in pixels, hand21; whether it is an
        anatomical right hand.

    Raises:
        UsageError: Impossible size.
    """
    size = check_size(size_px)
    is_right = bool(rng.random() < 0.5)
    posture, shape = random_pose(rng, is_right=is_right), random_shape(rng)
    yaw, pitch = np.deg2rad(rng.uniform(-50.0, 50.0, size=2))
    roll = float(np.deg2rad(rng.uniform(-20.0, 20.0)))
    rotation = turn(float(yaw), float(pitch), roll, back=bool(rng.random() < 0.5))
    fill = float(rng.uniform(0.42, 0.72))
    room = 0.5 * (1.0 - fill) - 0.06
    x, y = (float(value) for value in rng.uniform(-room, room, size=2))
    view = frame_hand(
        pose_skeleton(posture, shape).joints_m,
        rotation,
        box_px=((0.5 + x) * size[0], (0.5 + y) * size[1], fill * size[0]),
        distance_m=float(rng.uniform(0.3, 1.1)),
    )
    style = random_style(rng, background=background)
    # Faults of the camera are given for pictures of 160 pixels.
    style = replace(style, blur_px=style.blur_px * size[0] / 160.0)
    picture, joints = draw_hand(posture, view, size, style, rng, shape=shape)
    return picture, joints, is_right


def fit_background(
    background: Optional[np.ndarray], size_px: Tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """The background in the size of the picture, cut to its shape and not squeezed."""
    if background is None:
        return draw_background(rng, size_px)
    if background.ndim != 3 or background.shape[2] != 3 or 0 in background.shape:
        raise UsageError(
            "a background is a colour picture",
            where=f"shape {background.shape}",
            fix="give (H, W, 3) BGR uint8",
        )
    width, height = size_px
    if background.shape[:2] == (height, width):
        return background
    scale = max(width / background.shape[1], height / background.shape[0])
    columns = min(int(np.ceil(width / scale)), background.shape[1])
    rows = min(int(np.ceil(height / scale)), background.shape[0])
    left, top = (background.shape[1] - columns) // 2, (background.shape[0] - rows) // 2
    cut = background[top : top + rows, left : left + columns]
    flag = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(cut, (width, height), interpolation=flag))


def lay_texture(texture: np.ndarray, joints: np.ndarray, surface: Surface) -> np.ndarray:
    """(h, w) skin texture, turned and scaled with the hand from wrist to middle knuckle."""
    x, y = (float(value) for value in joints[9] - joints[0])
    length = max(float(np.hypot(x, y)), 4.0 * surface.unit_px)
    angle, scale = float(np.arctan2(x, -y)), 2.6 * length / _TEXTURE_SIDE_PX
    cos, sin = scale * float(np.cos(angle)), scale * float(np.sin(angle))
    anchor = 0.5 * _TEXTURE_SIDE_PX
    left, top = joints[0] - surface.origin_px
    matrix = np.array(
        [
            [cos, -sin, float(left) - anchor * (cos - sin)],
            [sin, cos, float(top) - anchor * (sin + cos)],
        ]
    )
    size = (surface.cover.shape[1], surface.cover.shape[0])
    return np.asarray(cv2.warpAffine(texture, matrix, size, borderMode=cv2.BORDER_REFLECT))


def expose(picture: np.ndarray, style: DrawStyle, rng: np.random.Generator) -> np.ndarray:
    """Blur, noise and rounding of a camera."""
    if style.blur_px > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), style.blur_px)
    if style.noise > 0:
        # One field of noise, read at three places, is as good as three and a third of the work.
        height, width = picture.shape[:2]
        count, step = height * width, 1013
        grain = rng.standard_normal(count + 2 * step, dtype=np.float32) * np.float32(style.noise)
        for channel in range(3):
            start = channel * step
            picture[..., channel] += grain[start : start + count].reshape(height, width)
    picture += 0.5
    np.maximum(picture, 0.0, out=picture)
    np.minimum(picture, 255.0, out=picture)
    return np.asarray(picture.astype(np.uint8))
