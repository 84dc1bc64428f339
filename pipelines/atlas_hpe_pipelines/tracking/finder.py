"""A frame to its hands: the detector while hands are missing, the tracks otherwise."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Dict, Optional, Tuple

from atlas_hpe.errors import UsageError
from atlas_hpe.poses import Frame, HandPose
from atlas_hpe_pipelines.detection import Detection, box_overlap
from atlas_hpe_pipelines.stage_times import StageTimes
from atlas_hpe_pipelines.tracking.average import average_hands
from atlas_hpe_pipelines.tracking.first_look import look_at_new_hand
from atlas_hpe_pipelines.tracking.readers import Detector, HandReader
from atlas_hpe_pipelines.tracking.region import Region, joint_box, region_from_detection
from atlas_hpe_pipelines.tracking.tracker import DETECT_EVERY, Tracker

__all__ = ["LEAST_KEPT_SCORE", "LEAST_NEW_SCORE", "HandFinder"]

#: A new hand needs joints of this mean score. Presence alone takes a computer mouse or a sleeve for
#: a hand; their joints scored 0.1 to 0.7 where those of hands scored 0.55 to 1.
LEAST_NEW_SCORE = 0.4
#: A hand that is followed may be blurred for a while; below this it was none, or is gone.
LEAST_KEPT_SCORE = 0.25
#: A new hand with joints less sure than the first has joints that fill the detector's box at least
#: so much (intersection over union): those of hands fill 0.5 to 0.9 of it in most frames of real
#: clips, those of a sleeve and a computer mouse less than 0.4.
_SURE, _LEAST_AGREEMENT = 0.7, 0.4
#: After so long without a frame nobody knows where a hand went, nor whether it is the same one.
_LONGEST_GAP_S = 1.0


class HandFinder:
    """Finds and follows the hands of a clip; give it the frames in order, from one thread.

    A photograph is a clip of one frame: call ``reset`` before each, or let their times be a second
    apart.

    Args:
        reader: The landmark network.
        detector: The detector.
        max_hands: Most hands at once.
        detect_every: With room for another hand, the detector runs in every so many frames.

    Attributes:
        times: Step -> time it took in each frame: ``detect`` (only frames in which the detector
            ran), ``crop``, ``infer`` and ``joints``, each for all hands of the frame together.
        detections: Frames in which the detector ran.
        broken_frames: Frames in which a network gave NaN or infinite numbers.

    Raises:
        UsageError: Fewer than one hand, or an interval below one frame.
    """

    def __init__(
        self,
        reader: HandReader,
        detector: Detector,
        max_hands: int = 2,
        detect_every: int = DETECT_EVERY,
    ) -> None:
        if max_hands < 1:
            raise UsageError(f"{max_hands} hands are too few", where="hands", fix="give 1 or more")
        if detect_every < 1:
            raise UsageError(
                f"the detector can't run every {detect_every} frames",
                where="detect_every",
                fix="give 1 or more",
            )
        self.times: Dict[str, StageTimes] = {
            name: StageTimes() for name in ("detect", "crop", "infer", "joints")
        }
        self.detections = 0
        self.broken_frames = 0
        self._reader = reader
        self._detector = detector
        # Joints of a network without presence are scored by other rules; the reader judges them.
        judges = "presence" in reader.card.decode.outputs
        self._least_new = LEAST_NEW_SCORE if judges else 0.0
        self._least_kept = LEAST_KEPT_SCORE if judges else 0.0
        self._tracker = Tracker(max_hands, reader.card.preprocess.crop_scale, detect_every)
        self._last: Optional[Tuple[Tuple[int, int], float]] = None

    @property
    def tracks(self) -> int:
        """Hands followed so far; one that was lost for long counts anew."""
        return self._tracker.count

    def reset(self) -> None:
        """Forget the hands that are followed: what comes next is another clip.

        Their numbers are not given again; counts and times go on.
        """
        self._tracker.reset()

    def find(self, frame: Frame) -> Tuple[HandPose, ...]:
        """The hands in the next frame, ordered by their ``track_id``.

        A frame of another size than the one before, or a second or more away from it, is of
        another clip; see ``reset``.
        """
        started = perf_counter()
        tracker, size_px = self._tracker, frame.size_px
        if self._begins_clip(frame):
            self.reset()
        self._last = (size_px, frame.time_s)
        tracker.follow([self._read_on(frame, item.region) for item in tracker.tracks], size_px)
        detecting_s = 0.0
        if tracker.wants_detection():
            detecting_s = self._detect(frame)
        poses = tracker.poses()
        self._count(perf_counter() - started, detecting_s)
        return poses

    def _begins_clip(self, frame: Frame) -> bool:
        """Whether a frame has nothing to do with the one before."""
        if self._last is None:
            return False
        size_px, time_s = self._last
        return frame.size_px != size_px or abs(frame.time_s - time_s) >= _LONGEST_GAP_S

    def _read_on(self, frame: Frame, region: Region) -> Optional[HandPose]:
        """A followed hand, None when it is gone."""
        hand = self._reader.read(frame, region)
        gone = hand is None or hand.joint_scores.mean() < self._least_kept
        return None if gone else hand

    def _detect(self, frame: Frame) -> float:
        """Look for hands that are not tracked; how long the detector alone took, in seconds."""
        started = perf_counter()
        detections = self._detector.detect(frame.image)
        detecting_s = perf_counter() - started
        self.detections += 1
        self.times["detect"].add(detecting_s)
        scale = self._reader.card.preprocess.crop_scale
        for detection in self._tracker.untracked(detections):
            if not self._tracker.has_room:
                break
            region = region_from_detection(detection, scale)
            look = partial(self._reader.read, frame)
            hand = look_at_new_hand(look, region, scale, average_hands)
            if hand is not None and self._is_hand(hand, detection):
                self._tracker.add(hand, frame.size_px)
        return detecting_s

    def _is_hand(self, hand: HandPose, detection: Detection) -> bool:
        """Whether what was read at a detection is a hand, and the one that was detected."""
        box, score = joint_box(hand.joints), float(hand.joint_scores.mean())
        if box is None or score < self._least_new:
            return False
        return score >= _SURE or box_overlap(box, detection.box) >= _LEAST_AGREEMENT

    def _count(self, whole_s: float, detecting_s: float) -> None:
        """Record the frame's times; what is no crop and no inference is work on joints."""
        spent_s = self._reader.spent_s
        self.times["joints"].add(whole_s - detecting_s - sum(spent_s.values()))
        for step in spent_s:
            self.times[step].add(spent_s[step])
            spent_s[step] = 0.0
        self.broken_frames += self._reader.broken or self._detector.broken
        self._reader.broken = self._detector.broken = False
