"""From the wanted view of a picture to areas that the crop and resize unit takes.

The hardware cuts areas with even left and top and odd right and bottom (inclusive pixel indices),
pastes at multiples of 16 from the left, and cuts nothing outside the picture (ascend.md section
5.2). A view in float pixels is moved to the nearest legal areas; the map that comes with them is
exact, so joints that are mapped back with it lie where the pixels came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple, Union

import numpy as np

from atlas_hpe.geometry import Box, box_affine
from atlas_hpe_runtime.acl.dvpp.fallback import Fallback
from atlas_hpe_runtime.acl.dvpp.limits import (
    MAX_SCALE,
    MIN_SCALE,
    VPC_MIN_PX,
    refuse_output,
    refuse_picture,
)

__all__ = ["Area", "CropPlan", "plan_crop"]

#: Steps of a paste area's left and top.
_PASTE_STEPS = (16, 2)


@dataclass(frozen=True)
class Area:
    """A rectangle of whole pixels; all four edges belong to it.

    Attributes:
        left: First column, even.
        right: Last column, odd.
        top: First row, even.
        bottom: Last row, odd.
    """

    left: int
    right: int
    top: int
    bottom: int

    @property
    def size_px(self) -> Tuple[int, int]:
        """Width and height."""
        return self.right - self.left + 1, self.bottom - self.top + 1


@dataclass(frozen=True, eq=False)
class CropPlan:
    """What is cut, where it goes, and the map between the two.

    Attributes:
        cut: Area of the source picture.
        paste: Area of the output that it fills.
        size_px: Width and height of the output.
        affine: (2, 3) exact map from source to output, continuous pixels.
    """

    cut: Area
    paste: Area
    size_px: Tuple[int, int]
    affine: np.ndarray

    @property
    def fills_output(self) -> bool:
        """Whether the picture covers the output; otherwise the rest of it is border."""
        return self.paste.size_px == self.size_px


@dataclass(frozen=True)
class _Span:
    """One direction: pixels from ``start`` up to ``stop`` go to ``to_start`` up to ``to_stop``."""

    start: int
    stop: int
    to_start: int
    to_stop: int

    @property
    def scale(self) -> float:
        return (self.to_stop - self.to_start) / (self.stop - self.start)


def plan_crop(
    source_px: Tuple[int, int], region: Box, size_px: Tuple[int, int], keep_aspect: bool = False
) -> Union[CropPlan, Fallback]:
    """The legal areas nearest to a wanted view.

    Where the view reaches out of the picture, the output keeps a border there.

    Args:
        source_px: Width and height of the picture.
        region: What the output shows, continuous source pixels; may be partly outside.
        size_px: Width and height of the output.
        keep_aspect: As for ``box_affine``: True for letterbox.

    Returns:
        The plan, or why the hardware can't do it.
    """
    refused = refuse_picture(*source_px) or refuse_output(*size_px)
    if refused is not None:
        return refused
    wanted = box_affine(region, size_px, keep_aspect)
    spans = [
        _fit_span(source_px[axis], size_px[axis], wanted[axis, axis], wanted[axis, 2], axis)
        for axis in (0, 1)
    ]
    for span, least_px in zip(spans, VPC_MIN_PX):
        if min(span.stop - span.start, span.to_stop - span.to_start) < least_px:
            least = "x".join(map(str, VPC_MIN_PX))
            return Fallback(f"less than {least} px of the view lie inside the picture")
        if not MIN_SCALE <= span.scale <= MAX_SCALE:
            return Fallback(
                f"the hardware scales by 1/{1 / MIN_SCALE:g} to {MAX_SCALE:g}, "
                f"this view needs {span.scale:.4g}"
            )
    across, down = spans
    return CropPlan(
        cut=Area(across.start, across.stop - 1, down.start, down.stop - 1),
        paste=Area(across.to_start, across.to_stop - 1, down.to_start, down.to_stop - 1),
        size_px=size_px,
        affine=np.array(
            [
                [across.scale, 0.0, across.to_start - across.scale * across.start],
                [0.0, down.scale, down.to_start - down.scale * down.start],
            ]
        ),
    )


def _fit_span(source_px: int, size_px: int, scale: float, shift: float, axis: int) -> _Span:
    """One direction of a plan; empty where nothing of the picture is in view.

    Args:
        source_px: Length of the picture.
        size_px: Length of the output.
        scale: Output pixels per source pixel that are wanted.
        shift: Output position of source position 0 that is wanted.
        axis: 0 across, 1 down.
    """
    limit = source_px // 2 * 2
    # Where the picture begins inside the output there is a border before it, on the grid.
    start, to_start = _even(max(0.0, -shift / scale)), 0
    if shift > 0:
        to_start = min(size_px, _near(shift, _PASTE_STEPS[axis]))
    stop_wanted = start + (size_px - to_start) / scale
    if stop_wanted <= limit + 1:
        return _Span(start, min(limit, _even(stop_wanted)), to_start, size_px)
    # The picture ends inside the output.
    return _Span(start, limit, to_start, to_start + _even((limit - start) * scale))


def _even(value: float) -> int:
    return _near(value, 2)


def _near(value: float, step: int) -> int:
    return round(value / step) * step
