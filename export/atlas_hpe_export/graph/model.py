"""Between the file's form of a graph and the one that is edited."""

from __future__ import annotations

import onnx
import onnx_ir as ir
from onnx_ir.passes import common

__all__ = ["as_ir", "as_proto", "infer_shapes", "tidy"]


def as_ir(model: onnx.ModelProto) -> ir.Model:
    """The graph in the form that is edited; the proto stays as it is.

    Functions that the model defines itself are inlined.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    edited = ir.from_proto(copy)
    if edited.functions:
        common.InlinePass()(edited)
    return edited


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
