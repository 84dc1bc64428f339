"""The first look at a hand: nobody knows yet how it is turned, nor quite where it is."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Callable, Optional, Tuple, TypeVar

import numpy as np
from typing_extensions import Protocol

from atlas_hpe_pipelines.tracking.region import (
    Region,
    distance_px,
    region_from_joints,
    turn_between,
)

__all__ = ["Seen", "is_far_off", "look_at_new_hand"]

_FAR_ANGLE_RAD = math.radians(25)
_FAR_SIDES = 0.15
_FAR_GROWTH = 1.3
#: Below this mean score of the joints, the hand may stand in a way that the network sees badly.
#: On hands at any angle from collections that the network had not seen, looking again at quarter
#: turns took a quarter off the error of a single look, and a tenth off that of two.
_SURE = 0.75
#: Side of the region of the last look over that of the usual one.
_CLOSER = 0.9
_QUARTER_TURNS_RAD = (0.5 * math.pi, math.pi, 1.5 * math.pi)


class Seen(Protocol):
    """What a look shows."""

    @property
    def joints(self) -> np.ndarray:
        """(21, 2) source pixels, NaN where not found."""

    @property
    def joint_scores(self) -> np.ndarray:
        """(21,) in [0, 1]."""

    @property
    def handedness(self) -> Optional[str]:
        """Left or right, None from a network that does not say."""


_SeenHand = TypeVar("_SeenHand", bound=Seen)
#: Region -> the hand in it, None when there is none.
Look = Callable[[Region], Optional[_SeenHand]]
#: Two looks at one hand -> the hand.
Average = Callable[[_SeenHand, _SeenHand], _SeenHand]


def look_at_new_hand(
    look: Look[_SeenHand], region: Region, crop_scale: float, average: Average[_SeenHand]
) -> Optional[_SeenHand]:
    """A hand at a place that is only roughly known.

    Where the first look leaves the joints unsure, the region is looked at in three more turns and
    the surest answer counts. Where that answer says that the region was far off, the joints are
    read again from the region that they give. At last the hand is looked at in a mirror, upright
    and closer, by a network that knows left from right and so was taught both; what the two looks
    get wrong differs, and their mean errs less than either.

    Args:
        look: Asks the landmark network.
        region: Where the hand is, about.
        crop_scale: Side of a region over the longer side of the hand's box.
        average: Makes one hand of two looks.

    Returns:
        The hand, None when there is none.
    """
    found = _look_upright(look, region, crop_scale)
    if found is None or found.handedness is None:
        return found
    closer = region_from_joints(found.joints, _CLOSER * crop_scale, region.angle_rad)
    mirrored = None if closer is None else look(replace(closer, mirrored=True))
    return found if mirrored is None else average(found, mirrored)


def _look_upright(look: Look[_SeenHand], region: Region, crop_scale: float) -> Optional[_SeenHand]:
    """The hand, from the look at it that is most likely upright."""
    found = look(region)
    if found is None:
        return None
    if _sureness(found) < _SURE:
        found, region = _look_around(look, found, region)
    seen = region_from_joints(found.joints, crop_scale, region.angle_rad)
    if seen is None or not is_far_off(region, seen):
        return found
    again = look(seen)
    return again if again is None or _sureness(again) >= _sureness(found) else found


def is_far_off(region: Region, seen: Region) -> bool:
    """Whether a region was so far from the one its joints give that it has to be read again.

    That is 25 degrees turned, 0.15 of its side away, or 1.3 times too large or too small.
    """
    growth = seen.side_px / region.side_px
    return (
        abs(turn_between(region.angle_rad, seen.angle_rad)) > _FAR_ANGLE_RAD
        or distance_px(region, seen) > _FAR_SIDES * region.side_px
        or not 1 / _FAR_GROWTH <= growth <= _FAR_GROWTH
    )


def _sureness(found: Seen) -> float:
    return float(found.joint_scores.mean())


def _look_around(
    look: Look[_SeenHand], found: _SeenHand, region: Region
) -> Tuple[_SeenHand, Region]:
    """The surest of four looks, a quarter turn apart, and the region it was at."""
    best = (found, region)
    for turn_rad in _QUARTER_TURNS_RAD:
        turned = replace(region, angle_rad=turn_between(0.0, region.angle_rad + turn_rad))
        other = look(turned)
        if other is not None and _sureness(other) > _sureness(best[0]):
            best = (other, turned)
    return best
