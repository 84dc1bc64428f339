"""The card held against graph, source and drawing before the first frame."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

from atlas_hpe.aipp import check_aipp_card
from atlas_hpe.card import ModelCard, TensorSpec
from atlas_hpe.errors import CardError, UsageError
from atlas_hpe_pipelines.decoders import find_decoder, gives_heatmaps
from atlas_hpe_pipelines.detection import DETECTION_KIND
from atlas_hpe_pipelines.drawing import DrawOptions
from atlas_hpe_pipelines.preprocess import picture_input
from atlas_hpe_pipelines.sources import Source

__all__ = ["check_contract", "check_detector_contract", "check_drawing", "check_source"]


def check_contract(
    card: ModelCard, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> None:
    """Make sure that what the card says can be done with the graph.

    Args:
        card: The model's card.
        inputs: Inputs of the opened model; a dimension of -1 takes any size.
        outputs: Outputs of the opened model.

    Raises:
        CardError: The graph takes another input, or gives outputs that the decoder can't use.
    """
    _check_input(card, inputs)
    kind = find_decoder(card)
    shapes = {spec.name: spec.shape for spec in outputs}
    for role, name in card.decode.outputs.items():
        if name not in shapes:
            raise _mismatch(
                card, f"decode.outputs.{role}", f"no output '{name}'", ", ".join(shapes)
            )
    shape = shapes[card.decode.outputs[kind.role]]
    if len(shape) != kind.rank:
        needed = f"an output of {kind.rank} dimensions"
        raise _mismatch(card, f"decode.outputs.{kind.role}", needed, _show(shape))
    joints = shape[1]
    if 0 <= joints <= max(card.joint_order):
        needed = f"joint {max(card.joint_order)}"
        raise _mismatch(card, "joint_order", needed, f"{joints} joints")


def check_detector_contract(
    card: ModelCard, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> None:
    """Make sure that a card is one of a hand detector and that the graph does what it says.

    Args:
        card: The detector's card.
        inputs: Inputs of the opened model; a dimension of -1 takes any size.
        outputs: Outputs of the opened model.

    Raises:
        CardError: It is no hand detector, or the card does not fit the graph.
    """
    if card.decode.kind != DETECTION_KIND:
        raise CardError(
            "the model is no hand detector",
            where=f"{card.name}, card.decode.kind",
            why=f"it is '{card.decode.kind}', a detector is '{DETECTION_KIND}'",
            fix="give a detector with --detector, or none",
        )
    _check_input(card, inputs)
    shapes = {spec.name: spec.shape for spec in outputs}
    for role in ("score", "box"):
        if role not in card.decode.outputs:
            raise _mismatch(card, "decode.outputs", f"the role '{role}'", ", ".join(shapes))
    for role, name in card.decode.outputs.items():
        if name not in shapes or len(shapes[name]) != 4:
            needed = f"an output '{name}' of 4 dimensions"
            found = ", ".join(f"{other} {_show(shape)}" for other, shape in shapes.items())
            raise _mismatch(card, f"decode.outputs.{role}", needed, found)


def check_source(card: ModelCard, source: Source) -> Optional[str]:
    """Make sure that the model was made for pictures of the source's kind.

    Returns:
        What the user has to know where it was not, and can be shown them all the same.

    Raises:
        UsageError: It can do nothing with them.
    """
    takes_depth = card.task == "depth-hand-3d"
    if takes_depth and not source.depth:
        raise UsageError(
            "the model takes depth pictures, and the source gives colours",
            where=source.name,
            fix="give a folder of 16-bit depth pictures or a 16-bit grey video",
        )
    if source.depth and not takes_depth:
        return f"{card.name} takes colours: it is shown the depth in false colours"
    return None


def check_drawing(card: ModelCard, drawing: DrawOptions) -> None:
    """Make sure that the model gives what is to be drawn.

    Raises:
        UsageError: It gives no heatmaps, and they are asked for.
    """
    if drawing.heatmap and not gives_heatmaps(card):
        raise UsageError(
            "the model gives no heatmaps that could be drawn",
            where=card.name,
            why=f"its kind is '{card.decode.kind}', decoded in the {card.decode.where}",
            fix="leave --show heatmap out",
        )


def _check_input(card: ModelCard, inputs: Sequence[TensorSpec]) -> None:
    check_aipp_card(card)
    wanted = picture_input(card)
    needed = f"one input '{wanted.name}' {wanted.dtype} {_show(wanted.shape)}"
    found = ", ".join(f"'{item.name}' {item.dtype} {_show(item.shape)}" for item in inputs)
    fits = (
        len(inputs) == 1
        and (inputs[0].name, inputs[0].dtype) == (wanted.name, wanted.dtype)
        and len(inputs[0].shape) == len(wanted.shape)
        and all(have in (-1, want) for have, want in zip(inputs[0].shape, wanted.shape))
    )
    if not fits:
        raise _mismatch(card, "preprocess", needed, found)


def _mismatch(card: ModelCard, part: str, needed: str, found: str) -> CardError:
    built = card.provenance.build is not None
    return CardError(
        "the card does not fit the graph",
        where=f"{card.name}, card.{part}",
        why=f"the card needs {needed}, the graph has {found}",
        fix=f"{'convert' if built else 'export'} the model again",
    )


def _show(shape: Tuple[int, ...]) -> str:
    return "x".join("?" if size < 0 else str(size) for size in shape)
