"""A clip of a moving drawn hand, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, List, Tuple

import numpy as np

from atlas_hpe.errors import UsageError
from atlas_hpe_pipelines.drawn_hand.background import draw_background
from atlas_hpe_pipelines.drawn_hand.camera import View, frame_hand, turn
from atlas_hpe_pipelines.drawn_hand.picture import (
    Subject,
    check_size,
    draw_subjects,
    draw_texture,
)
from atlas_hpe_pipelines.drawn_hand.poses import blend_postures, named_posture
from atlas_hpe_pipelines.drawn_hand.skeleton import (
    HandPosture,
    HandShape,
    default_shape,
    pose_skeleton,
)
from atlas_hpe_pipelines.drawn_hand.style import SKIN_TONES_BGR, DrawStyle

__all__ = ["SCRIPT", "DrawnClip", "iter_clip"]

Drawn = Tuple[np.ndarray, np.ndarray, float]

#: What the hand does, one gesture after the other, again from the start at the end.
SCRIPT: Tuple[str, ...] = (
    "open", "fist", "point", "pinch", "open", "count1", "count2", "count3", "count4", "count5",
    "grasp", "relaxed", "thumb_up", "flat",
)  # fmt: skip
# Yaw, pitch, roll, shift x and y, wrist flexion and deviation, size: rates without a common beat.
_SWAY_HZ = np.array([0.31, 0.23, 0.19, 0.37, 0.29, 0.17, 0.27, 0.21])
_GESTURE_S = 0.75
_HOLD_SHARE = 0.35
_DISTANCE_M = 0.6
_OPEN_EXTENT = 0.31  # longer side of an open hand's box, in focal lengths at _DISTANCE_M


@dataclass(frozen=True)
class DrawnClip:
    """A hand that opens, closes, points, pinches and counts while it moves and turns.

    Iterating draws the frames anew each time, always the same ones.

    Attributes:
        frames: Number of frames.
        size_px: Width and height.
        fps: Frames per second.
        seed: Decides background, skin, light and the phases of the motion.
        hands: 1, or 2 for a right and a left hand side by side.

    Raises:
        UsageError: An impossible number.
    """

    frames: int = 90
    size_px: Tuple[int, int] = (480, 480)
    fps: float = 30.0
    seed: int = 0
    hands: int = 1

    def __post_init__(self) -> None:
        check_size(self.size_px)
        for name, good, fix in (
            ("frames", self.frames >= 1, "use 1 or more"),
            ("fps", 0 < self.fps <= 1000, "use a number above 0 and up to 1000"),
            ("seed", self.seed >= 0, "use 0 or more"),
            ("hands", self.hands in (1, 2), "use 1 or 2"),
        ):
            if not good:
                raise UsageError(
                    f"impossible {name} for a clip", where=f"{name}={getattr(self, name)}", fix=fix
                )

    def __len__(self) -> int:
        return self.frames

    @property
    def is_right(self) -> Tuple[bool, ...]:
        """For each hand whether it is an anatomical right one."""
        _, actors = _cast(np.random.default_rng(self.seed), self)
        return tuple(actor.is_right for actor in actors)

    def __iter__(self) -> Iterator[Drawn]:
        """Draw the frames.

        Yields:
            (H, W, 3) BGR uint8, joints in pixels ((21, 2) float64; (2, 21, 2) for two hands,
            the right one first) and the time in seconds.
        """
        rng = np.random.default_rng(self.seed)
        style, actors = _cast(rng, self)
        for index in range(self.frames):
            time_s = index / self.fps
            subjects = [actor.at(time_s) for actor in actors]
            picture, joints = draw_subjects(subjects, self.size_px, style, rng)
            yield picture, joints[0] if self.hands == 1 else joints, time_s


def iter_clip(
    frames: int,
    size_px: Tuple[int, int] = (480, 480),
    fps: float = 30,
    seed: int = 0,
    hands: int = 1,
) -> Iterator[Drawn]:
    """The frames of a ``DrawnClip``; see there.

    Yields:
        Picture, joints in pixels and time in seconds.

    Raises:
        UsageError: An impossible number.
    """
    return iter(DrawnClip(frames=frames, size_px=size_px, fps=fps, seed=seed, hands=hands))


@dataclass(frozen=True, eq=False)
class _Actor:
    """One hand of a clip: its body and how it moves."""

    shape: HandShape
    texture: np.ndarray
    is_right: bool
    back: bool
    phases: np.ndarray
    centre_px: Tuple[float, float]
    room_px: float

    @staticmethod
    def draw(rng: np.random.Generator, index: int, clip: DrawnClip) -> _Actor:
        width, height = clip.size_px
        share = width / clip.hands
        is_right = bool(rng.random() < 0.7) if clip.hands == 1 else index == 0
        return _Actor(
            shape=default_shape(),
            texture=draw_texture(rng),
            is_right=is_right,
            back=bool(rng.random() < 0.35) if clip.seed else False,
            phases=rng.uniform(0, 2 * np.pi, size=8),
            centre_px=((index + 0.5) * share, 0.5 * height),
            room_px=min(share, float(height)),
        )

    def at(self, time_s: float) -> Subject:
        """The hand at a moment."""
        sway = np.sin(2 * np.pi * _SWAY_HZ * time_s + self.phases)
        posture = _scripted_posture(time_s, self.is_right)
        wrist = np.deg2rad([10.0, 6.0]) * sway[5:7]
        posture = HandPosture(posture.angles_rad, wrist, self.is_right)
        angles = np.deg2rad([24.0, 16.0, 13.0]) * sway[:3]
        rotation = turn(float(angles[0]), float(angles[1]), float(angles[2]), back=self.back)
        return Subject(
            posture=posture,
            shape=self.shape,
            view=self._frame(posture, rotation, sway),
            texture=self.texture,
        )

    def _frame(self, posture: HandPosture, rotation: np.ndarray, sway: np.ndarray) -> View:
        joints = pose_skeleton(posture, self.shape).joints_m
        turned = joints @ rotation.T
        extent = float(np.ptp(turned[:, :2], axis=0).max()) / _DISTANCE_M
        # A closed hand comes nearer, though not so near that it looks as large as an open one.
        fill = 0.645 * (extent / _OPEN_EXTENT) ** 0.4 * (1.0 + 0.04 * float(sway[7]))
        fill = min(max(fill, 0.46), 0.69)
        x, y = (0.055 * self.room_px * float(value) for value in sway[3:5])
        return frame_hand(
            joints,
            rotation,
            box_px=(self.centre_px[0] + x, self.centre_px[1] + y, fill * self.room_px),
            distance_m=_DISTANCE_M,
        )


def _cast(rng: np.random.Generator, clip: DrawnClip) -> Tuple[DrawStyle, List[_Actor]]:
    """The look of a clip and its hands."""
    style = _clip_style(rng, clip.size_px)
    return style, [_Actor.draw(rng, index, clip) for index in range(clip.hands)]


def _scripted_posture(time_s: float, is_right: bool) -> HandPosture:
    step, share = divmod(time_s / _GESTURE_S, 1.0)
    start, end = (SCRIPT[(int(step) + ahead) % len(SCRIPT)] for ahead in (0, 1))
    return blend_postures(
        named_posture(start, is_right=is_right),
        named_posture(end, is_right=is_right),
        (share - _HOLD_SHARE) / (1.0 - _HOLD_SHARE),
    )


def _clip_style(rng: np.random.Generator, size_px: Tuple[int, int]) -> DrawStyle:
    """A look for a whole clip; without the harsher light and blur of training pictures."""
    skin = SKIN_TONES_BGR[int(rng.integers(len(SKIN_TONES_BGR)))]
    sleeve = rng.uniform(30, 200, size=3)
    side = float(rng.choice([-1.0, 1.0]))
    return DrawStyle(
        skin_bgr=skin,
        light=(side * float(rng.uniform(0.3, 0.7)), float(rng.uniform(-0.8, -0.4)), 0.8),
        sleeve_bgr=(float(sleeve[0]), float(sleeve[1]), float(sleeve[2])),
        sleeve_m=float(rng.uniform(0.035, 0.06)),
        noise=1.5,
        background=draw_background(rng, size_px),
    )
