"""What a user asks of a conversion, with typed values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from atlas_hpe.errors import UsageError

__all__ = ["PRECISIONS", "TUNE_MODES", "AippRequest", "ConvertOptions", "precision_mode"]

#: Our name -> atc's precision_mode (ascend.md sections 3.1 and 3.2), fastest first.
PRECISIONS: Dict[str, str] = {
    "fp16": "force_fp16",
    "mixed": "allow_mix_precision",
    "fp32-to-fp16": "allow_fp32_to_fp16",
    "origin": "must_keep_origin_dtype",
    "fp32": "force_fp32",
}

#: Our name -> atc's auto_tune_mode.
TUNE_MODES: Dict[str, str] = {"ga": "GA", "rl": "RL", "rl,ga": "RL,GA"}


@dataclass(frozen=True)
class AippRequest:
    """The form of the pictures that the .om shall take, as a user gives it.

    Attributes:
        form: A key of ``atlas_hpe.card.INPUT_FORMS``, for example ``"nv12"``.
        matrix: ``"bt601"`` or ``"bt709"``: the colours of a YUV picture.
        colour_range: ``"narrow"`` or ``"full"``: its range.
        source_size_px: Width and height of the picture; None for the network's input.
        crop: Left, top, width, height, in pixels of the picture; None for all of it.
        padding: Pixels added left, right, top, bottom.
    """

    form: str
    matrix: str = "bt601"
    colour_range: str = "narrow"
    source_size_px: Optional[Tuple[int, int]] = None
    crop: Optional[Tuple[int, int, int, int]] = None
    padding: Tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True)
class ConvertOptions:
    """How a model is compiled.

    Attributes:
        soc: Chip, as ``atlas_hpe.targets.find_soc`` takes it.
        precision: A key of ``PRECISIONS`` or one of its values; None leaves atc's default, fp16.
        input_shapes: Name and shape of inputs; -1 is an axis that a dynamic profile fills.
        batches: Size of the first axis: one is static, several are dynamic profiles.
        image_sizes: Height and width of the picture: one is static, several are dynamic profiles.
        keep_dtype: Nodes that compute in the element type that the graph gives them.
        fusion_off: Fusion passes that are switched off; ``"all"`` for every one.
        tune: A key of ``TUNE_MODES``; None for no search.
        aipp: Form of the pictures that are fed; None keeps the input as the graph has it.
        extra: More flags of atc, each ``--name=value``.
    """

    soc: str = "Ascend310"
    precision: Optional[str] = None
    input_shapes: Tuple[Tuple[str, Tuple[int, ...]], ...] = ()
    batches: Tuple[int, ...] = ()
    image_sizes: Tuple[Tuple[int, int], ...] = ()
    keep_dtype: Tuple[str, ...] = ()
    fusion_off: Tuple[str, ...] = ()
    tune: Optional[str] = None
    aipp: Optional[AippRequest] = None
    extra: Tuple[str, ...] = ()


def precision_mode(name: str) -> str:
    """Atc's precision_mode for a name that users know, or for atc's own.

    Raises:
        UsageError: Neither.
    """
    if name in PRECISIONS.values():
        return name
    if name.lower() not in PRECISIONS:
        raise UsageError(
            f"there is no precision '{name}'",
            where="--precision",
            fix="choose one of: " + ", ".join(PRECISIONS),
        )
    return PRECISIONS[name.lower()]
