"""What the tests of rewrites share: small graphs, rules under watch, the board's check, float16."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
import onnx
import onnx_ir as ir
from onnx import helper, numpy_helper

from atlas_hpe_export.check import check_onnx
from atlas_hpe_export.check.finding import BLOCKER
from atlas_hpe_export.graph import Guard, as_ir, as_proto, infer_shapes
from atlas_hpe_export.rewrites import RewriteRule, rewrite
from atlas_hpe_export.runners import run_model
from atlas_hpe_export.steps import Step

Arrays = Mapping[str, np.ndarray]
Outputs = Union[str, Sequence[str]]


def make_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Arrays,
    outputs: Outputs = "y",
    constants: Optional[Arrays] = None,
    *,
    opset: int = 11,
    domains: Sequence[str] = (),
) -> onnx.ModelProto:
    """A model whose inputs have the shapes and types of example arrays.

    The types and shapes of the outputs are found by running it.
    """
    named = [outputs] if isinstance(outputs, str) else list(outputs)
    graph = helper.make_graph(
        list(nodes),
        "toy",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in inputs.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in named],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()],
    )
    imports = [helper.make_opsetid("", opset), *[helper.make_opsetid(d, 1) for d in domains]]
    model = helper.make_model(graph, opset_imports=imports, ir_version=6)
    for index, array in enumerate(_run_raw(model, inputs)):
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        info = helper.make_tensor_value_info(named[index], kind, array.shape)
        model.graph.output[index].CopyFrom(info)
    return model


def _run_raw(model: onnx.ModelProto, feeds: Arrays) -> List[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString())
    return list(session.run(None, dict(feeds)))


def apply_rules(
    model: onnx.ModelProto, rules: Sequence[RewriteRule], feeds: Sequence[Arrays]
) -> Tuple[onnx.ModelProto, Tuple[Step, ...]]:
    """Rules under watch, as an export applies them."""
    edited = as_ir(model)
    infer_shapes(edited)
    edited, steps = rewrite(edited, rules, Guard(model, feeds), target="Ascend310")
    return as_proto(edited), steps


def apply_once(
    model: onnx.ModelProto, rule: RewriteRule, feeds: Arrays
) -> Tuple[onnx.ModelProto, Tuple[Step, ...]]:
    """One rule that must apply, keep the values, run on the board, and have nothing to do again."""
    after, steps = apply_rules(model, [rule], [feeds])
    assert [step.status for step in steps] == ["applied"], steps
    onnx.checker.check_model(after, full_check=True)
    assert_same_values(model, after, feeds)
    assert_runs_on_board(after)
    _, again = apply_rules(after, [rule], [feeds])
    assert not [step for step in again if step.status == "applied"], "it applies twice"
    return after, steps


def assert_same_values(
    before: onnx.ModelProto, after: onnx.ModelProto, feeds: Arrays, share: float = 1e-4
) -> None:
    want, have = run_model(before, [feeds])[0], run_model(after, [feeds])[0]
    for name, array in want.items():
        assert have[name].dtype == array.dtype
        limit = (
            share * max(1.0, float(np.abs(array).max(initial=0))) if array.dtype.kind == "f" else 0
        )
        np.testing.assert_allclose(have[name], array, rtol=0, atol=limit)


def assert_runs_on_board(model: onnx.ModelProto, *, ignored: Sequence[str] = ()) -> None:
    """No blocker, and every node has a kernel that is not the AI CPU's."""
    refused = ("ai-cpu", "ai-cpu-type", "no-kernel", "kernel-type", "int64-indices")
    found = [
        f"{item.rule} {item.node}: {item.what}"
        for item in check_onnx(model).findings
        if (item.severity == BLOCKER or item.rule in refused) and item.rule not in ignored
    ]
    assert not found, found


def op_types(model: onnx.ModelProto) -> List[str]:
    return [node.op_type for node in model.graph.node]


def run_in_half(model: onnx.ModelProto, feeds: Arrays) -> Dict[str, np.ndarray]:
    """Run with every float value rounded to float16 where it is stored, sums in float32."""
    edited = as_ir(model)
    infer_shapes(edited)
    for value in edited.graph.initializers.values():
        array = value.const_value.numpy() if value.const_value is not None else None
        if array is not None and array.dtype == np.float32:
            value.const_value = ir.tensor(_halve(array))
    for node in list(edited.graph):
        for value in node.outputs:
            if value.dtype == ir.DataType.FLOAT:
                _round(edited.graph, node, value)
    halved = {
        name: _halve(array) if array.dtype == np.float32 else array for name, array in feeds.items()
    }
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(as_proto(edited).SerializeToString(), options)
    names = [item.name for item in session.get_outputs()]
    return dict(zip(names, session.run(None, halved)))


def _halve(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(np.float32)


def _round(graph: ir.Graph, node: ir.Node, value: ir.Value) -> None:
    half = ir.node("Cast", [value], {"to": ir.DataType.FLOAT16.value})
    back = ir.node("Cast", [half.outputs[0]], {"to": ir.DataType.FLOAT.value})
    half.outputs[0].name, back.outputs[0].name = f"{value.name}/half", f"{value.name}/rounded"
    value.replace_all_uses_with(back.outputs[0], replace_graph_outputs=True)
    half.replace_input_with(0, value)
    back.outputs[0].type, back.outputs[0].shape = value.type, value.shape
    if back.outputs[0].is_graph_output():
        value.name, back.outputs[0].name = f"{value.name}/exact", value.name
    graph.insert_after(node, [half, back])
