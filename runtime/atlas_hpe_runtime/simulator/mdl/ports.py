"""What a program is told about the inputs and outputs of a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Tuple

import numpy as np

from atlas_hpe.aipp import AippSpec
from atlas_hpe_runtime.simulator.mdl.constants import NCHW, ND, NHWC

__all__ = ["FORMATS", "Port", "aipp_port", "fill_shape", "size_of"]

Shape = Tuple[int, ...]

FORMATS = {"NCHW": NCHW, "NHWC": NHWC, "ND": ND}


@dataclass(frozen=True)
class Port:
    """An input or output as the model's description has it.

    Attributes:
        name: Its whole name.
        dtype: NumPy name of what lies in its buffer.
        layout: An aclFormat.
        dims: Sizes; -1 where a profile decides.
        size: Bytes, of the largest profile.
        dims_v2: What ``get_input_dims_v2`` gives, whose product is ``size`` with AIPP.
    """

    name: str
    dtype: str
    layout: int
    dims: Shape
    size: int
    dims_v2: Shape


def size_of(shape: Shape, dtype: str) -> int:
    """Bytes of an array."""
    size = np.dtype(dtype).itemsize
    for axis in shape:
        size *= axis
    return size


def fill_shape(shape: Shape, values: Shape) -> Tuple[Shape, Shape]:
    """A shape with values in place of its -1, in order, and the values that are left."""
    rest = list(values)
    return tuple(rest.pop(0) if axis == -1 else axis for axis in shape), tuple(rest)


def aipp_port(port: Port, spec: AippSpec, largest: Shape, input_format: str) -> Port:
    """A picture input with static AIPP in front of it (ascend.md section 4.6).

    Args:
        port: The input of the graph.
        spec: The settings, for the largest profile.
        largest: Shape of the graph's input in it.
        input_format: ``"NCHW"`` or ``"NHWC"``.
    """
    batch, height, width, channels = (
        port.dims if input_format == "NHWC" else [port.dims[axis] for axis in (0, 2, 3, 1)]
    )
    rows = spec.buffer_shape
    if height == -1 or width == -1:
        rows = (-1, -1, *rows[2:])
    return replace(
        port,
        dtype="uint8",
        layout=NHWC,
        dims=(batch, height, width, channels),
        size=largest[0] * size_of(spec.buffer_shape, "uint8"),
        dims_v2=(batch, *rows, *(() if len(rows) == 3 else (1,))),
    )
