"""Batches as a pure function of (seed, step): the same pair always gives the same pictures.

That makes resuming exact without saving the state of any random generator.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, Sequence

import cv2
import numpy as np

from atlas_hpe.errors import InputError
from atlas_hpe.hands import NUM_JOINTS
from atlas_hpe.learn.augment.photometry import add_thing, degrade, draw_texture, vary_colour
from atlas_hpe.learn.augment.scene import HandView, SceneRange, draw_scene
from atlas_hpe.learn.augment.warp import crop_affine, warp_image
from atlas_hpe.learn.data.hand_images import EmptyImage, HandImage, source_weights

__all__ = ["Batch", "Mixture", "Pool", "make_batch", "make_hand"]


@dataclass(frozen=True)
class Batch:
    """N training pictures.

    Attributes:
        images: (N, S, S, 3) RGB uint8.
        joints: (N, 21, 2) float32 in [0, 1] of the crop; zeros where there is no hand.
        depth: (N, 21) float32 relative to the wrist, away from the camera positive, in units of the
            crop side; NaN where unknown.
        has_hand: (N,) float32, 1 or 0.
        right: (N,) float32 probability of a right hand; 0.5 where there is no hand.
    """

    images: np.ndarray
    joints: np.ndarray
    depth: np.ndarray
    has_hand: np.ndarray
    right: np.ndarray


@dataclass(frozen=True)
class Pool:
    """One kind of hand pictures and its share of each batch."""

    hands: Sequence[HandImage]
    share: float
    cumulative: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        if not self.hands:
            raise InputError("a pool of hand pictures is empty", fix="leave it out")
        object.__setattr__(self, "cumulative", source_weights(self.hands))

    def draw(self, rng: np.random.Generator) -> HandImage:
        """One picture, sources balanced."""
        index = int(np.searchsorted(self.cumulative, rng.random(), side="right"))
        return self.hands[min(index, len(self.hands) - 1)]


@dataclass(frozen=True)
class Mixture:
    """What a batch is made of.

    Attributes:
        pools: kinds of hands; their shares are scaled to what the negatives leave.
        empty: pictures for negatives, backgrounds and occluders.
        negative_share: share of pictures without a hand.
        size_px: side of the network's input.
        span: what may happen to a hand.
    """

    pools: Sequence[Pool]
    empty: Sequence[EmptyImage]
    negative_share: float = 0.18
    size_px: int = 128
    span: SceneRange = field(default_factory=SceneRange)


# Half-axes of the things in hand-free crops, as shares of the side: as large as a hand would be.
_THING_REACH = (0.06, 0.45)


def _hand_free_crop(rng: np.random.Generator, mixture: Mixture) -> np.ndarray:
    """A picture for the class "no hand": a cut, half of them with things where hands would be."""
    image = _hand_free_cut(rng, mixture)
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(1, 4))):
            image = add_thing(rng, image, _THING_REACH)
    return _finish(rng, image)


def _hand_free_cut(rng: np.random.Generator, mixture: Mixture) -> np.ndarray:
    """A random square of a picture that touches no labelled hand; a texture where none is found."""
    size = mixture.size_px
    if not mixture.empty or rng.random() < 0.1:
        return draw_texture(rng, size)
    picture = mixture.empty[int(rng.integers(len(mixture.empty)))]
    height, width = picture.image.shape[:2]
    for _ in range(6):
        side = rng.uniform(0.3, 1.0) * min(height, width)
        half = side / 2
        centre = np.array([rng.uniform(half, width - half), rng.uniform(half, height - half)])
        low, high = centre - 0.75 * side, centre + 0.75 * side
        boxes = picture.hand_boxes
        hit = (
            (boxes[:, 2] > low[0])
            & (boxes[:, 0] < high[0])
            & (boxes[:, 3] > low[1])
            & (boxes[:, 1] < high[1])
        )
        if not hit.any():
            matrix = crop_affine(centre, side, rng.uniform(-np.pi, np.pi), 1.0, size)
            cut = warp_image(picture.image, matrix, size, cv2.BORDER_REFLECT_101)
            return np.ascontiguousarray(cut[:, ::-1]) if rng.random() < 0.5 else cut
    return draw_texture(rng, size)


def _finish(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    if rng.random() < 0.9:
        image = vary_colour(rng, image)
    return degrade(rng, image)


def make_hand(rng: np.random.Generator, hand: HandImage, mixture: Mixture) -> HandView:
    """One augmented hand picture."""
    return draw_scene(
        rng,
        hand,
        mixture.span,
        mixture.size_px,
        background=lambda: _hand_free_cut(rng, mixture),
        other_hand=lambda: mixture.pools[0].draw(rng),
    )


def _counts(mixture: Mixture, size: int) -> List[int]:
    """How many pictures of each pool; the rest of `size` is negatives."""
    total = sum(pool.share for pool in mixture.pools)
    hands = size - round(size * mixture.negative_share)
    edges = np.round(np.cumsum([pool.share for pool in mixture.pools]) / total * hands).astype(int)
    return [int(count) for count in np.diff(np.concatenate(([0], edges)))]


def make_batch(
    mixture: Mixture, seed: int, step: int, size: int, rows: slice = slice(None)
) -> Batch:
    """Batch number `step` of the run with `seed`; of its `size` pictures only `rows` are made."""
    side, wanted = mixture.size_px, range(size)[rows]
    images = np.empty((len(wanted), side, side, 3), np.uint8)
    joints = np.zeros((len(wanted), NUM_JOINTS, 2), np.float32)
    depth = np.full((len(wanted), NUM_JOINTS), np.nan, np.float32)
    has_hand, right = np.zeros(len(wanted), np.float32), np.full(len(wanted), 0.5, np.float32)
    plan = [
        pool for pool, count in zip(mixture.pools, _counts(mixture, size)) for _ in range(count)
    ]
    for index, row in enumerate(wanted):
        rng = np.random.default_rng((seed, step, row))
        if row < len(plan):
            view = make_hand(rng, plan[row].draw(rng), mixture)
            image, joints[index] = view.image, view.joints
            right[index], has_hand[index] = view.right, 1.0
            depth[index] = np.nan if view.depth is None else view.depth
        else:
            image = _hand_free_crop(rng, mixture)
        images[index] = image[:, :, ::-1]
    return Batch(images, joints, depth, has_hand, right)
