"""How a drawn hand looks: skin, light, sleeve and the faults of a camera."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Tuple

import numpy as np

__all__ = ["SKIN_TONES_BGR", "Colour", "DrawStyle", "random_colour", "random_style"]

Colour = Tuple[float, float, float]

#: Skin of the back of the hand from light to dark, 0..255, chosen by eye.
SKIN_TONES_BGR: Tuple[Colour, ...] = (
    (186, 206, 240),
    (162, 188, 232),
    (140, 172, 224),
    (116, 152, 208),
    (92, 128, 186),
    (72, 102, 156),
    (56, 78, 122),
    (44, 60, 94),
)


@dataclass(frozen=True, eq=False)
class DrawStyle:
    """Everything about a picture that is not the pose or the view.

    Attributes:
        skin_bgr: Skin colour in full light, 0..255.
        light: Direction to the light: x right, y down, z to the camera.
        light_gain: Strength of the direct light.
        ambient: Strength of the light from everywhere.
        light_bgr: Colour of the light, about 1.
        shadow: Strength of the shadow on the background, 0..1.
        shadow_shift: Distance of the shadow as share of the picture's side.
        sleeve_bgr: Colour of a sleeve; None for a bare arm.
        sleeve_m: Distance from the wrist to the cuff.
        nail_bgr: Colour of the nails; None for natural ones.
        blur_px: Gaussian blur of the whole picture.
        noise: Standard deviation of the sensor noise, 0..255.
        background: (H, W, 3) BGR picture of any size; None for a random one.
    """

    skin_bgr: Colour = SKIN_TONES_BGR[2]
    light: Colour = (-0.45, -0.6, 0.75)
    light_gain: float = 0.74
    ambient: float = 0.32
    light_bgr: Colour = (1.0, 1.0, 1.0)
    shadow: float = 0.38
    shadow_shift: float = 0.035
    sleeve_bgr: Optional[Colour] = None
    sleeve_m: float = 0.06
    nail_bgr: Optional[Colour] = None
    blur_px: float = 0.0
    noise: float = 0.0
    background: Optional[np.ndarray] = field(default=None, repr=False)


def random_style(rng: np.random.Generator, *, background: Optional[np.ndarray] = None) -> DrawStyle:
    """A style with all the variety of ``DrawStyle``.

    Args:
        rng: Source of randomness.
        background: Picture to use behind the hand; None for a random one.
    """
    low = rng.uniform(0.0, len(SKIN_TONES_BGR) - 1.001)
    tones = np.array(SKIN_TONES_BGR)
    skin = tones[int(low)] + (low - int(low)) * (tones[int(low) + 1] - tones[int(low)])
    skin = skin * rng.uniform(0.93, 1.07, size=3)
    angle = rng.uniform(0.0, 2.0 * np.pi)
    tilt = rng.uniform(0.35, 1.25)
    warmth = rng.normal(0.0, 0.06)
    sleeve = None
    if rng.random() < 0.55:
        sleeve = rng.uniform(10, 235) + rng.uniform(-70, 70, size=3) * rng.random()
    nail = rng.uniform(30, 230, size=3) if rng.random() < 0.12 else None
    return DrawStyle(
        skin_bgr=_colour(skin),
        light=(float(np.cos(angle)), float(np.sin(angle)), float(tilt)),
        light_gain=float(rng.uniform(0.35, 1.0)),
        ambient=float(rng.uniform(0.22, 0.55)),
        light_bgr=(float(1.0 - warmth), 1.0, float(1.0 + warmth)),
        shadow=float(rng.uniform(0.0, 0.6)),
        shadow_shift=float(rng.uniform(0.01, 0.10)),
        sleeve_bgr=None if sleeve is None else _colour(sleeve),
        sleeve_m=float(rng.uniform(0.005, 0.09)),
        nail_bgr=None if nail is None else _colour(nail),
        blur_px=float(max(0.0, rng.normal(0.2, 0.6))),
        noise=float(max(0.0, rng.normal(2.0, 3.5))),
        background=background,
    )


def random_colour(rng: np.random.Generator) -> Colour:
    """A colour of cloth or of a thing: any brightness, mostly near grey.

    Args:
        rng: Source of randomness.
    """
    return _colour(rng.uniform(10, 235) + rng.uniform(-80, 80, size=3) * rng.random())


def _colour(values: np.ndarray) -> Colour:
    blue, green, red = (float(value) for value in np.clip(values, 0.0, 255.0))
    return (blue, green, red)
