"""Bounds that onnx itself does not hold when it reads a model of a stranger."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Dict, Iterable, Iterator, Tuple

import onnx
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from atlas_hpe.errors import ModelFileError
from atlas_hpe_export.wording import first_line

__all__ = ["MAX_MODEL_BYTES", "check_functions", "load_external_data"]

#: What protobuf can hold in one message.
MAX_MODEL_BYTES = (1 << 31) - 1
_MAX_NODES = 200_000


def load_external_data(path: Path, model: onnx.ModelProto) -> None:
    """Fill in the weights that lie in other files, whose names were checked before.

    A million tensors may share one window of a file, so the sum of the windows is bounded before
    any is read.

    Raises:
        ModelFileError: A window that is none, too much altogether, or a file that can't be read.
    """
    tensors = [item for item in _tensors_of_model(model) if uses_external_data(item)]
    if not tensors:
        return
    total = sum(_window_bytes(path, tensor) for tensor in tensors)
    if total > MAX_MODEL_BYTES:
        raise ModelFileError(
            "the model claims more weights than it may",
            where=path,
            why=f"{total} bytes in other files, {MAX_MODEL_BYTES} are allowed",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about keys that nobody needs
            load_external_data_for_model(model, str(path.parent))
    except (onnx.checker.ValidationError, OSError, ValueError, RuntimeError) as error:
        raise ModelFileError(
            "the weights beside the model can't be read",
            where=path,
            why=first_line(error)[:300],
            fix="copy the model and its files again",
        ) from error


def _window_bytes(path: Path, tensor: TensorProto) -> int:
    """How many bytes of another file a tensor takes: ``length``, or all from ``offset`` on."""
    entries = {item.key: item.value for item in tensor.external_data}
    size = (path.parent / entries.get("location", "")).stat().st_size
    texts = entries.get("offset", "0"), entries.get("length", "0")
    if not all(text.isascii() and text.isdigit() and len(text) < 20 for text in texts):
        offset, length = -1, 0
    else:
        offset, length = int(texts[0]), int(texts[1]) or size - int(texts[0])
    if offset < 0 or length < 0 or offset + length > size:
        raise ModelFileError(
            "the model asks for weights beyond the end of a file",
            where=f"{path}, '{tensor.name}'",
            why=f"offset {texts[0][:20]}, length {texts[1][:20]}, the file has {size} bytes",
            fix="copy the model and its files again",
        )
    return length


def check_functions(path: Path, model: onnx.ModelProto) -> None:
    """Refuse functions that call themselves, or grow beyond measure where they are called.

    Ten functions of ten calls each are ten thousand million nodes.

    Raises:
        ModelFileError: One of the two.
    """
    functions = {(item.domain, item.name): item for item in model.functions}
    sizes: Dict[Tuple[str, str], int] = {}
    for key in functions:
        _measure(path, key, functions, sizes)
    total = _count(model.graph.node, sizes)
    if total > _MAX_NODES:
        raise ModelFileError(
            "the model claims more nodes than it may",
            where=path,
            why=f"{total} nodes once its functions are in place, {_MAX_NODES} are allowed",
        )


def _measure(
    path: Path,
    start: Tuple[str, str],
    functions: Dict[Tuple[str, str], onnx.FunctionProto],
    sizes: Dict[Tuple[str, str], int],
) -> None:
    """Nodes of a function with all that it calls, depth first without recursion."""
    trail = [start]
    while trail:
        key = trail[-1]
        calls = {_key(node) for node in _nodes(functions[key].node)} & functions.keys()
        open_calls = sorted(call for call in calls if call not in sizes)
        if not open_calls:
            sizes[key] = _count(functions[key].node, sizes)
            trail.pop()
        elif open_calls[0] in trail:
            raise ModelFileError(
                "a function of the model calls itself",
                where=path,
                why=" -> ".join(name for _, name in [*trail, open_calls[0]])[:300],
                fix="do not use the file unless you trust its source",
            )
        else:
            trail.append(open_calls[0])


def _count(nodes: Iterable[NodeProto], sizes: Dict[Tuple[str, str], int]) -> int:
    return sum(sizes.get(_key(node), 1) for node in _nodes(nodes))


def _key(node: NodeProto) -> Tuple[str, str]:
    return node.domain, node.op_type


def _nodes(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """These and those in the bodies of If and Loop; the reader has bounded the depth."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in _graphs(attribute):
                yield from _nodes(graph.node)


def _graphs(attribute: AttributeProto) -> Iterator[GraphProto]:
    if attribute.HasField("g"):
        yield attribute.g
    yield from attribute.graphs


def _tensors_of_model(model: onnx.ModelProto) -> Iterator[TensorProto]:
    yield from _tensors(model.graph.node)
    yield from model.graph.initializer
    for function in model.functions:
        yield from _tensors(function.node)


def _tensors(nodes: Iterable[NodeProto]) -> Iterator[TensorProto]:
    for node in _nodes(nodes):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for graph in _graphs(attribute):
                yield from graph.initializer
