"""Giving every input of an ONNX graph fixed sizes, which the board needs."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Mapping, Optional, Sequence, Tuple

import onnx
from onnx import ValueInfoProto

from atlas_hpe.errors import ModelFileError, UsageError
from atlas_hpe_export.inputs.input_shapes import InputShape, Shape, match_shapes
from atlas_hpe_export.wording import first_line

__all__ = ["fix_inputs"]

_Dims = Tuple[Optional[int], ...]


def fix_inputs(path: Path, model: onnx.ModelProto, shapes: Sequence[InputShape]) -> Tuple[str, ...]:
    """Write the sizes that the user gave into the graph's inputs, in place.

    Inputs with symbolic sizes need a shape; for the others a shape has to agree with theirs.

    Returns:
        Which inputs were fixed, in words.

    Raises:
        UsageError: An input has no sizes and got none, or got others than it has, or the graph does
            not work at these sizes.
        ModelFileError: An input is no tensor.
    """
    initialisers = {item.name for item in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in initialisers]
    dims = {item.name: _dims_of(path, item) for item in inputs}
    given = _match(shapes, dims)
    fixed = [
        item.name
        for item in inputs
        if item.name in given and _fix(item, dims[item.name], given[item.name])
    ]
    if fixed:
        _infer_again(path, model)
    return tuple(f"input '{name}' was fixed at {_show(given[name])}" for name in fixed)


def _dims_of(path: Path, item: ValueInfoProto) -> _Dims:
    """Sizes of an input, None for one that is symbolic; 0 and -1 stand for that in old files."""
    if not item.type.HasField("tensor_type"):
        raise ModelFileError("an input of the model is no tensor", where=f"{path}, '{item.name}'")
    dims = item.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.dim_value > 0 else None for dim in dims)


def _match(shapes: Sequence[InputShape], dims: Mapping[str, _Dims]) -> Dict[str, Shape]:
    """Input -> shape. Shapes without names are for all inputs, or for those that need one."""
    symbolic = [name for name, sizes in dims.items() if None in sizes]
    if not shapes and not symbolic:
        return {}
    given = {item.name: item.shape for item in shapes if item.name is not None}
    if not given and shapes:
        wanted = list(dims) if len(shapes) == len(dims) else symbolic
        return dict(zip(wanted, match_shapes(shapes, wanted or list(dims))))
    strangers = [name for name in given if name not in dims]
    if strangers:
        raise UsageError(
            f"there is no input '{strangers[0]}'",
            where="--input-shape",
            fix="the inputs are: " + ", ".join(dims),
        )
    missing = [name for name in symbolic if name not in given]
    if missing:
        raise UsageError(
            "the model does not say how large its inputs are",
            why="; ".join(f"{name}: {_show(dims[name])}" for name in missing),
            fix=f"give --input-shape {missing[0]}:{_show(dims[missing[0]], unknown='SIZE')}",
        )
    return given


def _show(dims: _Dims, *, unknown: str = "?") -> str:
    return ",".join(unknown if dim is None else str(dim) for dim in dims)


def _fix(item: ValueInfoProto, known: _Dims, shape: Shape) -> bool:
    """Whether anything had to be written."""
    if known == shape:
        return False
    if not _agree(known, shape):
        raise UsageError(
            f"the input '{item.name}' is not of that shape",
            where="--input-shape",
            why=f"the model says {_show(known)}, given is {_show(shape)}",
            fix="give the sizes that are marked ? only, and the others as they are",
        )
    item.type.tensor_type.ClearField("shape")
    for size in shape:
        item.type.tensor_type.shape.dim.add().dim_value = size
    return True


def _agree(known: _Dims, shape: Shape) -> bool:
    return len(known) == len(shape) and all(
        left is None or left == right for left, right in zip(known, shape)
    )


def _infer_again(path: Path, model: onnx.ModelProto) -> None:
    """Forget the symbolic sizes inside the graph and derive them anew."""
    del model.graph.value_info[:]
    for output in model.graph.output:
        dims = output.type.tensor_type.shape.dim
        if any(dim.dim_value <= 0 for dim in dims):
            output.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(
            model, check_type=True, strict_mode=True, data_prop=True
        )
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise UsageError(
            "the model does not work at these input sizes",
            where=path,
            why=first_line(error)[:300],
            fix="give --input-shape with the sizes that it was made for",
        ) from error
    model.CopyFrom(inferred)
