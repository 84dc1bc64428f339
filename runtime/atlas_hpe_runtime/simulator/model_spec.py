"""What atc is told about a model, as far as a program on the device can tell."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, Mapping, Optional, Tuple

from atlas_hpe.aipp import AippSettings, DynamicAipp
from atlas_hpe.errors import UsageError

__all__ = ["SimulatedModel"]

_FORMATS = ("NCHW", "NHWC", "ND")
_PRECISIONS = ("fp16", "fp32")
_OUTPUT_DTYPES = ("float32", "float16", "int32", "int64", "uint8", "int8", "bool")
_PROFILES = (2, 100)  # how many, ascend.md section 3.1
_MAX_AXIS = (1 << 31) - 1
_MAX_IMAGE_BYTES = 1 << 31


@dataclass(frozen=True)
class SimulatedModel:
    """A graph, and what atc was told when it compiled it (ascend.md sections 3.1 and 4).

    At most one of ``dynamic_batch``, ``dynamic_image_size`` and ``dynamic_dims`` is given.

    Attributes:
        onnx: The ONNX file, weights included.
        soc: ``--soc_version``; other chips refuse the model.
        precision: ``"fp16"``, the compiler's default, or ``"fp32"`` for ``force_fp32``.
        input_format: ``--input_format``: ``"NCHW"``, ``"NHWC"`` or ``"ND"``.
        input_shapes: ``--input_shape``, by input; -1 marks an axis that a profile fills. An input
            that is not named keeps the graph's shape, which must be static then.
        aipp: ``--insert_op_conf``, by input.
        dynamic_batch: ``--dynamic_batch_size``, 2 to 100 of them.
        dynamic_image_size: ``--dynamic_image_size``, as (height, width).
        dynamic_dims: ``--dynamic_dims``: a value for each -1, in order of the inputs.
        fp16_inputs: ``--input_fp16_nodes``.
        output_dtypes: ``--output_type``, by output, as NumPy names. Others keep the graph's type,
            but that int64 comes as int32 (ascend.md section 3.2).

    Raises:
        UsageError: A value that atc does not take.
    """

    onnx: bytes = field(repr=False)
    soc: str = "Ascend310"
    precision: str = "fp16"
    input_format: str = "NCHW"
    input_shapes: Mapping[str, Tuple[int, ...]] = field(default_factory=dict)
    aipp: Mapping[str, AippSettings] = field(default_factory=dict)
    dynamic_batch: Tuple[int, ...] = ()
    dynamic_image_size: Tuple[Tuple[int, int], ...] = ()
    dynamic_dims: Tuple[Tuple[int, ...], ...] = ()
    fp16_inputs: Tuple[str, ...] = ()
    output_dtypes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        fault = _find_fault(self)
        if fault is not None:
            raise UsageError("the settings of the simulated model are not possible", why=fault)

    @property
    def profiles(self) -> Tuple[Tuple[int, ...], ...]:
        """What each profile fills in; empty for a static model."""
        batches = tuple((batch,) for batch in self.dynamic_batch)
        return batches or self.dynamic_image_size or self.dynamic_dims

    @property
    def profile_kind(self) -> str:
        """``"batch"``, ``"image size"``, ``"dims"``, or ``""`` for a static model."""
        if self.dynamic_batch:
            return "batch"
        return "image size" if self.dynamic_image_size else "dims" if self.dynamic_dims else ""


def _find_fault(model: SimulatedModel) -> Optional[str]:
    """The first rule of ascend.md sections 3.1 and 4.6 that a model breaks."""
    if not re.fullmatch(r"Ascend[0-9A-Za-z]{1,20}", model.soc, re.ASCII):
        return f"there is no chip '{model.soc}'"
    choices = [
        ("precision", model.precision, _PRECISIONS),
        ("input_format", model.input_format, _FORMATS),
        *(
            (f"type of '{name}'", dtype, _OUTPUT_DTYPES)
            for name, dtype in model.output_dtypes.items()
        ),
    ]
    for what, value, allowed in choices:
        if value not in allowed:
            return f"{what} '{value}' is none of {', '.join(allowed)}"
    for name, shape in model.input_shapes.items():
        if not all(axis == -1 or 0 < axis <= _MAX_AXIS for axis in shape):
            return f"the shape {list(shape)} of '{name}' has an axis that is no size and not -1"
    return _find_profile_fault(model) or _find_aipp_fault(model)


def _find_profile_fault(model: SimulatedModel) -> Optional[str]:
    given = [model.dynamic_batch, model.dynamic_image_size, model.dynamic_dims]
    if sum(bool(item) for item in given) > 1:
        return "dynamic_batch, dynamic_image_size and dynamic_dims exclude each other"
    free: Dict[str, Tuple[int, ...]] = {
        name: tuple(index for index, axis in enumerate(shape) if axis == -1)
        for name, shape in model.input_shapes.items()
    }
    count = sum(map(len, free.values()))
    profiles, kind = model.profiles, model.profile_kind
    if bool(count) != bool(kind):
        return "axes of -1 go with dynamic profiles, and profiles with axes of -1"
    if not kind:
        return None
    least, most = _PROFILES
    if not least <= len(profiles) <= most or len(set(profiles)) != len(profiles):
        return f"a model has {least} to {most} profiles, all different"
    if not all(0 < value <= _MAX_AXIS for profile in profiles for value in profile):
        return "a profile fills in sizes above 0"
    places = {"batch": (0,), "image size": (1, 2) if model.input_format == "NHWC" else (2, 3)}
    if kind in places and not all(axes in ((), places[kind]) for axes in free.values()):
        return f"profiles of the {kind} fill axes {places[kind]}"
    if kind == "dims" and any(len(profile) != count for profile in profiles):
        return f"each profile of dynamic_dims has {count} numbers, one for each -1"
    if kind == "image size" and any(len(profile) != 2 for profile in profiles):
        return "an image size is a height and a width"
    if kind == "dims" and model.input_format != "ND":
        return "dynamic_dims goes with input_format ND"
    return None


def _find_aipp_fault(model: SimulatedModel) -> Optional[str]:
    for name, aipp in model.aipp.items():
        if name in model.fp16_inputs:
            return f"'{name}' has AIPP and is in fp16_inputs"
        if model.input_format == "ND":
            return "AIPP goes with input_format NCHW or NHWC"
        if isinstance(aipp, DynamicAipp):
            if not 0 < aipp.max_image_bytes <= _MAX_IMAGE_BYTES:
                return f"max_image_bytes {aipp.max_image_bytes} is not possible"
        elif model.dynamic_image_size and (aipp.crop is not None or any(aipp.padding)):
            return "AIPP with dynamic_image_size neither crops nor pads"
    return None
