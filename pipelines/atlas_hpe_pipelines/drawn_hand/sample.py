"""Training pictures of a hand: any posture, view and light, things in it and hands before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional, Tuple

import numpy as np

from atlas_hpe_pipelines.drawn_hand.bodies import draw_body, place_body
from atlas_hpe_pipelines.drawn_hand.camera import measure_depth, project
from atlas_hpe_pipelines.drawn_hand.held import draw_thing, fit_thing
from atlas_hpe_pipelines.drawn_hand.layers import Layer, merge_layers
from atlas_hpe_pipelines.drawn_hand.picture import check_size, expose, fit_background
from atlas_hpe_pipelines.drawn_hand.render import compose
from atlas_hpe_pipelines.drawn_hand.style import DrawStyle, random_style
from atlas_hpe_pipelines.drawn_hand.variety import GRIPS_DEG

__all__ = ["DrawnSample", "training_sample"]

_HELD_SHARE, _SECOND_SHARE = 0.20, 0.15
_DARK_SHARE, _SHADE_SHARE = 0.15, 0.25
_MOST_HIDDEN = 0.4  # share of the joints that another hand may hide
_LIFT = 8.0  # how far off another hand is, in sides of the labelled one's box


@dataclass(frozen=True, eq=False)
class DrawnSample:
    """A picture of a hand and what is known of it.

    Attributes:
        picture: (size, size, 3) BGR uint8.
        joints_px: (21, 2) float64 continuous pixels, hand21; all of them inside the picture.
        depth_px: (21,) float64 depth relative to the wrist in pixels of the picture, away from
            the camera positive: metres times the pixels per metre at the middle of the hand.
        is_right: Whether it is an anatomical right hand.
        mask: (size, size) uint8, 255 where the hand with its forearm or sleeve is, also behind
            what it holds and behind another hand.
    """

    picture: np.ndarray
    joints_px: np.ndarray
    depth_px: np.ndarray
    is_right: bool
    mask: np.ndarray


def training_sample(
    rng: np.random.Generator, size_px: int = 160, background: Optional[np.ndarray] = None
) -> DrawnSample:
    """A random training picture.

    A fifth of the hands hold something; a second hand is partly before or behind every seventh.
    The labelled hand is the one nearer to the middle. Three quarters stand upright within 20
    degrees, the rest anyhow. The box of the joints takes 42 to 72 % of the side.

    Args:
        rng: Source of randomness; the same state gives the same sample.
        size_px: Side of the square picture.
        background: (H, W, 3) BGR uint8 picture of any size to use behind the hand; None draws
            one.

    Raises:
        UsageError: Impossible size or background.
    """
    size = check_size(size_px)
    behind = fit_background(background, size, rng)
    style = _vary_light(rng, random_style(rng, background=behind))
    # Faults of the camera are given for pictures of 160 pixels.
    style = replace(style, blur_px=style.blur_px * size_px / 160.0)
    has_second = bool(rng.random() < _SECOND_SHARE)
    grip = ""
    if rng.random() < _HELD_SHARE:
        grip = tuple(GRIPS_DEG)[int(rng.integers(len(GRIPS_DEG)))]
    box = _choose_box(rng, size_px, 0.3 if has_second else 1.0)
    body = place_body(rng, grip, box)
    joints = project(body.hand.joints_m, body.view)

    surface, layer = draw_body(rng, body, size, style)
    mask = np.round(255.0 * layer.cover).astype(np.uint8)
    light = np.array(style.light[:2]) / float(np.linalg.norm(style.light))
    light_xy, unit_px = (float(light[0]), float(light[1])), surface.unit_px
    if grip:
        thing = fit_thing(rng, grip, body.hand, body.shape)
        layer = merge_layers(layer, draw_thing(thing, body.view, size, style), light_xy, unit_px)
    if has_second:
        other = _draw_second(rng, joints, box, size, style)
        layer = merge_layers(layer, other, light_xy, unit_px)
    whole = replace(surface, origin_px=(0, 0), cover=layer.cover)
    picture = _dim(rng, compose(whole, layer.colours, behind, style))
    return DrawnSample(
        picture=expose(picture, style, rng),
        joints_px=joints + 0.5,  # pixel centres are whole numbers for the renderer
        depth_px=measure_depth(body.hand.joints_m, body.view),
        is_right=body.hand.is_right,
        mask=mask,
    )


def _choose_box(rng: np.random.Generator, size_px: int, stray: float) -> Tuple[float, float, float]:
    """Centre x, centre y and longer side of the joints' box, with a margin around it."""
    fill = float(rng.uniform(0.42, 0.72))
    room = stray * (0.5 * (1.0 - fill) - 0.06)
    x, y = (0.5 + float(value) for value in rng.uniform(-room, room, size=2))
    return x * size_px, y * size_px, fill * size_px


def _draw_second(
    rng: np.random.Generator,
    joints: np.ndarray,
    box: Tuple[float, float, float],
    size: Tuple[int, int],
    style: DrawStyle,
) -> Layer:
    """Another hand that hides a part of the labelled one, or that a part of it hides."""
    angle, away = float(rng.uniform(0.0, 2.0 * np.pi)), float(rng.uniform(0.65, 1.05)) * box[2]
    x, y = box[0] + away * float(np.cos(angle)), box[1] + away * float(np.sin(angle))
    body = place_body(rng, "", (x, y, float(rng.uniform(0.8, 1.25)) * box[2]))
    if rng.random() < 0.3:
        style = replace(random_style(rng, background=style.background), light=style.light)
    _, layer = draw_body(rng, body, size, style)
    columns, rows = np.floor(joints + 0.5).astype(int).T
    hidden = float((layer.cover[rows, columns] > 0.5).mean())
    # Wholly before or wholly behind: hands do not go through each other. What hides most of the
    # labelled hand goes behind.
    before = bool(rng.random() < 0.5) and hidden <= _MOST_HIDDEN
    lift = (_LIFT if before else -_LIFT) * box[2]
    return replace(layer, depth_px=layer.depth_px + np.float32(lift))


def _vary_light(rng: np.random.Generator, style: DrawStyle) -> DrawStyle:
    """A share of hard light from the side and of light from behind the hand."""
    kind = rng.random()
    if kind < 0.15:
        x, y, _ = style.light
        tilt = float(rng.uniform(-0.5, 0.3))
        gain, ambient = float(rng.uniform(0.7, 1.2)), float(rng.uniform(0.10, 0.35))
        return replace(style, light=(x, y, tilt), light_gain=gain, ambient=ambient)
    return style


def _dim(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """The edge of a shadow across the whole scene, and dark scenes."""
    if rng.random() < _SHADE_SHARE:
        height, width = picture.shape[:2]
        angle, shift = float(rng.uniform(0.0, 2.0 * np.pi)), float(rng.uniform(-0.3, 0.3))
        x = np.linspace(-0.5, 0.5, width, dtype=np.float32) * float(np.cos(angle))
        y = np.linspace(-0.5, 0.5, height, dtype=np.float32) * float(np.sin(angle))
        sharp = float(np.exp(rng.uniform(np.log(3.0), np.log(60.0))))
        lit = np.clip((x + y[:, None] + np.float32(shift)) * np.float32(sharp) + 0.5, 0.0, 1.0)
        depth = np.float32(rng.uniform(0.3, 0.7))
        picture = picture * (1.0 - depth + depth * lit)[..., None]
    if rng.random() < _DARK_SHARE:
        picture = picture * np.float32(rng.uniform(0.35, 0.75))
    return picture
