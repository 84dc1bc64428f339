"""Hands through a clip: where each is looked for next, which ones are lost, and their numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import List, Optional, Sequence, Tuple

import numpy as np

from atlas_hpe.poses import HandPose
from atlas_hpe_pipelines.detection import Detection, box_overlap
from atlas_hpe_pipelines.tracking.handedness import SideVote
from atlas_hpe_pipelines.tracking.region import (
    Region,
    distance_px,
    joint_box,
    region_from_joints,
    turn_between,
)

__all__ = ["DETECT_EVERY", "Track", "Tracker"]

#: With some hands tracked and room for more, the detector runs in every so many frames. A new
#: hand is seen a quarter of a second late at 30 frames/s, and the detector costs an eighth.
DETECT_EVERY = 8
#: A hand's centre moves by less than this share of its region from where it was expected.
_MAX_JUMP = 0.5
#: A region grows or shrinks by less than this factor from one frame to the next.
_MAX_GROWTH = 2.0
#: Share of the new frame in the smoothed size, angle and velocity of a region. Less smoothing errs
#: less: of a drawn hand that turns by 24 degrees and moves by a third of its size in a frame, 0.6
#: follows half as well. It takes the edge off a single bad frame.
_NEW_SHARE = 0.8
#: A region that would move by less than this share of its side, grow by less than this and turn by
#: less than this stays: the network reads its own jitter back from a region that follows it. On
#: hands that stand still in real clips this takes off up to half of the jitter.
_STILL_SHARE, _STILL_GROWTH, _STILL_TURN_RAD = 0.03, 1.05, math.radians(4)
#: Two tracks are on one hand when their joints lie this near, in sides of the hand's box, ...
_SAME_JOINTS = 0.2
#: ... or when the boxes of their joints overlap so much (intersection over union).
_SAME_BOX = 0.7
#: A detection on a tracked hand is that hand.
_DETECTED_BOX = 0.4
#: A hand that was lost is mostly still there and moves fast: the detector looks for it in so many
#: frames.
_SEARCH_FRAMES = 4
#: While all hands are tracked, the detector looks after them at every so many of its turns.
_REST_TURNS = 4
#: A track is of a thing that is no hand when its joints are unsure (mean score) and the detector
#: saw nothing there so many times in a row.
_UNSURE, _MOST_UNSEEN, _SEEN_BOX = 0.6, 3, 0.2
#: A hand that comes back within so many frames, near where it would have moved, keeps its number.
_REMEMBER_FRAMES = 30
_REMEMBER_SIDES = 0.7


@dataclass(eq=False)
class Track:
    """One hand that is being followed.

    Attributes:
        number: ``HandPose.track_id``.
        region: Where the hand is looked for in the next frame.
        seen: The region of the last joints, not smoothed.
        hand: The last joints.
        velocity: (2,) smoothed motion of the centre in pixels per frame.
        vote: Which hand it is.
        seen_at: Number of the last frame it was seen in.
        undetected: Turns of the detector in a row that showed nothing there, with unsure joints.
    """

    number: int
    region: Region
    seen: Region
    hand: HandPose
    seen_at: int
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))
    vote: SideVote = field(default_factory=SideVote)
    undetected: int = 0


@dataclass(frozen=True, eq=False)
class _Sighting:
    """What a track's region showed."""

    track: Track
    hand: HandPose
    seen: Region

    def surprise(self) -> float:
        """Distance from where the hand was expected, in sides of the region."""
        return distance_px(self.seen, self.track.region) / self.track.region.side_px


