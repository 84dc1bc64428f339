"""One sample of a comparison, and what a reference says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterable, Iterator, Mapping, Optional

import numpy as np

__all__ = ["Answer", "Feeds", "Joints", "Outputs", "Run", "Sample", "ask"]

#: Input name -> array.
Feeds = Mapping[str, np.ndarray]
#: Output name -> array.
Outputs = Mapping[str, np.ndarray]
#: A network: feeds in, outputs out.
Run = Callable[[Feeds], Outputs]
#: The outputs of one sample -> (21, 2) joints in input pixels, NaN where there is none.
Joints = Callable[[Outputs], np.ndarray]


@dataclass(frozen=True, eq=False)
class Sample:
    """One input to compare on, together with what the network's input shows.

    Attributes:
        name: What a person knows it by: a file name, or "drawn hand 3".
        feeds: Input name -> array, as the host would feed it.
        crop: (height_px, width_px, 3) uint8, BGR: the picture at the network's size, before colour
            order and normalisation; None when the input is no picture.
        picture: (H, W, 3) uint8, BGR: the picture that the crop was cut from; None when unknown.
        to_source: (2, 3) affine map from input pixels to pixels of ``picture``; None when unknown.
    """

    name: str
    feeds: Feeds
    crop: Optional[np.ndarray] = None
    picture: Optional[np.ndarray] = None
    to_source: Optional[np.ndarray] = None


@dataclass(frozen=True, eq=False)
class Answer:
    """What the reference says of a sample.

    Attributes:
        sample: What it was asked.
        outputs: What it said.
        joints: (21, 2) joints in input pixels, NaN where there is none; None without a decoder.
    """

    sample: Sample
    outputs: Outputs
    joints: Optional[np.ndarray] = None


def ask(run: Run, samples: Iterable[Sample], joints: Optional[Joints]) -> Iterator[Answer]:
    """Run a network on samples, one at a time.

    Args:
        run: The network.
        samples: Taken one at a time.
        joints: Decoder of its outputs, None to compare tensors only.
    """
    for sample in samples:
        outputs = run(sample.feeds)
        yield Answer(sample, outputs, None if joints is None else joints(outputs))
