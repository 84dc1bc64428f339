"""The pictures that an .om takes: the card's network and the user's wish as AIPP's settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

from atlas_hpe.aipp import aipp_config, aipp_spec, choose_aipp_input
from atlas_hpe.card import AippInput, ModelCard
from atlas_hpe.errors import UsageError
from atlas_hpe.onnx_file import OnnxSummary
from atlas_hpe_export.convert.request.options import AippRequest

__all__ = ["AippSetup", "make_aipp"]


@dataclass(frozen=True)
class AippSetup:
    """What AIPP is told.

    Attributes:
        pictures: What is fed.
        input_name: The graph's input that AIPP prepares.
        config: Text for --insert_op_conf.
    """

    pictures: AippInput
    input_name: str
    config: str


def make_aipp(
    request: AippRequest, card: Optional[ModelCard], summary: OnnxSummary, *, several_sizes: bool
) -> AippSetup:
    """AIPP's settings for a network.

    Args:
        request: What the user asks for.
        card: The network's card.
        summary: Its graph.
        several_sizes: The size is chosen at run time (--image-size with several).

    Raises:
        UsageError: There is no card, it is another graph's, or AIPP can't do that.
    """
    if card is None:
        raise UsageError(
            "AIPP needs the model's card",
            where=f"--input {request.form}",
            why="only the card knows the size, the colour order, the mean and the std to apply",
            fix="export the network with atlas-hpe export, or leave --input out",
        )
    names = [spec.name for spec in summary.inputs]
    name = card.graphs[0].inputs[0].name
    if name not in names:
        raise UsageError(
            "the card is not that of this graph",
            where=f"--input {request.form}",
            why=f"it feeds the picture to '{name}', and the graph's inputs are: {', '.join(names)}",
            fix="export the network again",
        )
    if several_sizes and (request.source_size_px or request.crop or any(request.padding)):
        raise UsageError(
            "several image sizes and a picture of another size exclude each other",
            where="--image-size with --source-size, --crop or --padding",
            why="with dynamic image sizes AIPP takes the picture at the size of the profile, "
            "without crop and padding (ascend.md section 4.6)",
            fix="leave --source-size, --crop and --padding out, or give one --image-size",
        )
    pictures = choose_aipp_input(
        card.preprocess,
        request.form,
        matrix=request.matrix,
        colour_range=request.colour_range,
        source_size_px=request.source_size_px,
        crop=request.crop,
        padding=request.padding,
    )
    spec = aipp_spec(card.preprocess, pictures)
    if several_sizes:  # AIPP has to take that of the profile
        spec = replace(spec, src_width_px=0, src_height_px=0)
    return AippSetup(pictures, name, aipp_config(spec, names.index(name)))
