"""Convolutions, batch norms and poolings in forms that the chip's kernels do not take."""

from __future__ import annotations

from typing import Iterator, Tuple

from atlas_hpe_export.check.finding import BLOCKER, NOTE, WARNING, Finding
from atlas_hpe_export.check.graph_view import GraphView
from atlas_hpe_export.check.rules.rule import Rule

__all__ = ["MAX_POOL_AREA", "RULES"]

#: The sources state no limit for the window of a pooling; this is where the check begins to warn.
MAX_POOL_AREA = 255

_CONV_ATTRIBUTES = ("kernel_shape", "pads", "strides", "dilations")
_SPATIAL = ("Conv", "ConvTranspose", "MaxPool", "AveragePool")


def _find_bare_convs(view: GraphView) -> Iterator[Finding]:
    """The operator's notes, Conv: one of four attributes must be there."""
    for node in view.nodes_of("Conv"):
        if not any(name in node.attributes for name in _CONV_ATTRIBUTES):
            yield node.finding(
                "conv-attributes",
                BLOCKER,
                "Conv states none of " + ", ".join(_CONV_ATTRIBUTES),
                why="the plugin wants at least one of them",
                fix="state kernel_shape; every exporter of PyTorch does",
            )


def _find_ranks(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7: 5-D kernels exist, their formats are limited; nothing beyond 5-D."""
    for node in view.nodes_of(*_SPATIAL):
        data = node.input(0)
        if data is None or data.rank is None:
            continue
        if data.rank > 5:
            yield node.finding(
                "rank",
                BLOCKER,
                f"{node.op_type} of a {data.rank}-D tensor",
                why="there are kernels for up to three spatial axes",
                fix="fold axes into the batch",
            )
        elif data.rank == 5:
            padded = node.text("auto_pad", "NOTSET") != "NOTSET"
            refused = node.op_type == "Conv" and padded
            yield node.finding(
                "conv-5d-auto-pad" if refused else "5d",
                BLOCKER if refused else WARNING,
                f"{node.op_type} of a 5-D tensor" + (" with auto_pad" if refused else ""),
                why="in 5-D the plugin takes explicit pads only"
                if refused
                else "5-D kernels exist, but the formats that they take are limited",
                fix="state the pads" if refused else "fold the third axis into batch or channels",
            )


def _find_transposed_convs(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7, ConvTranspose."""
    for node in view.nodes_of("ConvTranspose"):
        if node.integers("kernel_shape") is None:
            yield node.finding(
                "conv-transpose-kernel",
                BLOCKER,
                "ConvTranspose does not state kernel_shape",
                why="the plugin wants it",
                fix="state kernel_shape; every exporter of PyTorch does",
            )
        if node.integers("output_shape") and node.text("auto_pad", "NOTSET") == "NOTSET":
            yield node.finding(
                "conv-transpose-output-shape",
                WARNING,
                "ConvTranspose states output_shape and no auto_pad",
                why="the plugin reads that as SAME_LOWER, and the kernel knows no auto_pad",
                fix="state pads and output_padding instead",
            )


def _find_batch_norms(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7 and section 10, row 15; networks.md section 1."""
    for node in view.nodes_of("BatchNormalization"):
        extra = any(value is not None for value in node.outputs[1:])
        if extra or node.integer("training_mode", 0):
            yield node.finding(
                "batch-norm-training",
                BLOCKER,
                "BatchNormalization in its training form",
                why="the board has the inference form only; statistics of the batch would be "
                "computed, or the graph refused",
                fix="call .eval() on the network, and on every wrapper of it, before the export",
                source="ascend.md section 10, row 15",
            )
            continue
        data = node.input(0)
        before = data.producer if data is not None else None
        if before is None or before.op_type not in ("Conv", "ConvTranspose", "Gemm"):
            yield node.finding(
                "batch-norm-not-folded",
                NOTE,
                "BatchNormalization without a convolution before it",
                why="it can't be folded away and runs as a step of its own",
                fix="nothing to do; a network with convolution, then batch norm, would be faster",
                source="ascend.md section 3.7 and networks.md section 1",
            )


def _find_max_pools(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7, MaxPool."""
    for node in view.nodes_of("MaxPool"):
        if node.output(1) is not None:
            yield node.finding(
                "max-pool-indices",
                BLOCKER,
                "MaxPool gives the indices of its maxima",
                why="the plugin refuses that output",
                fix="pool without return_indices; enlarge with interpolation instead of unpooling",
            )
        if node.integer("storage_order", 0):
            yield node.finding(
                "max-pool-order",
                BLOCKER,
                "MaxPool with storage_order 1",
                why="the plugin takes 0 only",
                fix="use storage_order 0",
            )


def _find_large_pools(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7, AveragePool, and section 10, row 14."""
    for node in view.nodes_of("AveragePool"):
        area = 1
        for size in node.integers("kernel_shape") or ():
            area *= size
        if area > MAX_POOL_AREA and not node.is_folded:
            window = "x".join(str(size) for size in node.integers("kernel_shape") or ())
            yield node.finding(
                "large-pool",
                WARNING,
                f"AveragePool over {window}",
                why="very large windows run on the AI CPU and can fail; no limit is published",
                fix="use adaptive_avg_pool2d(1) or mean() for a whole picture, else two poolings",
                code="507018",
                source="ascend.md section 3.7 and section 10, row 14",
                rewrite="large_average_pool",
            )


RULES: Tuple[Rule, ...] = (
    _find_bare_convs,
    _find_ranks,
    _find_transposed_convs,
    _find_batch_norms,
    _find_max_pools,
    _find_large_pools,
)
