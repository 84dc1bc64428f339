"""Things for a hand to hold, sized and placed so that they fit between its fingers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Tuple, Union

import numpy as np

from atlas_hpe_pipelines.drawn_hand.camera import View
from atlas_hpe_pipelines.drawn_hand.flesh import CLOTH, Flesh
from atlas_hpe_pipelines.drawn_hand.layers import Layer, place_surface
from atlas_hpe_pipelines.drawn_hand.raster import rasterise
from atlas_hpe_pipelines.drawn_hand.render import shade
from atlas_hpe_pipelines.drawn_hand.skeleton import HandShape, PosedHand
from atlas_hpe_pipelines.drawn_hand.solids import Prism, draw_prism
from atlas_hpe_pipelines.drawn_hand.style import Colour, DrawStyle, random_colour

__all__ = ["Ball", "Thing", "draw_thing", "fit_thing"]

_LEAST_RADIUS_M = 0.004
_PARENTS = np.array([0, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19])


def _share_out(parts: int, total: int) -> np.ndarray:
    """(C, parts) every way to share a whole out in steps of 1 / total."""
    counts = np.indices((total + 1,) * parts).reshape(parts, -1).T
    return np.asarray(counts[counts.sum(axis=1) == total] / total)


_MIXTURES: np.ndarray = _share_out(5, 5)


@dataclass(frozen=True, eq=False)
class Ball:
    """A ball in hand coordinates.

    Attributes:
        centre_m: (3,) its middle.
        radius_m: Its radius.
        colour_bgr: Colour in full light.
    """

    centre_m: np.ndarray
    radius_m: float
    colour_bgr: Colour


Thing = Union[Ball, Prism]


def fit_thing(rng: np.random.Generator, grip: str, hand: PosedHand, shape: HandShape) -> Thing:
    """A random thing that fits the hand's grip.

    Args:
        rng: Source of randomness.
        grip: One of ``variety.GRIPS_DEG``, the one the hand was posed with.
        hand: The posed hand.
        shape: Its flesh.
    """
    joints, radii = hand.joints_m, shape.radii_m
    if grip == "cylinder":
        return _fit_rod(rng, hand, shape)
    if grip == "ball":
        centre, radius = _roomiest(np.zeros(3), hand, shape)
        return Ball(centre, radius, random_colour(rng))
    middle = 0.5 * (joints[4] + joints[8])
    if grip == "pen":
        web = 0.45 * joints[2] + 0.55 * joints[5]
        along = _unit(web - middle + 0.008 * rng.standard_normal(3))
        centre = middle + rng.uniform(0.0, 0.05) * along
        return _rod(rng, centre, along, _LEAST_RADIUS_M, 0.075)
    if grip == "slab":
        return _fit_slab(rng, hand, shape)
    gap = float(np.linalg.norm(joints[4] - joints[8])) - 0.9 * float(radii[4] + radii[8])
    radius = max(0.5 * gap, 1.5 * _LEAST_RADIUS_M)
    if rng.random() < 0.5:
        return Ball(middle, radius, random_colour(rng))
    along = _unit(np.cross(joints[8] - joints[4], rng.standard_normal(3)))
    return _rod(rng, middle, along, radius, rng.uniform(1.0, 3.0) * radius)


def draw_thing(thing: Thing, view: View, size_px: Tuple[int, int], style: DrawStyle) -> Layer:
    """The layer of a thing; its depth can be merged with the hand's.

    Args:
        thing: In hand coordinates.
        view: The hand's camera.
        size_px: Width and height.
        style: The light.
    """
    if isinstance(thing, Prism):
        return draw_prism(thing, view, size_px, style)
    flesh = Flesh(
        ends_m=np.stack([thing.centre_m, thing.centre_m])[None],
        radii_m=np.full((1, 2), thing.radius_m),
        palmar=np.array([[0.0, 0.0, 1.0]]),
        kinds=np.array([CLOTH]),
        blend_m=np.array([1e-3]),
    )
    surface = rasterise(flesh, view, size_px)
    plain = replace(style, sleeve_bgr=thing.colour_bgr)
    return place_surface(surface, shade(surface, plain, np.zeros_like(surface.cover)), size_px)


def _fit_rod(rng: np.random.Generator, hand: PosedHand, shape: HandShape) -> Prism:
    """A rod through the curled fingers, as thick as they leave room for."""
    fingers = hand.joints_m[1:].reshape(5, 4, 3)[1:].mean(axis=1)
    along = _unit(fingers[0] - fingers[3])
    centre, radius = _roomiest(along, hand, shape)
    centre = centre + rng.normal(0.0, 0.02) * along
    return _rod(rng, centre, along, radius, rng.uniform(0.06, 0.13))


def _fit_slab(rng: np.random.Generator, hand: PosedHand, shape: HandShape) -> Prism:
    """A telephone, card or book between the thumb and the pads of the fingers."""
    joints, radii = hand.joints_m, shape.radii_m
    pad = 0.5 * (joints[8] + joints[12])
    normal = _unit(pad - joints[4])
    across = joints[5] - joints[17]
    across = _unit(across - (across @ normal) * normal)
    ahead = np.cross(normal, across)
    if float(ahead @ (joints[12] - joints[9])) < 0:
        ahead = -ahead
    half = rng.uniform((0.025, 0.035), (0.07, 0.085))
    # Between the thumb's pad and the nearest of the fingers' ends.
    ends = np.array([7, 8, 11, 12, 15, 16, 19, 20])
    high = float(((joints[ends] - joints[4]) @ normal - 0.95 * radii[ends]).min())
    thick = min(max(0.5 * (high - 0.9 * float(radii[4])), 0.001), 0.010)
    centre = joints[4] + (high - thick) * normal
    centre = centre + (half[1] - rng.uniform(0.01, 0.03)) * ahead
    centre = centre + rng.normal(0.0, 0.012) * across
    axes = np.stack([half[0] * across, half[1] * ahead, thick * normal])
    return Prism(centre, axes, 4, random_colour(rng), random_colour(rng))


def _rod(
    rng: np.random.Generator, centre: np.ndarray, along: np.ndarray, radius: float, half_m: float
) -> Prism:
    """A round or, at times, a square rod."""
    side = _unit(np.cross(along, (0.3, 0.2, 0.9)))
    sides = 4 if rng.random() < 0.3 else 12
    # The corners of a square stand out, those of a dodecagon hardly.
    radius = radius * (0.78 if sides == 4 else 1.0)
    axes = np.stack([radius * side, radius * np.cross(along, side), half_m * along])
    return Prism(centre, axes, sides, random_colour(rng), random_colour(rng))


def _roomiest(along: np.ndarray, hand: PosedHand, shape: HandShape) -> Tuple[np.ndarray, float]:
    """Where between palm, fingers and thumb a thing can be thickest, and its radius there.

    Args:
        along: Unit vector along a rod; zero for a ball.
        hand: The posed hand.
        shape: Its flesh.
    """
    joints, radii = hand.joints_m, shape.radii_m
    corners = np.concatenate([joints[1:].reshape(5, 4, 3)[1:].mean(axis=0), joints[4:5]])
    centres = _MIXTURES @ corners  # (C, 3)
    points = np.concatenate([joints[1:], 0.5 * (joints + joints[_PARENTS])[1:]])
    thick = np.concatenate([radii[1:], 0.5 * (radii + radii[_PARENTS])[1:]])
    offset = points - centres[:, None]
    offset = offset - (offset @ along)[..., None] * along
    # Pads give way by a tenth.
    room = (np.linalg.norm(offset, axis=2) - 0.9 * thick).min(axis=1)
    best = int(room.argmax())
    return centres[best], max(float(room[best]), _LEAST_RADIUS_M)


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector))
