"""Capsules in space to pictures of depth, surface normal and material.

Each capsule is solved in closed form per pixel under locally parallel rays: a ray at the distance
v from the axis enters the cylinder h = sqrt(r^2 - v^2) in front of it, and the caps are spheres.
A depth buffer decides what is in front, softly, so that capsules of one body melt together; a
coverage channel keeps the outlines smooth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Tuple

import cv2
import numpy as np

from atlas_hpe_pipelines.drawn_hand.camera import View, to_camera
from atlas_hpe_pipelines.drawn_hand.flesh import CLOTH, FINGERTIP, PALM, ROOT, Flesh

__all__ = ["Surface", "clip01", "rasterise"]

_FAR = -1.0e4
_CHANNELS = 6
# One channel tells skin folds (0..0.5), nails (1), the soft body of the palm and the forearm
# (-0.25) and cloth (-1) apart; nails so get a fold around them where the values run through it.
_SOFT, _NAIL, _CLOTH = -0.25, 1.0, -1.0


@dataclass(frozen=True, eq=False)
class Surface:
    """What the camera sees of a hand: float32 pictures of the h x w window that it fills.

    Attributes:
        origin_px: Left and top of the window in the frame.
        cover: Share of the pixel that is hand, 0..1.
        depth_px: Height towards the camera in pixels, relative to the wrist.
        normal: Three pictures: x right, y down, z to the camera; about unit vectors.
        palmar: Cosine between the normal and the palm side, -1..1.
        crease: How much of a skin fold there is, 0..1.
        nail: How much of a nail, 0..1.
        cloth: How much of a sleeve, 0..1.
        unit_px: Radius of the wrist, the measure for widths of blurs and shadows.
    """

    origin_px: Tuple[int, int]
    cover: np.ndarray
    depth_px: np.ndarray
    normal: Tuple[np.ndarray, np.ndarray, np.ndarray]
    palmar: np.ndarray
    crease: np.ndarray
    nail: np.ndarray
    cloth: np.ndarray
    unit_px: float


@dataclass(frozen=True, eq=False)
class _Capsule:
    """One capsule in pixels; plain floats keep the arrays float32 under every numpy."""

    start: Tuple[float, float, float]
    direction: Tuple[float, float]
    length: float
    slope: Tuple[float, float]
    radii: Tuple[float, float]
    palmar: Tuple[float, float, float]
    kind: int
    blend: float
    box: Tuple[int, int, int, int]


def rasterise(flesh: Flesh, view: View, size_px: Tuple[int, int]) -> Surface:
    """Draw capsules into depth, normal and material pictures.

    Args:
        flesh: Capsules in hand coordinates.
        view: The camera.
        size_px: Width and height.

    Returns:
        The pictures; parts outside the frame are cut off.
    """
    capsules = _project_capsules(flesh, view, size_px)
    boxes = np.array([capsule.box for capsule in capsules] or [(0, 0, 1, 1)])
    left, top = (int(value) for value in boxes[:, :2].min(axis=0))
    right, bottom = (int(value) for value in boxes[:, 2:].max(axis=0))
    buffer = np.zeros((_CHANNELS, bottom - top, right - left), dtype=np.float32)
    buffer[1] = _FAR
    columns = np.arange(left, right, dtype=np.float32)
    rows = np.arange(top, bottom, dtype=np.float32)
    for capsule in capsules:
        _draw(buffer, columns, rows, capsule)
    unit_px = float(flesh.radii_m[0, 0]) * view.focal_px / float(view.position_m[2])
    return _finish(buffer, (left, top), unit_px)


def _finish(buffer: np.ndarray, origin_px: Tuple[int, int], unit_px: float) -> Surface:
    """Smooth the soft body and take the channels apart."""
    cover, depth, nx, ny, palmar, mark = buffer
    soft = clip01(mark * -4.0) * (mark > -0.5) * cover
    # The palm is one body: its capsules must not show, so its normals are averaged.
    side = int(max(1.3 * unit_px, 3.0)) | 1
    packed = cv2.blur(cv2.merge((nx * soft, ny * soft, soft)), (side, side))
    weight = 1.0 / np.maximum(packed[..., 2], 0.05)
    strength = soft * 0.85
    nx += strength * (packed[..., 0] * weight - nx)
    ny += strength * (packed[..., 1] * weight - ny)
    fold = np.maximum(mark, 0.0)
    return Surface(
        origin_px=origin_px,
        cover=cover,
        depth_px=depth,
        normal=(nx, ny, np.sqrt(np.maximum(1.0 - nx * nx - ny * ny, 0.0))),
        palmar=palmar,
        crease=2.0 * np.minimum(fold, 1.0 - fold),
        nail=clip01(2.0 * fold - 1.0),
        cloth=clip01(-2.0 * mark - 1.0),
        unit_px=unit_px,
    )


def clip01(values: np.ndarray) -> np.ndarray:
    """Limit to 0..1 in place; np.clip costs more on small arrays."""
    np.maximum(values, 0.0, out=values)
    return np.asarray(np.minimum(values, 1.0, out=values))


def _project_capsules(flesh: Flesh, view: View, size_px: Tuple[int, int]) -> List[_Capsule]:
    points = to_camera(flesh.ends_m, view)  # (P, 2, 3)
    # A forearm that comes too near would fill the picture: hold its ends at half the distance.
    depth = np.maximum(points[..., 2], 0.5 * float(view.position_m[2]))
    scale = view.focal_px / depth  # (P, 2) pixels per metre at each end
    reference = float(view.position_m[2])
    flat = points[..., :2] * scale[..., None] + view.centre_px
    lift = (reference - points[..., 2]) * (view.focal_px / reference)
    radii = flesh.radii_m * scale
    delta = flat[:, 1] - flat[:, 0]
    length = np.hypot(delta[:, 0], delta[:, 1])
    rise = lift[:, 1] - lift[:, 0]
    axis = np.hypot(length, rise)
    direction = delta / np.maximum(length, 1e-6)[:, None]
    direction[length < 1e-6] = (1.0, 0.0)
    cosine = length / np.maximum(axis, 1e-6)
    sine = rise / np.maximum(axis, 1e-6)
    palmar = flesh.palmar @ view.rotation.T * np.array([1.0, 1.0, -1.0])
    reach = radii[..., None] + 1.0
    low = np.clip(np.floor((flat - reach).min(axis=1)), 0, size_px).astype(int)
    high = np.clip(np.ceil((flat + reach).max(axis=1)) + 1, 0, size_px).astype(int)
    blend = np.maximum(flesh.blend_m * scale.mean(axis=1), 0.5)
    return [
        _Capsule(
            start=(float(flat[i, 0, 0]), float(flat[i, 0, 1]), float(lift[i, 0])),
            direction=(float(direction[i, 0]), float(direction[i, 1])),
            length=float(axis[i]),
            slope=(float(cosine[i]), float(sine[i])),
            radii=(float(radii[i, 0]), float(radii[i, 1])),
            palmar=(float(palmar[i, 0]), float(palmar[i, 1]), float(palmar[i, 2])),
            kind=int(flesh.kinds[i]),
            blend=float(blend[i]),
            box=(int(low[i, 0]), int(low[i, 1]), int(high[i, 0]), int(high[i, 1])),
        )
        for i in range(len(length))
        if (low[i] < high[i]).all()
    ]


def _draw(buffer: np.ndarray, columns: np.ndarray, rows: np.ndarray, capsule: _Capsule) -> None:
    """Solve one capsule on its box and put it into the buffer."""
    left, top = capsule.box[0] - int(columns[0]), capsule.box[1] - int(rows[0])
    right, bottom = capsule.box[2] - int(columns[0]), capsule.box[3] - int(rows[0])
    x0, y0, z0 = capsule.start
    ux, uy = capsule.direction
    cosine, sine = capsule.slope
    x, y = columns[left:right] - x0, (rows[top:bottom] - y0)[:, None]
    along, across = x * ux + y * uy, x * -uy + y * ux
    r0, r1 = capsule.radii
    mean = 0.5 * (r0 + r1)
    squared = across * across
    station = np.sqrt(np.maximum(mean * mean - squared, 0.0))
    divisor = max(cosine, 0.02)  # a bone that points at the camera
    station *= sine / divisor
    nearest = along * (1.0 / divisor)
    station += nearest
    if abs(r1 - r0) * abs(sine) > 0.35 * mean * cosine:
        # The closed form holds for cylinders. On a steep cone it can point past the outline.
        station = _pull_back(station, nearest, squared, capsule)
    np.maximum(station, 0.0, out=station)
    np.minimum(station, capsule.length, out=station)
    radius = station * ((r1 - r0) / max(capsule.length, 1e-6))
    radius += r0
    inverse = 1.0 / radius
    along -= station * cosine
    # rest / 2r is the signed distance to the outline to first order: half a pixel each side.
    rest = radius * radius
    rest -= along * along
    rest -= squared
    cover = rest * inverse
    cover += 1.0
    cover *= 0.5
    cover = clip01(cover)
    lift = np.sqrt(np.maximum(rest, 0.0))
    new = np.empty((_CHANNELS - 1, *cover.shape), dtype=np.float32)
    np.multiply(station, sine, out=new[0])
    new[0] += lift
    new[0] += z0
    along *= inverse
    across *= inverse
    lift *= inverse
    np.subtract(along * ux, across * uy, out=new[1])
    np.add(along * uy, across * ux, out=new[2])
    px, py, pz = capsule.palmar
    np.multiply(new[1], px, out=new[3])
    new[3] += new[2] * py
    new[3] += lift * pz
    _mark(new, station, lift, capsule)
    _merge(buffer[:, top:bottom, left:right], cover, new, 0.5 / capsule.blend)


def _pull_back(
    station: np.ndarray, nearest: np.ndarray, squared: np.ndarray, capsule: _Capsule
) -> np.ndarray:
    """Stations at which the sphere covers the pixel: halve the way to the nearest one until so."""
    low = np.minimum(np.maximum(nearest, 0.0), capsule.length)
    station = np.minimum(np.maximum(station, 0.0), capsule.length)
    growth = (capsule.radii[1] - capsule.radii[0]) / max(capsule.length, 1e-6)
    cosine = capsule.slope[0]
    for _ in range(3):
        radius = station * growth + capsule.radii[0]
        offset = (nearest - station) * cosine
        outside = radius * radius < offset * offset + squared
        station = np.where(outside, 0.5 * (station + low), station)
    radius = station * growth + capsule.radii[0]
    offset = (nearest - station) * cosine
    return np.where(radius * radius < offset * offset + squared, low, station)


def _mark(new: np.ndarray, station: np.ndarray, lift: np.ndarray, capsule: _Capsule) -> None:
    """Folds and materials of a capsule; ``station`` is the way along the bone in pixels."""
    if capsule.kind in (CLOTH, PALM):
        new[4] = _CLOTH if capsule.kind == CLOTH else _SOFT
        return
    sharp = 3.6 / capsule.radii[0]
    if capsule.kind == ROOT:
        # The first half belongs to the palm, without a fold at the knuckle.
        fade = station * (-2.0 * _SOFT / max(capsule.length, 1e-6)) + _SOFT
        np.minimum(fade, 0.0, out=new[4])
    else:
        near = station * sharp
        near *= near
        np.divide(0.4, near + 1.0, out=new[4])
    if capsule.kind != FINGERTIP:
        far = (station - capsule.length) * sharp
        far *= far
        new[4] += 0.4 / (far + 1.0)
    else:
        nail = _nail(station, new, lift, capsule)
        new[4] += nail * (_NAIL - new[4])


def _nail(station: np.ndarray, new: np.ndarray, lift: np.ndarray, capsule: _Capsule) -> np.ndarray:
    """0..1 mask of the nail: a rounded patch on the back of the fingertip."""
    px, py, pz = capsule.palmar
    ux, uy = capsule.direction
    cosine, sine = capsule.slope
    bx, by, bz = ux * cosine, uy * cosine, sine
    lx, ly, lz = by * pz - bz * py, bz * px - bx * pz, bx * py - by * px
    lateral = new[1] * lx + new[2] * ly + lift * lz
    # On the last sphere the station stays, so the normal says how far it goes on.
    ahead = new[1] * bx + new[2] * by + lift * bz
    reach = station + capsule.radii[1] * np.maximum(ahead, 0.0)
    end = capsule.length + 0.72 * capsule.radii[1]
    half = 1.12 * capsule.radii[1]
    u = (reach - (end - half)) * (1.0 / half)
    v = lateral * (1.0 / 0.80)
    u *= u
    v *= v
    # Exponent 4 in place of an ellipse's 2 gives the squarish shape of a nail.
    edge = clip01((1.0 - u * u - v * v) * 3.0)
    return np.asarray(edge * clip01(-4.0 * new[3] - 0.4))


def _merge(target: np.ndarray, cover: np.ndarray, new: np.ndarray, sharpness: float) -> None:
    """Put a capsule over, under or into what is there, by depth.

    With f the share to which the new piece is in front, a its coverage and A the old one: the new
    weighs a (1 - (1 - f) A), the old A (1 - f a), and their sum is the coverage of both.
    """
    old_cover = target[0]
    front = new[0] - target[1]
    front *= sharpness
    front += 0.5
    front = clip01(front)
    weight_old = old_cover * (1.0 - cover * front)
    front -= 1.0
    front *= old_cover
    front += 1.0
    front *= cover
    total = front + weight_old
    front /= np.maximum(total, 1e-6)
    new -= target[1:]
    new *= front
    target[1:] += new
    target[0] = total