class Tracker:
    """The hands of a clip, a frame at a time.

    In each frame call ``follow`` with what the region of each track showed, then, if
    ``wants_detection``, ``add`` what was read at the detections that are ``untracked``.

    Args:
        max_hands: Most hands at once.
        crop_scale: Side of a region over the longer side of the hand's box.
        detect_every: With room for another hand, the detector is wanted in every so many frames.

    Attributes:
        tracks: The hands that are followed, by their numbers.
        count: Numbers given out so far.
    """

    def __init__(self, max_hands: int, crop_scale: float, detect_every: int = DETECT_EVERY) -> None:
        self.tracks: List[Track] = []
        self.count = 0
        self._max_hands = max_hands
        self._crop_scale = crop_scale
        self._detect_every = detect_every
        self._lost: List[Track] = []
        self._now = -1
        self._detected_at = self._now

    def reset(self) -> None:
        """Forget all hands, the lost ones too; their numbers are not given again."""
        self.tracks, self._lost = [], []

    def follow(self, hands: Sequence[Optional[HandPose]], size_px: Tuple[int, int]) -> None:
        """Begin a frame: move the tracks to what was read at their regions, drop the lost ones.

        A track is lost when its region shows no hand, when the hand jumps or changes its size at
        once, when its centre leaves the picture, or when it has come upon another track's hand.

        Args:
            hands: The hand at each track's region, in the order of ``tracks``; None for no hand.
            size_px: Width and height of the picture.
        """
        self._now += 1
        sightings = []
        for track, hand in zip(self.tracks, hands):
            if hand is None:
                continue
            seen = region_from_joints(hand.joints, self._crop_scale, track.region.angle_rad)
            if seen is not None and _is_plausible(seen, track, size_px):
                sightings.append(_Sighting(track, hand, seen))
        kept = _one_for_each_hand(sightings)
        for sighting in kept:
            self._see(sighting.track, sighting.hand, sighting.seen)
        followed = [sighting.track for sighting in kept]
        self._lost += [track for track in self.tracks if track not in followed]
        self._lost = [item for item in self._lost if self._age(item) <= _REMEMBER_FRAMES]
        self.tracks = followed

    @property
    def has_room(self) -> bool:
        """Whether fewer hands are tracked than may be."""
        return len(self.tracks) < self._max_hands

    def wants_detection(self) -> bool:
        """Whether the detector has to run in this frame.

        It runs while no hand is tracked, in the frame in which a hand was lost and some more,
        every ``detect_every`` frames while there is room for another one or a track is in doubt,
        and every fourth time of that while all hands are tracked.
        """
        if not self.tracks:
            return True
        if self.has_room and any(self._age(track) <= _SEARCH_FRAMES for track in self._lost):
            return True
        resting = not self.has_room and not any(track.undetected for track in self.tracks)
        turns = _REST_TURNS if resting else 1
        return self._now - self._detected_at >= turns * self._detect_every

    def untracked(self, detections: Sequence[Detection]) -> List[Detection]:
        """The detections that are on no tracked hand; call it once for each run of the detector.

        Tracks that the detector does not see, time and again, are given up.
        """
        self._detected_at = self._now
        self._give_up_things(detections)
        boxes = [joint_box(track.hand.joints) for track in self.tracks]
        return [
            detection
            for detection in detections
            if all(box is None or box_overlap(detection.box, box) < _DETECTED_BOX for box in boxes)
        ]

    def _give_up_things(self, detections: Sequence[Detection]) -> None:
        """Drop the tracks of things that are no hands; they don't get their numbers back."""
        for track in self.tracks:
            box = joint_box(track.hand.joints)
            seen = box is not None and any(
                box_overlap(detection.box, box) >= _SEEN_BOX for detection in detections
            )
            unsure = float(track.hand.joint_scores.mean()) < _UNSURE
            track.undetected = 0 if seen or not unsure else track.undetected + 1
        self.tracks = [track for track in self.tracks if track.undetected < _MOST_UNSEEN]

    def add(self, hand: HandPose, size_px: Tuple[int, int]) -> None:
        """Follow a new hand from now on, unless it is one that is tracked already.

        A hand that was lost a moment ago and comes back near by keeps its number and its vote.
        """
        seen = region_from_joints(hand.joints, self._crop_scale)
        if seen is None or not _is_inside(seen, size_px) or not self.has_room:
            return
        if any(_is_same_hand(hand, track.hand) for track in self.tracks):
            return
        track = self._recall(seen)
        if track is None:
            track = Track(self.count, seen, seen, hand, self._now)
            self.count += 1
        # Where it went meanwhile is unknown: it starts at rest.
        track.region, track.seen, track.velocity = seen, seen, np.zeros(2)
        self._see(track, hand, seen)
        self.tracks = sorted([*self.tracks, track], key=lambda item: item.number)

    def poses(self) -> Tuple[HandPose, ...]:
        """The hands of this frame, by their numbers, with number and voted side filled in."""
        poses = []
        for track in self.tracks:
            side, score = track.vote.result()
            poses.append(
                replace(track.hand, track_id=track.number, handedness=side, handedness_score=score)
            )
        return tuple(poses)

    def _age(self, track: Track) -> int:
        return self._now - track.seen_at

    def _recall(self, seen: Region) -> Optional[Track]:
        """Take the lost track that would be here by now, None when there is none."""
        near = []
        for track in self._lost:
            expected_x, expected_y = np.array([track.seen.x, track.seen.y]) + (
                track.velocity * self._age(track)
            )
            away = math.hypot(seen.x - expected_x, seen.y - expected_y) / track.seen.side_px
            near.append((away, track.number, track))
        near.sort(key=lambda item: item[:2])
        if not near or near[0][0] > _REMEMBER_SIDES:
            return None
        track = near[0][2]
        self._lost.remove(track)
        return track

    def _see(self, track: Track, hand: HandPose, seen: Region) -> None:
        """Move a track to its hand and on to where it will be in the next frame."""
        moved = np.array([seen.x - track.seen.x, seen.y - track.seen.y])
        track.velocity = track.velocity + _NEW_SHARE * (moved - track.velocity)
        old = track.region
        coming = Region(
            x=seen.x + float(track.velocity[0]),
            y=seen.y + float(track.velocity[1]),
            side_px=old.side_px + _NEW_SHARE * (seen.side_px - old.side_px),
            angle_rad=turn_between(
                0.0, old.angle_rad + _NEW_SHARE * turn_between(old.angle_rad, seen.angle_rad)
            ),
        )
        track.region = old if _is_still(old, coming) else coming
        track.seen, track.hand, track.seen_at = seen, hand, self._now
        track.vote.add(hand.handedness, hand.handedness_score)


