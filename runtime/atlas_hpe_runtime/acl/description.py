"""What a loaded model takes and gives, read from its description (ascend.md sections 1.3, 4.6)."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from atlas_hpe.card import TensorSpec
from atlas_hpe.errors import ModelFileError
from atlas_hpe_runtime.acl.api import Acl, acquire
from atlas_hpe_runtime.acl.constants import (
    DTYPES,
    DYNAMIC_AIPP_INPUT,
    DYNAMIC_SHAPE_INPUT,
    FORMATS,
)

__all__ = ["ModelDescription", "Port", "dims_of", "element_count", "read_description", "shape_from"]

Shape = Tuple[int, ...]

_NODE_NAME = re.compile(r".+:\d+:(?P<tensor>.+)")
_REPLACED_NAME = re.compile(r"acl_modelId_\d+_(in|out)put_\d+")
_STATIC_AIPP = 1


@dataclass(frozen=True)
class Port:
    """An input or output of a model.

    Attributes:
        index: Its place in the dataset.
        spec: Name, shape, element type and layout; -1 in the shape where profiles differ.
        size_bytes: Size of the buffer it needs, of the largest profile for dynamic models.
    """

    index: int
    spec: TensorSpec
    size_bytes: int


@dataclass(frozen=True)
class ModelDescription:
    """All ports of a model.

    Attributes:
        handle: The description in ACL.
        inputs: What the caller feeds.
        outputs: What the model gives.
        shape_input: The input that atc adds to dynamic models, None for static ones.
    """

    handle: int
    inputs: Tuple[Port, ...]
    outputs: Tuple[Port, ...]
    shape_input: Optional[Port]


def read_description(
    stack: ExitStack, acl: Acl, model_id: int, where: Optional[object] = None
) -> ModelDescription:
    """Read what a loaded model takes and gives.

    Args:
        stack: Releases the description.
        acl: The gate.
        model_id: The model.
        where: Its file, for messages.

    Raises:
        DeviceError: A call failed.
        ModelFileError: The model has a port that can't be fed or read.
    """
    desc = acquire(stack, acl, "mdl.create_desc", undo="mdl.destroy_desc")
    acl.call("mdl.get_desc", desc, model_id)
    inputs = [
        _read_port(acl, desc, "input", index, where)
        for index in range(acl.number("mdl.get_num_inputs", desc))
    ]
    outputs = [
        _read_port(acl, desc, "output", index, where)
        for index in range(acl.number("mdl.get_num_outputs", desc))
    ]
    by_name = {port.spec.name: port for port in inputs}
    if DYNAMIC_AIPP_INPUT in by_name:
        raise ModelFileError(
            "the model takes its AIPP settings with every run, which is not supported",
            where=where,
            fix="convert it with static AIPP (atlas-hpe convert --input nv12), or without AIPP",
        )
    shown = [port for port in inputs if port.spec.name != DYNAMIC_SHAPE_INPUT]
    return ModelDescription(
        handle=desc,
        inputs=tuple(_with_aipp(acl, desc, model_id, port) for port in _with_short_names(shown)),
        outputs=tuple(_with_short_names(outputs)),
        shape_input=by_name.get(DYNAMIC_SHAPE_INPUT),
    )


def dims_of(acl: Acl, name: str, *args: object) -> Shape:
    """The shape from a call that gives a dictionary of dims.

    Raises:
        DeviceError: The call failed.
    """
    dims = acl.call(name, *args)
    return shape_from(dims)


def shape_from(dims: object) -> Shape:
    """The shape in a dictionary of dims, as ACL gives them."""
    numbers: Sequence[int] = dims["dims"] if isinstance(dims, dict) else ()
    return tuple(int(number) for number in numbers)


def element_count(shape: Shape) -> int:
    """Elements of an array of that shape."""
    return int(np.prod(shape, dtype=np.int64))


def _read_port(acl: Acl, desc: int, side: str, index: int, where: Optional[object]) -> Port:
    name = acl.text(f"mdl.get_{side}_name_by_index", desc, index)
    if _REPLACED_NAME.match(name) and acl.has("mdl.get_tensor_real_name"):
        name = acl.text("mdl.get_tensor_real_name", desc, name)
    number = acl.number(f"mdl.get_{side}_data_type", desc, index)
    dtype = DTYPES.get(number)
    if dtype is None:
        raise ModelFileError(
            f"the {side} '{name}' has an element type that NumPy does not have",
            where=where,
            why=f"its number in ACL is {number}",
            fix="convert it with another type: atlas-hpe convert MODEL.onnx -- --output_type=FP32",
        )
    layout = FORMATS.get(acl.number(f"mdl.get_{side}_format", desc, index), "ND")
    shape = dims_of(acl, f"mdl.get_{side}_dims", desc, index)
    size = acl.number(f"mdl.get_{side}_size_by_index", desc, index)
    return Port(index, TensorSpec(name, shape, dtype, layout), size)


def _with_short_names(ports: Sequence[Port]) -> List[Port]:
    """The tensor's own name from ``node:index:tensor``, where that is not ambiguous."""
    names = {port.index: _short(port.spec.name) for port in ports}
    counts: Dict[str, int] = Counter(names.values())
    return [
        port if counts[names[port.index]] > 1 else _renamed(port, names[port.index])
        for port in ports
    ]


def _short(name: str) -> str:
    found = _NODE_NAME.fullmatch(name)
    return found.group("tensor") if found else name


def _renamed(port: Port, name: str) -> Port:
    spec = TensorSpec(name, port.spec.shape, port.spec.dtype, port.spec.layout)
    return Port(port.index, spec, port.size_bytes)


def _with_aipp(acl: Acl, desc: int, model_id: int, port: Port) -> Port:
    """An input behind static AIPP takes bytes of pictures, in the second form of its dims."""
    if not acl.has("mdl.get_aipp_type"):
        return port
    kind = acl.call("mdl.get_aipp_type", model_id, port.index)
    if not isinstance(kind, tuple) or kind[0] != _STATIC_AIPP:
        return port
    shape = dims_of(acl, "mdl.get_input_dims_v2", desc, port.index)
    return Port(port.index, TensorSpec(port.spec.name, shape, "uint8", "NHWC"), port.size_bytes)
