"""Which pictures the default network learns from, and which it never sees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence

from atlas_hpe.learn.data.cutout import with_cutouts
from atlas_hpe.learn.data.drawn_hands import cached_drawn_hands
from atlas_hpe.learn.data.hand_images import (
    EmptyImage,
    HandImage,
    load_crops,
    load_frames,
    load_negatives,
)
from atlas_hpe.learn.landmark.batches import Mixture, Pool

__all__ = ["NEGATIVE_REPEATS", "TrainingData", "is_held_out", "load_training_data"]

# Shares of the hand pictures of a batch: tracker crops, whole-scene cuts, drawn hands.
CROP_SHARE, FRAME_SHARE, DRAWN_SHARE = 0.56, 0.12, 0.32
# Hand-free crops are few but chosen; each counts as often as this many frames.
NEGATIVE_REPEATS = 10
_DIGITS_NUMBER = re.compile(r"IMG_(\d+)")


@dataclass(frozen=True)
class TrainingData:
    """The mixture to train on and the crops kept out of it."""

    mixture: Mixture
    held_out: Sequence[HandImage]


def is_held_out(hand: HandImage) -> bool:
    """Whether a crop belongs to the smoke check: ten consecutive `digits` photos in 400.

    Consecutive photos of that collection mostly show one person, so most held-out people are
    unseen; their background and camera are not. It is no measure of how the network does elsewhere.
    """
    number = _DIGITS_NUMBER.search(hand.name)
    return hand.source == "digits" and number is not None and int(number.group(1)) // 10 % 40 == 0


def load_training_data(
    folder: Path, cache: Path, *, drawn: int = 4000, seed: int = 0, leave_out: Sequence[str] = ()
) -> TrainingData:
    """Read the pseudo-labelled set and draw (or read back) the drawn hands.

    Args:
        folder: with crops.json, frames.json and negatives.json.
        cache: where the drawn hands are kept.
        drawn: number of drawn hands, 0 for none.
        seed: decides the drawn hands.
        leave_out: sources to keep out of everything; their crops become the held-out set.

    Raises:
        InputError: an index, a picture or the cache can't be read; nothing left to train on.
    """
    crops, negatives = load_crops(folder), load_negatives(folder)
    frames, scenes = load_frames(folder)
    if leave_out:
        held_out = [hand for hand in crops if hand.source in leave_out]
        frames = [hand for hand in frames if hand.source not in leave_out]
        negatives = [picture for picture in negatives if picture.source not in leave_out]
        scenes = [picture for picture in scenes if picture.source not in leave_out]
    else:
        held_out = [hand for hand in crops if is_held_out(hand)]
    kept_out = {hand.name for hand in held_out}
    learned = [hand for hand in crops if hand.name not in kept_out]
    left_out = "_without_" + "_".join(sorted(leave_out)) if leave_out else ""
    pools = [Pool(with_cutouts(learned, cache / f"cutouts{left_out}.npz"), CROP_SHARE)]
    if frames:
        pools.append(Pool(frames, FRAME_SHARE))
    if drawn:
        pools.append(Pool(cached_drawn_hands(cache, drawn, seed, negatives), DRAWN_SHARE))
    empty: List[EmptyImage] = [*list(negatives) * NEGATIVE_REPEATS, *scenes]
    return TrainingData(Mixture(pools, empty), held_out)
