"""Whether a graph normalises its picture by itself, read without the onnx package.

Field numbers follow onnx.proto.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional, Set, Tuple, Union

from atlas_hpe.errors import ModelFileError
from atlas_hpe.files import read_bytes
from atlas_hpe.protowire import WireError, read_fields, read_varints, to_signed

__all__ = ["find_normalisation"]

_ARITHMETIC = ("Sub", "Div", "Mul", "Add")
_MAX_ELEMENTS = 4  # one for all channels, or one per channel
#: What moves or converts pixels and leaves their values: the first input is the picture, but for
#: Concat, which takes several.
_CARRIERS = (
    *("Cast", "Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten"),
    *("Gather", "Split", "Slice", "Concat"),
)
#: Carriers that keep the number of elements; they may stand between a constant and its use.
_SHAPERS = ("Cast", "Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten")

Wire = Union[int, memoryview]


@dataclass
class _Node:
    """A NodeProto; ``constant`` is the number of elements of a Constant's value."""

    name: str = ""
    op_type: str = ""
    inputs: List[str] = field(default_factory=list)
    outputs: List[str] = field(default_factory=list)
    constant: Optional[int] = None


def find_normalisation(model: Union[str, Path, bytes], input_name: str) -> Optional[str]:
    """The node that normalises a picture inside the graph.

    The input is followed through what only moves or converts pixels, channel swaps included, to the
    first Sub, Div, Mul or Add with a constant of 1 to 4 elements. AIPP must then pass 0..255 on
    (ascend.md section 4.6).

    Args:
        model: Path or content of an ONNX file.
        input_name: The input that takes the picture.

    Returns:
        Name of the node, or of its output where it has none; None when the graph does not
        normalise.

    Raises:
        InputError: The file can't be read.
        ModelFileError: It is damaged.
    """
    content = model if isinstance(model, bytes) else read_bytes(Path(model))
    try:
        nodes, constants = _read_graph(memoryview(content))
    except (WireError, UnicodeDecodeError) as error:
        raise ModelFileError(
            "the file is not an ONNX model, or it is damaged",
            where=None if isinstance(model, bytes) else model,
            why=str(error),
            fix="export or copy the model again",
        ) from error
    _add_shaped_constants(nodes, constants)
    return _follow(input_name, nodes, constants)


def _follow(start: str, nodes: List[_Node], constants: Dict[str, int]) -> Optional[str]:
    """Walk from the picture; each tensor and each node is followed once, so that a loop ends."""
    readers: Dict[str, List[_Node]] = defaultdict(list)
    for node in nodes:
        for name in node.inputs:
            readers[name].append(node)
    seen: Set[str] = {start}
    carried: Set[int] = set()
    waiting = [start]
    while waiting:
        tensor = waiting.pop()
        for node in readers[tensor]:
            if _normalises(node, tensor, constants):
                return node.name or next(iter(node.outputs), node.op_type)
            carries = node.op_type == "Concat" or node.inputs[0] == tensor
            if node.op_type not in _CARRIERS or not carries or id(node) in carried:
                continue
            carried.add(id(node))
            for name in node.outputs:
                if name not in seen:
                    seen.add(name)
                    waiting.append(name)
    return None


def _normalises(node: _Node, tensor: str, constants: Dict[str, int]) -> bool:
    if node.op_type not in _ARITHMETIC or len(node.inputs) != 2:
        return False
    first, second = node.inputs
    if second == tensor and node.op_type != "Div":
        first, second = second, first
    return first == tensor and 1 <= constants.get(second, 0) <= _MAX_ELEMENTS


def _add_shaped_constants(nodes: List[_Node], constants: Dict[str, int]) -> None:
    """Constants that the graph reshapes or casts before it uses them.

    Nodes come in topological order (onnx.proto), so that one pass finds them all.
    """
    for node in nodes:
        if node.constant is not None:
            elements: Optional[int] = node.constant
        elif node.op_type in _SHAPERS and node.inputs:
            elements = constants.get(node.inputs[0])
        else:
            continue
        if elements is not None:
            constants.update((name, elements) for name in node.outputs)


def _body(value: Wire) -> memoryview:
    if isinstance(value, int):
        raise WireError("a number where a message is due")
    return value


def _text(value: Wire) -> str:
    return bytes(_body(value)).decode("utf-8")


def _read_graph(model: memoryview) -> Tuple[List[_Node], Dict[str, int]]:
    """All nodes, and the number of elements of each initialiser."""
    nodes: List[_Node] = []
    constants: Dict[str, int] = {}
    for number, value in read_fields(model):
        if number != 7:  # ModelProto.graph
            continue
        for key, item in read_fields(_body(value)):
            if key == 1:
                nodes.append(_read_node(_body(item)))
            elif key == 5:
                name, elements = _read_tensor(_body(item))
                constants[name] = elements
    return nodes, constants


def _read_node(message: memoryview) -> _Node:
    node = _Node()
    attributes = []
    for number, value in read_fields(message):
        if number == 1:
            node.inputs.append(_text(value))
        elif number == 2:
            node.outputs.append(_text(value))
        elif number == 3:
            node.name = _text(value)
        elif number == 4:
            node.op_type = _text(value)
        elif number == 5:
            attributes.append(_body(value))
    if node.op_type == "Constant":
        node.constant = sum(map(_count_attribute, attributes))
    return node


def _count_attribute(message: memoryview) -> int:
    """Elements of the attribute of a Constant: a tensor, a number or a list of numbers."""
    elements = 0
    for number, value in read_fields(message):
        if number == 5:  # t
            elements += _read_tensor(_body(value))[1]
        elif number in (2, 3):  # f, i
            elements += 1
        elif number == 7:  # floats, packed or not
            elements += 1 if isinstance(value, int) else len(value) // 4
        elif number == 8:  # ints
            elements += sum(1 for _ in read_varints(value))
    return elements


def _read_tensor(message: memoryview) -> Tuple[str, int]:
    """Name and number of elements of a TensorProto."""
    name, elements = "", 1
    for number, value in read_fields(message):
        if number == 1:
            for size in read_varints(value):
                elements = min(elements * max(to_signed(size), 0), 1 << 62)
        elif number == 8:
            name = _text(value)
    return name, elements
