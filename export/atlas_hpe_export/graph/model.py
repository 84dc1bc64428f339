"""Between the file's form of a graph and the one that is edited."""

from __future__ import annotations

import onnx
import onnx_ir as ir
from onnx_ir.passes import common

from atlas_hpe.errors import ModelFileError

__all__ = ["as_ir", "as_proto", "infer_shapes", "tidy"]


def as_ir(model: onnx.ModelProto) -> ir.Model:
    """The graph in the form that is edited; the proto stays as it is.

    Functions that the model defines itself are inlined, and the default domain has one name, "".

    Raises:
        ModelFileError: The graph holds something that has no such form, a sparse tensor for one.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    try:
        edited = ir.from_proto(copy)
    except ir.serde.SerdeError as error:
        raise ModelFileError(
            "the graph can't be edited",
            why=_find_cause(error),
            fix="export the network again, without sparse tensors",
        ) from error
    imports = edited.graph.opset_imports
    if "ai.onnx" in imports:
        imports.setdefault("", imports.pop("ai.onnx"))
    if edited.functions:
        common.InlinePass()(edited)
    return edited


def _find_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip()


def as_proto(model: ir.Model) -> onnx.ModelProto:
    """The graph in the form of the file."""
    proto: onnx.ModelProto = ir.to_proto(model)
    return proto


def infer_shapes(model: ir.Model) -> None:
    """Fill in shapes and element types, in place, wherever ONNX's own inference knows them."""
    common.ShapeInferencePass(check_type=False, strict_mode=False)(model)


def tidy(model: ir.Model) -> None:
    """Drop nodes and constants that nothing uses, and opset imports that no node needs."""
    common.RemoveUnusedNodesPass()(model)
    common.RemoveUnusedOpsetsPass()(model)
