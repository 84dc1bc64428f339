"""What a ladder is climbed with: photographs, drawn hands, or noise where nothing can be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, List, Optional, Sequence, Union

from atlas_hpe.card import ModelCard, TensorSpec
from atlas_hpe.errors import InputError, UsageError
from atlas_hpe.parity import Sample
from atlas_hpe_export.feeds import make_feeds

__all__ = ["DrawSamples", "LadderSamples", "PrepareSample", "gather_samples"]

#: Card and picture file -> one sample.
PrepareSample = Callable[[ModelCard, Path], Sample]
#: Card and number of samples -> samples that show hands.
DrawSamples = Callable[[ModelCard, int], Sequence[Sample]]

_PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_SAMPLES = 8


@dataclass(frozen=True, eq=False)
class LadderSamples:
    """Samples together with what they are.

    Attributes:
        samples: Taken one at a time.
        source: What they are, in words.
        have_crops: Every sample has its picture at the network's size.
        are_photographs: A user gave them, and hands are expected in them.
    """

    samples: Iterable[Sample]
    source: str
    have_crops: bool
    are_photographs: bool


def gather_samples(
    card: Optional[ModelCard],
    inputs: Sequence[TensorSpec],
    *,
    images: Optional[Union[str, Path]],
    prepare_sample: Optional[PrepareSample],
    draw_samples: Optional[DrawSamples],
) -> LadderSamples:
    """The samples that suit a model.

    Args:
        card: The model's card, None when it has none.
        inputs: The model's inputs.
        images: Folder of pictures; None for drawn hands or, failing that, noise.
        prepare_sample: Reads one picture as the card says; needed with ``images``.
        draw_samples: Draws hands as the card says.

    Raises:
        UsageError: Pictures for a model without a card, or without ``prepare_sample``; noise for
            inputs whose sizes are not fixed.
        InputError: The folder can't be used.
    """
    if images is not None:
        return _gather_photographs(card, Path(images), prepare_sample)
    if card is not None and card.task != "depth-hand-3d" and draw_samples is not None:
        source = "hands drawn by this project, no photographs"
        return LadderSamples(draw_samples(card, _SAMPLES), source, True, False)
    for item in inputs:
        if -1 in item.shape:
            raise UsageError(
                f"the size of the model's input '{item.name}' is not fixed",
                why=f"its shape is {list(item.shape)}, so there is nothing to feed",
                fix="export the model at a fixed size",
            )
    noise = [
        Sample(f"noise {number}", feed) for number, feed in enumerate(make_feeds(inputs, _SAMPLES))
    ]
    return LadderSamples(noise, "noise from a seed, no photographs", False, False)


def _gather_photographs(
    card: Optional[ModelCard], folder: Path, prepare_sample: Optional[PrepareSample]
) -> LadderSamples:
    if prepare_sample is None:
        raise UsageError("pictures can't be read without a function", fix="pass prepare_sample=")
    if card is None:
        raise UsageError(
            "pictures need a model card",
            where="--images",
            why="the model has none, so nothing says how a picture becomes its input",
            fix="leave out --images: the tensors are compared on noise",
        )
    known_card, prepare = card, prepare_sample
    paths = _list_pictures(folder)
    samples = (prepare(known_card, path) for path in paths)
    return LadderSamples(samples, f"{len(paths)} pictures of {folder}", True, True)


def _list_pictures(folder: Path) -> List[Path]:
    """The pictures of a folder by name; sub-folders are not entered."""
    if not folder.is_dir():
        what = "expected a folder of pictures" if folder.exists() else "the folder does not exist"
        raise InputError(what, where=folder, fix="give a folder with --images")
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURE_SUFFIXES)
    if not pictures:
        raise InputError(
            "the folder holds no pictures",
            where=folder,
            why="none of its files ends in " + ", ".join(_PICTURE_SUFFIXES),
        )
    return pictures
