"""Reshape to a shape that holds for every batch.

    Reshape(x, [1, a, b, ...]) = Reshape(x, [-1, a, b, ...])      x of shape (1, ...)

Both give a * b * ... elements, so the values are the same bits; a -1 behind the first number
becomes the size that it stands for. With n pictures x is (n, ...), the elements of a picture lie
together (a Reshape keeps their order), and the result is (n, a, b, ...): each picture reshaped.

That holds where the first axis is the batch, which an axis of size 1 need not be: so the batch is
followed from the inputs to the outputs, see ``batch_axis``. Either the graph as a whole then holds
for every batch, or it stays as it is and keeps its batch: half of the change would turn a graph
that is refused at another batch into one that mixes pictures up.
"""

from __future__ import annotations

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome, constant_of
from atlas_hpe_export.rewrites.batch_axis import plan_batch
from atlas_hpe_export.rewrites.rule import RewriteRule

__all__ = ["RULE"]


def _replace(node: ir.Node, builder: GraphBuilder) -> Outcome:
    if not isinstance(node.graph, ir.Graph) or not _has_batch_of_example(node):
        return None
    plan = plan_batch(node.graph, builder.opset)
    if plan.obstacle is not None:
        return None  # ``fit_to_board`` says so, once for the graph
    shape = plan.shapes.get(node.outputs[0].name or "")
    return None if shape is None else [builder.op("Reshape", node.inputs[0], builder.ints(*shape))]


def _has_batch_of_example(node: ir.Node) -> bool:
    if node.op_type != "Reshape" or node.domain:
        return False
    numbers = constant_of(node.inputs[1])
    return numbers is not None and numbers.tolist()[:1] == [1]


RULE = RewriteRule(
    name="batch_free_reshape",
    reason="exporters write the batch of the example, 1, into every shape; with -1 there the same "
    "file compiles for several batches",
    example="Reshape to (1, 21, 1024) -> Reshape to (-1, 21, 1024)",
    source="ascend.md section 3.1 (dynamic_batch_size) and section 3.7 (Reshape)",
    replacement=_replace,
    tolerance="rewrite-algebra",
)
