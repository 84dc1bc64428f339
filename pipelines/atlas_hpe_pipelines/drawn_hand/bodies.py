"""Hands with all that belongs to them: forearm, sleeve, glove and watch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Tuple

import numpy as np

from atlas_hpe_pipelines.drawn_hand.camera import View, frame_hand, project
from atlas_hpe_pipelines.drawn_hand.flesh import cover_bones
from atlas_hpe_pipelines.drawn_hand.layers import Layer, merge_layers, place_surface
from atlas_hpe_pipelines.drawn_hand.picture import draw_texture, lay_texture
from atlas_hpe_pipelines.drawn_hand.raster import Surface, rasterise
from atlas_hpe_pipelines.drawn_hand.render import shade
from atlas_hpe_pipelines.drawn_hand.skeleton import (
    HandShape,
    PosedHand,
    pose_skeleton,
    random_shape,
)
from atlas_hpe_pipelines.drawn_hand.solids import Prism, draw_prism
from atlas_hpe_pipelines.drawn_hand.style import DrawStyle, random_colour
from atlas_hpe_pipelines.drawn_hand.variety import vary_posture, vary_rotation

__all__ = ["Body", "draw_body", "place_body"]

_GLOVE_SHARE, _WATCH_SHARE = 0.05, 0.15


@dataclass(frozen=True, eq=False)
class Body:
    """A posed hand in front of the camera.

    Attributes:
        hand: Its joints.
        shape: Its sizes.
        view: The camera.
    """

    hand: PosedHand
    shape: HandShape
    view: View


def place_body(rng: np.random.Generator, grip: str, box: Tuple[float, float, float]) -> Body:
    """A random hand in a random view.

    Args:
        rng: Source of randomness.
        grip: One of ``variety.GRIPS_DEG``; empty for an empty hand.
        box: Centre x, centre y and longer side of the joints' box in pixels.
    """
    shape = random_shape(rng)
    posture = vary_posture(rng, shape, is_right=bool(rng.random() < 0.5), grip=grip)
    hand = pose_skeleton(posture, shape)
    rotation = vary_rotation(rng, hand)
    view = frame_hand(hand.joints_m, rotation, box_px=box, distance_m=float(rng.uniform(0.3, 1.1)))
    return Body(hand=hand, shape=shape, view=view)


def draw_body(
    rng: np.random.Generator, body: Body, size: Tuple[int, int], style: DrawStyle
) -> Tuple[Surface, Layer]:
    """Draw a hand with its forearm, perhaps in a glove or with a watch.

    Args:
        rng: Source of randomness.
        body: The hand.
        size: Width and height of the picture.
        style: Skin, sleeve and light.

    Returns:
        The surface of the hand itself, and the layer of all.
    """
    sleeve_m = -1.0 if style.sleeve_bgr is None else style.sleeve_m
    flesh = cover_bones(body.hand, body.shape, sleeve_m=sleeve_m)
    surface = rasterise(flesh, body.view, size)
    texture = lay_texture(draw_texture(rng), project(body.hand.joints_m, body.view), surface)
    colours = shade(surface, style, texture)
    if rng.random() < _GLOVE_SHARE:
        glove = replace(
            surface, cloth=np.ones_like(surface.cloth), nail=np.zeros_like(surface.nail)
        )
        dressed = shade(glove, replace(style, sleeve_bgr=random_colour(rng)), texture)
        colours = dressed + surface.cloth[..., None] * (colours - dressed)
    layer = place_surface(surface, colours, size)
    if style.sleeve_bgr is None and rng.random() < _WATCH_SHARE:
        layer = merge_layers(
            layer, _draw_watch(rng, body, size, style), (0.0, 0.0), surface.unit_px
        )
    return surface, layer


def _draw_watch(
    rng: np.random.Generator, body: Body, size: Tuple[int, int], style: DrawStyle
) -> Layer:
    """A band around the forearm with a dial on its back."""
    radius = float(body.shape.radii_m[0])
    along = body.hand.elbow_m / float(np.linalg.norm(body.hand.elbow_m))
    back = -body.hand.palmar[0]
    side = np.cross(along, back)
    place = body.hand.joints_m[0] + float(rng.uniform(1.2, 2.2)) * radius * along
    width = float(rng.uniform(0.25, 0.6)) * radius
    band, dial = random_colour(rng), random_colour(rng)
    axes = np.stack([1.66 * radius * side, 1.14 * radius * back, width * along])
    strap = draw_prism(Prism(place, axes, 16, band, band), body.view, size, style)
    axes = np.stack([0.8 * radius * side, 0.8 * radius * along, 0.16 * radius * back])
    face = Prism(place + 1.2 * radius * back, axes, 12, band, dial)
    disc = draw_prism(face, body.view, size, style)
    return merge_layers(strap, disc, (0.0, 0.0), radius)
