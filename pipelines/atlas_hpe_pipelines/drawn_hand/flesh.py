"""What covers the bones: the hand as tapered capsules in space.

A capsule is the volume swept by a sphere that moves along a segment while its radius changes.
Fingers are three each; the palm, the web of the thumb and the forearm are rows of overlapping
ones that the renderer blends into one surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List

import numpy as np

from atlas_hpe_pipelines.drawn_hand.skeleton import HandShape, PosedHand

__all__ = ["CLOTH", "FINGER", "FINGERTIP", "PALM", "ROOT", "Flesh", "cover_bones"]

#: Kinds of capsules; ROOT is the first bone of a finger, half of it in the palm.
PALM, FINGER, FINGERTIP, CLOTH, ROOT = 0, 1, 2, 3, 4

_ROOT = np.array([0.52, 0.05, 0.4])  # where a metacarpal leaves the wrist, as share of its knuckle


@dataclass(frozen=True, eq=False)
class Flesh:
    """P tapered capsules in hand coordinates.

    Attributes:
        ends_m: (P, 2, 3) centres of the first and the last sphere.
        radii_m: (P, 2) their radii.
        palmar: (P, 3) unit vector out of the palm side.
        kinds: (P,) PALM, FINGER, FINGERTIP, CLOTH or ROOT.
        blend_m: (P,) depth over which the capsule melts into what it touches.
    """

    ends_m: np.ndarray
    radii_m: np.ndarray
    palmar: np.ndarray
    kinds: np.ndarray
    blend_m: np.ndarray


class _Builder:
    """Collects capsules."""

    def __init__(self) -> None:
        self.ends: List[List[np.ndarray]] = []
        self.radii: List[List[float]] = []
        self.palmar: List[np.ndarray] = []
        self.kinds: List[int] = []
        self.blend: List[float] = []

    def add(
        self,
        start: np.ndarray,
        end: np.ndarray,
        radii: List[float],
        palmar: np.ndarray,
        kind: int,
        blend: float,
    ) -> None:
        self.ends.append([start, end])
        self.radii.append(radii)
        self.palmar.append(palmar)
        self.kinds.append(kind)
        self.blend.append(blend)


def cover_bones(hand: PosedHand, shape: HandShape, *, sleeve_m: float = -1.0) -> Flesh:
    """The flesh of a posed hand.

    Args:
        hand: Joint centres.
        shape: The radii.
        sleeve_m: Distance from the wrist to the cuff of a sleeve; negative for a bare arm.

    Returns:
        The capsules.
    """
    builder = _Builder()
    _add_forearm(builder, hand, shape, sleeve_m)
    _add_palm(builder, hand, shape)
    _add_thumb_root(builder, hand, shape)
    _add_fingers(builder, hand, shape)
    return Flesh(
        ends_m=np.array(builder.ends),
        radii_m=np.array(builder.radii),
        palmar=np.array(builder.palmar),
        kinds=np.array(builder.kinds),
        blend_m=np.array(builder.blend),
    )


def _add_forearm(builder: _Builder, hand: PosedHand, shape: HandShape, sleeve_m: float) -> None:
    wrist, palmar, radius = hand.joints_m[0], hand.palmar[0], float(shape.radii_m[0])
    side = np.cross(hand.elbow_m, palmar)
    side /= np.linalg.norm(side)
    length = float(np.linalg.norm(hand.elbow_m))
    along = hand.elbow_m / length
    # Under a sleeve the arm need not be drawn, save for what a view into the cuff shows.
    reach = length if sleeve_m < 0 else min(sleeve_m + 1.0 * radius, length)
    share = reach / length
    # A covered end is thin, so that no skin comes through the sleeve.
    end_radius = (1.55 if sleeve_m < 0 else 0.75) * radius
    for offset in (-0.5, 0.5):
        shift = offset * radius * side
        # The arm starts inside the palm, so that no round end shows at the wrist.
        start = wrist + shift - 0.7 * radius * along
        end = wrist + (1.0 + 0.4 * share) * shift + reach * along
        radii = [0.95 * radius, end_radius]
        builder.add(start, end, radii, palmar, PALM, 0.7 * radius)
    if sleeve_m < 0:
        return
    cuff, end = wrist + sleeve_m * along, 1.3 * hand.elbow_m
    for offset in (-0.28, 0.28):
        shift = offset * radius * side
        radii = [1.56 * radius, 2.2 * radius]
        builder.add(cuff + shift, end + 1.3 * shift, radii, palmar, CLOTH, 0.2 * radius)


def _add_palm(builder: _Builder, hand: PosedHand, shape: HandShape) -> None:
    knuckles = hand.joints_m[[5, 9, 13, 17]]
    reach = hand.joints_m[[6, 10, 14, 18]] - knuckles
    roots = knuckles * _ROOT
    radii = shape.radii_m[[5, 9, 13, 17]]
    palmar = np.array([0.0, 0.0, 1.0])
    thick = float(shape.radii_m[0])
    for i in range(4):
        radius = float(radii[i])
        builder.add(roots[i], knuckles[i], [0.80 * thick, radius], palmar, PALM, 0.55 * radius)
    for i in range(3):
        radius = 0.5 * float(radii[i] + radii[i + 1])
        root = 0.5 * (roots[i] + roots[i + 1])
        # The web between two fingers starts a little beyond the knuckles.
        end = 0.5 * (knuckles[i] + knuckles[i + 1]) + 0.13 * (reach[i] + reach[i + 1])
        end = end + 0.12 * radius * palmar
        builder.add(root, end, [0.84 * thick, 0.80 * radius], palmar, PALM, 0.65 * radius)
    # The ball of the little finger.
    low = 0.30 * knuckles[3] + 0.25 * thick * palmar
    high = 0.80 * knuckles[3] + 0.16 * thick * palmar
    radius = 1.18 * float(radii[3])
    builder.add(low, high, [1.15 * radius, 0.98 * radius], palmar, PALM, 0.7 * radius)


def _add_thumb_root(builder: _Builder, hand: PosedHand, shape: HandShape) -> None:
    saddle, knuckle = hand.joints_m[1], hand.joints_m[2]
    index_root, index = hand.joints_m[5] * _ROOT, hand.joints_m[5]
    radii = shape.radii_m
    palmar = hand.palmar[2]
    thenar = saddle + 0.10 * float(radii[1]) * palmar
    builder.add(
        thenar,
        knuckle,
        [1.02 * float(radii[1]), float(radii[2])],
        palmar,
        ROOT,
        0.6 * float(radii[1]),
    )
    builder.add(
        hand.joints_m[0] * 0.5 + saddle * 0.5,
        0.45 * saddle + 0.55 * knuckle + 0.25 * float(radii[1]) * palmar,
        [0.95 * float(radii[1]), 1.0 * float(radii[1])],
        palmar,
        PALM,
        0.7 * float(radii[1]),
    )
    # The web is a fan of capsules between the thumb's and the index finger's metacarpals.
    for share, reach, thickness in ((0.33, 0.80, 0.78), (0.62, 0.72, 0.80)):
        start = saddle + share * (index_root - saddle)
        far = knuckle + share * (index - knuckle)
        end = start + reach * (far - start)
        radius = thickness * float(radii[1])
        builder.add(start, end, [1.1 * radius, 0.72 * radius], palmar, PALM, 0.8 * radius)


def _add_fingers(builder: _Builder, hand: PosedHand, shape: HandShape) -> None:
    for finger in range(5):
        base = 1 + 4 * finger
        for bone in range(0 if finger else 1, 3):
            a, b = base + bone, base + bone + 1
            kind = (ROOT if finger else FINGER, FINGER, FINGERTIP)[bone]
            radii = [float(shape.radii_m[a]), float(shape.radii_m[b])]
            blend = (0.40 if bone == 0 else 0.22) * radii[0]
            builder.add(hand.joints_m[a], hand.joints_m[b], radii, hand.palmar[b], kind, blend)
