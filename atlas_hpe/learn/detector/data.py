"""Which pictures the hand detector learns from, and which it never sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from atlas_hpe.errors import InputError
from atlas_hpe.learn.data.cutout import with_cutouts
from atlas_hpe.learn.data.drawn_hands import cached_drawn_hands
from atlas_hpe.learn.data.hand_images import (
    EmptyImage,
    HandImage,
    load_crops,
    load_negatives,
    read_image,
    read_items,
    read_joints,
)

__all__ = ["DetectorData", "Scene", "ScenePool", "load_detector_data", "load_scenes"]


@dataclass(frozen=True)
class Scene:
    """A picture with all of its hands.

    Attributes:
        image: (H, W, 3) BGR uint8.
        joints_px: (K, 21, 2) float32, continuous pixels of `image`, hand21 order.
        source: name of the collection.
        mask: which part of the picture is its one hand, as `HandImage` has it; None where unknown.
    """

    image: np.ndarray
    joints_px: np.ndarray
    source: str
    mask: Optional[np.ndarray] = None


@dataclass(frozen=True)
class ScenePool:
    """Scenes to draw from, sources balanced.

    A source with n pictures gets a share proportional to n ** 0.6, so that a large one does not
    drown the small ones.
    """

    scenes: Sequence[Scene]
    _cumulative: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        counts: Dict[str, int] = {}
        for scene in self.scenes:
            counts[scene.source] = counts.get(scene.source, 0) + 1
        each = np.array([counts[scene.source] ** -0.4 for scene in self.scenes])
        object.__setattr__(self, "_cumulative", np.cumsum(each) / max(float(each.sum()), 1e-9))

    def draw(self, rng: np.random.Generator) -> Scene:
        """One scene."""
        index = int(np.searchsorted(self._cumulative, rng.random(), side="right"))
        return self.scenes[min(index, len(self.scenes) - 1)]


@dataclass(frozen=True)
class DetectorData:
    """What to train on and what is kept out.

    Attributes:
        frames: whole photographs.
        crops: single hands with some surroundings.
        drawn: the same, drawn by the project; may be empty.
        empty: pictures without a hand.
        held_out: photographs and hand-free pictures of sources that are left out.
    """

    frames: ScenePool
    crops: ScenePool
    drawn: ScenePool
    empty: Sequence[EmptyImage]
    held_out: Tuple[Sequence[Scene], Sequence[EmptyImage]]

    @property
    def pictures(self) -> int:
        """Number of labelled pictures."""
        return len(self.frames.scenes) + len(self.crops.scenes)


def load_scenes(folder: Path) -> List[Scene]:
    """Every photograph of `frames.json` with its hands.

    Raises:
        InputError: the index or a picture can't be read.
    """
    scenes = []
    for item in read_items(folder / "frames.json", "image", "source", "hands"):
        path = folder / str(item["image"])
        hands = item["hands"]
        if not isinstance(hands, list) or not hands:
            raise InputError("a frame has no hands", where=path, fix="leave it out of the index")
        joints = np.stack([read_joints(hand["keypoints"], path) for hand in hands])
        scenes.append(Scene(read_image(path), joints, str(item["source"])))
    return scenes


def _as_scene(hand: HandImage) -> Scene:
    return Scene(hand.image, hand.joints_px[None], hand.source, hand.mask)


def load_detector_data(
    folder: Path, cache: Path, *, drawn: int = 2000, seed: int = 0, leave_out: Sequence[str] = ()
) -> DetectorData:
    """Read the pseudo-labelled set and draw (or read back) the drawn hands.

    Args:
        folder: with crops.json, frames.json and negatives.json.
        cache: where the drawn hands are kept.
        drawn: number of drawn hands, 0 for none.
        seed: decides the drawn hands.
        leave_out: sources to keep out of everything; their frames become the held-out set.

    Raises:
        InputError: an index, a picture or the cache can't be read; nothing left to train on.
    """
    scenes, crops, negatives = load_scenes(folder), load_crops(folder), load_negatives(folder)
    frames = [scene for scene in scenes if scene.source not in leave_out]
    hands = [hand for hand in crops if hand.source not in leave_out]
    empty = [picture for picture in negatives if picture.source not in leave_out]
    if not (frames and hands and empty):
        raise InputError(
            "no frames, crops or hand-free pictures are left to train on",
            where=folder,
            fix="leave fewer sources out",
        )
    left_out = "_without_" + "_".join(sorted(leave_out)) if leave_out else ""
    hands = with_cutouts(hands, cache / f"detector_cutouts{left_out}.npz")
    renders = cached_drawn_hands(cache, drawn, seed, empty) if drawn else []
    return DetectorData(
        frames=ScenePool(frames),
        crops=ScenePool([_as_scene(hand) for hand in hands]),
        drawn=ScenePool([_as_scene(hand) for hand in renders]),
        empty=empty,
        held_out=(
            [scene for scene in scenes if scene.source in leave_out],
            [picture for picture in negatives if picture.source in leave_out],
        ),
    )
