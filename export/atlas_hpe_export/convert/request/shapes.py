"""Which sizes the inputs of the compiled model have."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Optional, Tuple

from atlas_hpe.card import ModelCard
from atlas_hpe.errors import UsageError
from atlas_hpe.onnx_file import OnnxSummary
from atlas_hpe_export.convert.request.options import ConvertOptions

__all__ = ["resized_card", "shape_flags"]

Shape = Tuple[int, ...]
_FIRST_SPATIAL_AXIS = 2  # of NCHW, the layout of every ONNX picture


def shape_flags(
    options: ConvertOptions, summary: OnnxSummary, card: Optional[ModelCard]
) -> Dict[str, str]:
    """--input_shape and the flag of dynamic profiles; none where the graph's own sizes stay.

    Raises:
        UsageError: A name or rank that the graph does not have, or no input that is a picture.
    """
    if not (options.input_shapes or options.batches or options.image_sizes):
        return {}
    shapes = _given_shapes(options, summary)
    if options.batches:
        batch = options.batches[0] if len(options.batches) == 1 else -1
        shapes = {name: (batch, *shape[1:]) if shape else shape for name, shape in shapes.items()}
    if options.image_sizes:
        name = _picture_input(summary, card)
        size = options.image_sizes[0] if len(options.image_sizes) == 1 else (-1, -1)
        shapes[name] = (*shapes[name][:_FIRST_SPATIAL_AXIS], *size)
    flags = {
        "input_shape": ";".join(
            f"{name}:{','.join(map(str, shape))}" for name, shape in shapes.items()
        )
    }
    if len(options.batches) > 1:
        flags["dynamic_batch_size"] = ",".join(map(str, options.batches))
    if len(options.image_sizes) > 1:
        sizes = (f"{height},{width}" for height, width in options.image_sizes)
        flags["dynamic_image_size"] = ";".join(sizes)
    return flags


def _given_shapes(options: ConvertOptions, summary: OnnxSummary) -> Dict[str, Shape]:
    shapes = {spec.name: spec.shape for spec in summary.inputs}
    names = tuple(shapes)
    for index, (given, shape) in enumerate(options.input_shapes):
        name = given or names[min(index, len(names) - 1)]
        where = f"--input-shape {name}:{','.join(map(str, shape))}"
        if name not in shapes:
            raise UsageError(
                f"the graph has no input '{name}'",
                where=where,
                why="its inputs are: " + ", ".join(shapes),
                fix="use the name that atlas-hpe inspect shows",
            )
        if len(shape) != len(shapes[name]):
            raise UsageError(
                f"the input '{name}' has {len(shapes[name])} axes, {len(shape)} are given",
                where=where,
                fix="give one size for every axis, the batch first",
            )
        shapes[name] = shape
    return shapes


def _picture_input(summary: OnnxSummary, card: Optional[ModelCard]) -> str:
    """Name of the input that takes the picture: the card's, else the only one with four axes.

    Raises:
        UsageError: There is none, or without a card more than one.
    """
    pictures: List[str] = [spec.name for spec in summary.inputs if len(spec.shape) == 4]
    if card is not None and card.graphs[0].inputs[0].name in pictures:
        return card.graphs[0].inputs[0].name
    if len(pictures) != 1:
        raise UsageError(
            "it is not clear which input of the graph is the picture",
            where="--image-size",
            why=f"{len(pictures)} inputs have four axes" + "".join(f", {n}" for n in pictures),
            fix="give each input its size with --input-shape NAME:N,C,H,W",
        )
    return pictures[0]


def resized_card(options: ConvertOptions, card: ModelCard) -> ModelCard:
    """The card of the network at the size that is asked for.

    Raises:
        UsageError: The card's own size is not among several sizes.
    """
    own = (card.preprocess.height_px, card.preprocess.width_px)
    if len(options.image_sizes) == 1:
        height, width = options.image_sizes[0]
        preprocess = replace(card.preprocess, height_px=height, width_px=width)
        return replace(card, preprocess=preprocess)
    if options.image_sizes and own not in options.image_sizes:
        raise UsageError(
            "the size that the model's card asks for is not among the sizes",
            where="--image-size",
            why="the pipelines feed pictures of the card's size, and the device takes no other",
            fix=f"add {own[0]}x{own[1]} (height x width)",
        )
    return card
