"""Light on a rasterised hand, and the picture of hand, shadow and background."""

from __future__ import annotations

from typing import List, Tuple

import cv2
import numpy as np

from atlas_hpe_pipelines.drawn_hand.raster import Surface, clip01
from atlas_hpe_pipelines.drawn_hand.style import DrawStyle

__all__ = ["compose", "shade"]

# Light that enters skin comes out redder: the terminator of red is softer than that of blue.
_WRAP_BGR = (0.12, 0.20, 0.42)
_FAR_BACK = -1.0e3


def shade(surface: Surface, style: DrawStyle, texture: np.ndarray) -> np.ndarray:
    """Colours of the hand.

    Args:
        surface: What the camera sees, h x w.
        style: Skin and light.
        texture: (h, w) about 0, +-1: uneven colour of the skin.

    Returns:
        (h, w, 3) BGR float32, 0..255 and a little beyond.
    """
    light = np.array(style.light, dtype=np.float64)
    light /= np.linalg.norm(light)
    lx, ly, lz = (float(value) for value in light)
    nx, ny, nz = surface.normal
    facing = nx * lx + ny * ly + nz * lz
    occlusion, shadowed = _occlusion(surface, lx, ly)
    fold = surface.crease * (surface.palmar * 0.05 + 0.16)
    exposed = (1.0 - 0.6 * occlusion) * (1.0 - fold)
    direct = shadowed * style.light_gain
    half = np.array([lx, ly, lz + 1.0])
    half /= np.linalg.norm(half)
    hx, hy, hz = (float(value) for value in half)
    shine = clip01(nx * hx + ny * hy + nz * hz)
    shine *= shine
    shine *= shine
    gloss = shine * shine * shine * (20.0 + 26.0 * surface.nail)
    gloss *= (1.0 - surface.cloth) * direct

    albedo = _albedo(surface, style, texture)
    # A little light from above keeps shaded sides round.
    dome = (1.0 - 0.25 * ny) * style.ambient
    picture = np.empty((*texture.shape, 3), dtype=np.float32)
    for channel in range(3):
        wrap = _WRAP_BGR[channel]
        diffuse = clip01((facing + wrap) * (1.0 / (1.0 + wrap)))
        diffuse *= direct
        diffuse += dome
        diffuse *= exposed
        diffuse *= albedo[channel]
        diffuse *= style.light_bgr[channel]
        np.add(diffuse, gloss, out=picture[..., channel])
    return picture


def _albedo(surface: Surface, style: DrawStyle, texture: np.ndarray) -> List[np.ndarray]:
    """Blue, green and red of the hand in full light, (h, w) each."""
    skin = np.array(style.skin_bgr)
    dark = 1.0 - float(skin.mean()) / 255.0
    # The palm is paler and pinker, the more so the darker the skin.
    palm = skin + (np.array([168, 184, 232]) - skin) * (0.12 + 0.5 * dark)
    nail = (
        np.minimum(skin * 0.98 + np.array([20, 8, 10]), 255)
        if style.nail_bgr is None
        else np.array(style.nail_bgr)
    )
    sleeve = np.array(style.sleeve_bgr or style.skin_bgr)
    side = clip01(0.5 + 1.1 * surface.palmar)
    # Blood shows at the joints: less blue and green.
    flush = (-0.08, -0.06, 0.02)
    redness = 0.5 * surface.crease + 0.25 * texture
    mottle = 1.0 + 0.03 * texture
    weave = 1.0 + 0.10 * texture
    colours = []
    for channel in range(3):
        tone = side * float(palm[channel] - skin[channel])
        tone += float(skin[channel])
        tone *= redness * flush[channel] + mottle
        tone += surface.nail * (float(nail[channel]) - tone)
        if style.sleeve_bgr is not None:
            tone += surface.cloth * (float(sleeve[channel]) * weave - tone)
        colours.append(tone)
    return colours


def _occlusion(surface: Surface, lx: float, ly: float) -> Tuple[np.ndarray, np.ndarray]:
    """How much higher parts close in on each pixel, and how much they take its light.

    Returns:
        (h, w) occlusion 0..1 and (h, w) direct light that arrives, 0..1.
    """
    height, width = surface.cover.shape
    radius = max(2.0, 0.45 * surface.unit_px)
    solid = (surface.cover > 0.5).astype(np.float32)
    depth = np.where(surface.cover > 0.02, surface.depth_px, np.float32(0.0))
    size = int(2 * radius) | 1
    area = cv2.blur(solid, (size, size))
    mean = cv2.blur(depth * solid, (size, size)) / np.maximum(area, 1e-3)
    occlusion = clip01((mean - depth) * (0.35 / radius)) * area
    # Shadow of higher parts: the depth picture moved away from the light.
    shift = 1.4 * radius
    move = np.array([[1.0, 0.0, -lx * shift], [0.0, 1.0, -ly * shift]])
    moved = cv2.warpAffine(
        np.where(surface.cover > 0.5, surface.depth_px, np.float32(_FAR_BACK)),
        move,
        (width, height),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_REPLICATE,
    )
    higher = clip01((moved - depth - shift) * (1.0 / radius))
    size = int(1.2 * radius) | 1
    return occlusion, 1.0 - 0.6 * cv2.blur(higher, (size, size))


def compose(
    surface: Surface, colours: np.ndarray, background: np.ndarray, style: DrawStyle
) -> np.ndarray:
    """Hand over its shadow over the background.

    Args:
        surface: Coverage of the hand in its window.
        colours: (h, w, 3) BGR float32 of the hand in its window.
        background: (H, W, 3) BGR uint8 or float32.
        style: Shadow.

    Returns:
        (H, W, 3) BGR float32, 0..255 and a little beyond.
    """
    height, width = background.shape[:2]
    picture = background.astype(np.float32)
    left, top = surface.origin_px
    rows, columns = surface.cover.shape
    if style.shadow > 0:
        picture *= _cast_shadow(surface, (width, height), style)[..., None]
    window = picture[top : top + rows, left : left + columns]
    window += (colours - window) * surface.cover[..., None]
    return picture


def _cast_shadow(surface: Surface, size_px: Tuple[int, int], style: DrawStyle) -> np.ndarray:
    """(H, W) what the hand leaves of the light on the background; soft, so drawn small."""
    width, height = size_px
    small = (max(width // 4, 1), max(height // 4, 1))
    # Pixel centres are at whole numbers: x in the window is (x + 1/2 + left) / 4 - 1/2 here.
    scale_x, scale_y = small[0] / width, small[1] / height
    shift = style.shadow_shift * max(small)
    lx, ly, _ = style.light
    length = float(np.hypot(lx, ly)) + 1e-6
    left, top = surface.origin_px
    move = np.array(
        [
            [scale_x, 0.0, (left + 0.5) * scale_x - 0.5 - lx / length * shift],
            [0.0, scale_y, (top + 0.5) * scale_y - 0.5 - ly / length * shift],
        ]
    )
    moved = cv2.warpAffine(surface.cover, move, small)
    moved = cv2.GaussianBlur(moved, (0, 0), 0.35 * shift + 0.6, borderType=cv2.BORDER_REPLICATE)
    light = 1.0 - style.shadow * moved
    return np.asarray(cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR))
