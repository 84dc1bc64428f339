"""What the file as a whole says: opsets, inputs and outputs, shapes, names, weights elsewhere."""

from __future__ import annotations

import re
from typing import Iterator, Tuple

import onnx

from atlas_hpe_export.check.finding import BLOCKER, EXPORT, LOWERING, NOTE, WARNING, Finding
from atlas_hpe_export.check.graph_view import GraphView, Node
from atlas_hpe_export.check.rules.rule import Rule

__all__ = ["RULES"]

_MAX_NAME = 127  # bytes; longer tensor names are replaced when the model is loaded
_NEWEST_FORMAT = 7  # IR version of ONNX 1.8, the release behind CANN 5.0.4
_INPUT_TYPES = ("float32", "float16", "uint8")
_SEPARATORS = re.compile(r"[:;,\"\s]")  # of atc's --input_shape
_NUMBERED = re.compile(r"^\d+$|\.\d+$")


def _find_several_opsets(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.6: with an empty domain in a node, one opset import and no more."""
    if len(view.opsets) > 1 and any(not node.domain for node in view.nodes):
        listed = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in view.opsets)
        yield Finding(
            rule="several-opsets",
            severity=BLOCKER,
            what=f"the file imports {len(view.opsets)} opsets: {listed}",
            why="the parser takes one import when a node has no domain of its own",
            fix="replace the operators of other domains and drop their imports; "
            "atlas-hpe export drops those that no node needs",
            code="E16005",
            source="ascend.md section 3.6",
            rewrite=None if any(node.domain for node in view.nodes) else EXPORT,
        )


def _find_unofficial_opset(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.6: what the release's document names."""
    official = view.table.official.get(view.cann)
    if official is None or view.opset in official:
        return
    if any(view.is_registered(node) for node in view.nodes):
        named = ", ".join(str(opset) for opset in sorted(official))
        yield Finding(
            rule="opset-not-official",
            severity=WARNING,
            what=f"the model is at opset {view.opset}",
            why=f"the document of CANN {view.cann} names opset {named} only, though the nearest "
            "public source registers more",
            fix=f"use opset {view.table.target_opset}, which every release takes",
            source="ascend.md section 3.6",
            rewrite=LOWERING if view.opset > view.table.target_opset else None,
        )


def _find_no_input(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.5, E16001."""
    if not view.inputs:
        yield Finding(
            rule="no-input",
            severity=BLOCKER,
            what="the graph has no input",
            why="the compiler wants at least one",
            fix="export the network with its input as an argument, not as a constant",
            code="E16001",
            source="ascend.md section 3.5",
        )


def _find_open_inputs(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.1 (general limits) and section 10, row 10."""
    for value in view.inputs:
        if value.shape is None or None in value.shape:
            yield value.finding(
                "dynamic-input",
                BLOCKER,
                f"input '{value.name}' has the open shape {value.show_shape()}",
                why="sizes are fixed when the model is compiled",
                fix="export it at fixed sizes, or give atc --input_shape; "
                "atlas-hpe export fixes them with --input-shape",
                code="E10012",
                source="ascend.md section 10, row 10",
            )


def _find_zero_sizes(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.1: sizes of 0 are not allowed."""
    made = (value for node in view.nodes if not node.is_folded for value in node.outputs)
    for value in (*view.inputs, *made):
        if value is not None and value.shape is not None and 0 in value.shape:
            yield value.finding(
                "zero-size",
                BLOCKER,
                f"tensor '{value.name}' has no element: {value.show_shape()}",
                why="the compiler does not take sizes of 0",
                fix="remove the branch that makes it, or give every axis at least one element",
                source="ascend.md section 3.1",
            )


def _find_no_inference(view: GraphView) -> Iterator[Finding]:
    """The ONNX specification: shapes follow from the graph."""
    if not view.is_inferred:
        yield Finding(
            rule="no-shapes",
            severity=WARNING,
            what="shapes can't be inferred",
            why="the onnx package fails on this graph, so rules that need sizes say less",
            fix="look for nodes that make no sense: onnx.checker.check_model with full_check=True",
            source="ONNX operator specification",
        )


def _find_open_shapes(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.1 and section 10, rows 12 and 34; told where a shape becomes open."""
    for node in view.nodes:
        if node.is_folded or not view.is_registered(node) or not _has_inference(view, node):
            continue
        opened = [item for item in node.outputs if item is not None and item.size is None]
        if opened and all(item is None or item.size is not None for item in node.inputs):
            yield node.finding(
                "open-shape",
                WARNING,
                f"the size of the result of {node.op_type} can't be told from the file",
                why="the compiler plans memory for fixed sizes; sizes that depend on the data "
                "move work to the AI CPU or are refused",
                fix="make the sizes constants in the network, or leave this step to the host",
                source="ascend.md section 10, rows 12 and 34",
            )


def _has_inference(view: GraphView, node: Node) -> bool:
    """ONNX knows no shapes of vendor operators, which the parser may well take."""
    return view.is_inferred and bool(onnx.defs.has(node.op_type, view.opset, ""))


def _find_external_weights(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.5, E19021."""
    if view.external_files:
        yield Finding(
            rule="external-data",
            severity=WARNING,
            what=f"weights lie in other files: {', '.join(view.external_files[:3])}",
            why="the compiler may not find or read them",
            fix="save the model in one file; atlas-hpe export does",
            code="E19021",
            source="ascend.md section 3.5",
            rewrite=EXPORT,
        )


def _find_input_types(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.1, general limits."""
    for value in view.inputs:
        if value.dtype not in (*_INPUT_TYPES, None):
            yield value.finding(
                "input-type",
                WARNING,
                f"input '{value.name}' is {value.dtype}",
                why="the document names float32, float16 and, with AIPP, uint8 for inputs",
                fix="give it as float32 and cast inside the network, or keep it on the host",
                source="ascend.md section 3.1",
            )


def _find_output_types(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.2 and section 10, row 17."""
    for value in view.outputs:
        if value.dtype == "int64":
            yield value.finding(
                "output-type",
                WARNING,
                f"output '{value.name}' is int64",
                why="it comes back as int32 from the board, as several reports say",
                fix="cast it to int32 in the network, or read the type from the compiled model",
                source="ascend.md section 3.2",
            )


def _find_names(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 1.3 (name buffer), section 3.5 (E10002) and section 10, row 32."""
    for value in (*view.inputs, *view.outputs):
        if len(value.name.encode("utf-8", "replace")) > _MAX_NAME:
            yield value.finding(
                "long-name",
                WARNING,
                f"the name '{value.name[:40]}...' has more than {_MAX_NAME} bytes",
                why="the board's runtime replaces such a name by a made-up one",
                fix="name inputs and outputs when you export",
                source="ascend.md section 1.3",
            )
    for value in view.inputs:
        if _SEPARATORS.search(value.name):
            yield value.finding(
                "name-with-separator",
                WARNING,
                f"the input name '{value.name[:40]}' holds a character that separates names",
                why="atc's --input_shape can't name it",
                fix="name inputs when you export",
                code="E10002",
                source="ascend.md section 3.5",
            )
        elif _NUMBERED.search(value.name):
            yield value.finding(
                "numbered-name",
                NOTE,
                f"the input is called '{value.name[:40]}', a name that the exporter made up",
                why="tools rename it, and then --input_shape and AIPP miss it",
                fix="name inputs when you export",
                code="E10016",
                source="ascend.md section 10, row 32",
            )


def _find_new_format(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.6: CANN 5.0.4 reads files with ONNX 1.8."""
    if view.ir_version > _NEWEST_FORMAT:
        yield Finding(
            rule="file-format",
            severity=NOTE,
            what=f"the file format is IR version {view.ir_version}",
            why=f"CANN 5.0.4 reads with ONNX 1.8 (IR version {_NEWEST_FORMAT}), which does not "
            "know what came later; no newer release states its own",
            fix="atlas-hpe export writes IR version 6",
            source="ascend.md section 3.6",
            rewrite=EXPORT,
        )


RULES: Tuple[Rule, ...] = (
    _find_several_opsets,
    _find_unofficial_opset,
    _find_no_input,
    _find_open_inputs,
    _find_zero_sizes,
    _find_no_inference,
    _find_open_shapes,
    _find_external_weights,
    _find_input_types,
    _find_output_types,
    _find_names,
    _find_new_format,
)