def _is_inside(region: Region, size_px: Tuple[int, int]) -> bool:
    return 0 <= region.x <= size_px[0] and 0 <= region.y <= size_px[1]


def _is_plausible(seen: Region, track: Track, size_px: Tuple[int, int]) -> bool:
    """Whether a hand can be the one that a track was following."""
    growth = seen.side_px / track.seen.side_px
    return (
        _is_inside(seen, size_px)
        and distance_px(seen, track.region) <= _MAX_JUMP * track.region.side_px
        and 1 / _MAX_GROWTH <= growth <= _MAX_GROWTH
    )


def _is_still(old: Region, coming: Region) -> bool:
    return (
        distance_px(old, coming) < _STILL_SHARE * old.side_px
        and 1 / _STILL_GROWTH < coming.side_px / old.side_px < _STILL_GROWTH
        and abs(turn_between(old.angle_rad, coming.angle_rad)) < _STILL_TURN_RAD
    )


def _one_for_each_hand(sightings: Sequence[_Sighting]) -> List[_Sighting]:
    """Of several tracks on one hand, keep the one that expected it there (then the older one)."""
    kept: List[_Sighting] = []
    for sighting in sorted(sightings, key=lambda item: (item.surprise(), item.track.number)):
        if not any(_is_same_hand(sighting.hand, other.hand) for other in kept):
            kept.append(sighting)
    return sorted(kept, key=lambda item: item.track.number)


def _is_same_hand(one: HandPose, other: HandPose) -> bool:
    box, other_box = joint_box(one.joints), joint_box(other.joints)
    if box is None or other_box is None:
        return False
    away = np.linalg.norm(one.joints - other.joints, axis=1)
    both = away[np.isfinite(away)]
    side = max(box.width, box.height, other_box.width, other_box.height)
    near = len(both) > 0 and float(both.mean()) < _SAME_JOINTS * side
    return near or box_overlap(box, other_box) > _SAME_BOX
