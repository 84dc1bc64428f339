"""Smoothed hands of a clip, and what that costs in lag."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, Optional, Sequence, Tuple

import numpy as np

from atlas_hpe.errors import UsageError
from atlas_hpe.poses import HandPose
from atlas_hpe_pipelines.smoothing.lag import AddedLag
from atlas_hpe_pipelines.smoothing.moving_points import MovingPoints, Strength
from atlas_hpe_pipelines.smoothing.one_euro import OneEuro

__all__ = ["SMOOTHING", "HandSmoother"]

#: Chosen on real clips with benchmarks/jitter.py; docs/tracking.md has the figures.
_STRENGTHS: Dict[str, Optional[Strength]] = {
    "off": None,
    "light": Strength(place=(2.0, 20.0), shape=(1.5, 8.0)),
    "strong": Strength(place=(1.0, 10.0), shape=(1.0, 2.0)),
}
#: What ``--smooth`` takes.
SMOOTHING = tuple(_STRENGTHS)
#: A hand that was not seen for longer starts anew.
_LONGEST_GAP_S = 0.25


class HandSmoother:
    """Takes the jitter off the joints of a clip's hands; give it the frames in order.

    Each joint of each track goes through a One-Euro filter. Speeds count in sizes of the hand, so
    that a hand is smoothed alike near and far, in small and large pictures. The motion of the hand
    as a whole is smoothed apart from that of its joints against it. Joints, depth and
    ``joints_3d`` are smoothed; all else stays as it is.

    Args:
        level: One of ``SMOOTHING``.

    Raises:
        UsageError: Another level.
    """

    def __init__(self, level: str = "light") -> None:
        if level not in _STRENGTHS:
            raise UsageError(
                f"there is no smoothing {level!r}",
                where="smooth",
                fix="use " + ", ".join(SMOOTHING),
            )
        self._strength = _STRENGTHS[level]
        self._tracks: Dict[int, _Track] = {}
        self._lag = AddedLag()

    @property
    def added_lag_ms(self) -> Optional[float]:
        """Mean delay that smoothing added so far, measured; see ``AddedLag``.

        None before any movement, 0 with ``"off"``.
        """
        return 0.0 if self._strength is None else self._lag.ms

    def smooth(self, hands: Sequence[HandPose], time_s: float) -> Tuple[HandPose, ...]:
        """The hands of the next frame, smoothed.

        Args:
            hands: Of one frame; those without ``track_id`` are told apart by their order, and start
                anew when they are read from another ``box``.
            time_s: Time of the frame. A hand that was not seen in the quarter of a second before
                it starts anew, so does every hand when time stands still or steps back.
        """
        if self._strength is None:
            return tuple(hands)
        known = {
            number: track
            for number, track in self._tracks.items()
            if 0.0 < time_s - track.time_s <= _LONGEST_GAP_S
        }
        seen: Dict[int, _Track] = {}
        smooth = []
        for place, hand in enumerate(hands):
            number = -1 - place if hand.track_id is None else hand.track_id
            track = known.pop(number, None)
            if track is None or (hand.track_id is None and track.box != hand.box):
                track = _Track(self._strength, hand.box)
            seen[number] = track
            smooth.append(track.smooth(hand, time_s, self._lag))
        self._tracks = {**known, **seen}
        return tuple(smooth)


class _Track:
    """The filters of one hand; ``box`` is the region it was first read from."""

    def __init__(self, strength: Strength, box: Tuple[float, float, float, float]) -> None:
        self.box = box
        self.time_s = 0.0
        self._last: Optional[np.ndarray] = None
        self._joints = MovingPoints(strength)
        self._space = MovingPoints(strength)
        self._depth = OneEuro(*strength.shape)

    def smooth(self, hand: HandPose, time_s: float, lag: AddedLag) -> HandPose:
        """The hand smoothed; the delay is counted."""
        step_s, self.time_s = time_s - self.time_s, time_s
        joints = self._joints.smooth(hand.joints, step_s)
        size = self._joints.size
        if self._last is not None and size is not None:
            lag.add(hand.joints, joints, self._last, step_s, size)
        self._last = joints
        depth, space = hand.depth, hand.joints_3d
        if depth is not None and size is not None:
            depth = self._depth.smooth(depth[:, None], step_s, size)[:, 0]
        if space is not None:
            space = self._space.smooth(space, step_s)
        return replace(hand, joints=joints, depth=depth, joints_3d=space)
