"""Is every operator known to the parser, and has the chip a kernel for it?"""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterator, Optional, Tuple

from atlas_hpe_export.check.finding import BLOCKER, LOWERING, WARNING, Finding
from atlas_hpe_export.check.graph_view import GraphView, Node
from atlas_hpe_export.check.operators import HIGHEST_LOWERED_OPSET, LOWERED, OperatorEntry
from atlas_hpe_export.check.rules.rule import Rule

__all__ = ["RULES"]

_ADVICE: Dict[str, str] = {
    "AdaptiveMaxPool2d": "use a max pooling of fixed kernel",
    "ConvInteger": "export the float network; quantise with AMCT",
    "DequantizeLinear": "export the float network; quantise with AMCT",
    "DynamicQuantizeLinear": "export the float network; quantise with AMCT",
    "Inverse": "write the inverse in closed form for 2x2 and 3x3, or leave it to the host",
    "Loop": "write the loop out: export with torch.export, or with a fixed number of turns",
    "MatMulInteger": "export the float network; quantise with AMCT",
    "QLinearConv": "export the float network; quantise with AMCT",
    "QLinearMatMul": "export the float network; quantise with AMCT",
    "QuantizeLinear": "export the float network; quantise with AMCT",
    "Scan": "write the loop out: export with torch.export, or with a fixed number of turns",
    "Unique": "leave this step to the host",
}
_REPLACE = "replace it in PyTorch by operators that the table has, or leave it to the host"

_CPU_ADVICE: Dict[str, str] = {
    "Det": "write the determinant in closed form for 2x2 and 3x3",
    "Einsum": "write it as matmul and permute",
    "GatherElements": "use index_select or a product with a constant matrix",
    "MaxUnpool": "use ConvTranspose or Resize",
    "NonZero": "use topk with a fixed k, or leave it to the host",
    "ScatterElements": "write the parts and concatenate them, or use a mask and Where",
}

_COMPARED = ("IsNaN", "IsInf")
_CPU_REWRITES: Dict[str, str] = {
    "Det": "determinant",
    "Einsum": LOWERING,
    "GatherElements": "gather_elements",
    "ScatterElements": "scatter_elements",
}


def _find_unknown_domains(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.6: the parser's key is domain, opset and operator."""
    for node in view.nodes:
        if node.domain:
            is_inverse = (node.domain, node.op_type) == ("com.microsoft", "Inverse")
            yield node.finding(
                "unknown-domain",
                BLOCKER,
                f"{node.op_type} belongs to the domain '{node.domain}'",
                why="the parser knows ONNX's own operators and the chip maker's only",
                fix="atlas-hpe export writes the inverse in closed form"
                if is_inverse
                else _ADVICE.get(node.op_type, _REPLACE),
                code="E19010",
                source="ascend.md section 3.6",
                rewrite="inverse" if is_inverse else None,
            )


def _find_unregistered(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.6: found at the model's own opset, or not at all."""
    for node in view.nodes:
        entry = view.entry_of(node)
        if node.domain or view.is_registered(node):
            continue
        if entry is not None and entry.supported is None:
            yield _unconfirmed(node, entry)
        else:
            yield _unregistered(view, node, entry)


def _unconfirmed(node: Node, entry: OperatorEntry) -> Finding:
    return node.finding(
        "registration-unknown",
        WARNING,
        f"it is not certain that the parser knows {node.op_type}",
        why=entry.note or "the sources differ",
        fix=_ADVICE.get(node.op_type, _REPLACE),
        code="E19010",
    )


def _unregistered(view: GraphView, node: Node, entry: Optional[OperatorEntry]) -> Finding:
    opsets = view.table.registered_opsets(node.op_type, view.cann)
    why = f"CANN {view.cann} registers it {_show_opsets(opsets)}, and there is no fallback"
    if entry is None:
        why = "no source lists the operator"
    elif not opsets and entry.newest:
        why = f"{why}; plugins of 2026 have it {_show_opsets(entry.newest)}"
    rewrite, target = None, view.table.target_opset
    if view.opset > HIGHEST_LOWERED_OPSET:
        fix = f"write the model again at opset {HIGHEST_LOWERED_OPSET} or below"
    elif view.opset > target and (target in opsets or node.op_type in LOWERED):
        rewrite = LOWERING
        fix = f"atlas-hpe export takes the file down to opset {target}"
    elif target in opsets:
        fix = f"export again at opset {target}"
    elif opsets:
        fix = f"{_REPLACE}; it is known {_show_opsets(opsets)}"
    else:
        fix = _ADVICE.get(node.op_type, _REPLACE)
    return node.finding(
        "not-registered",
        BLOCKER,
        f"the parser does not know {node.op_type} at opset {view.opset}",
        why=why,
        fix=fix,
        code="E19010",
        source="ascend.md sections 3.6 and 3.7",
        rewrite=rewrite,
    )


def _find_malformed(view: GraphView) -> Iterator[Finding]:
    """The ONNX specification of the operator, at the model's opset."""
    for node in view.nodes:
        if node.flaw is not None:
            yield node.finding(
                "malformed-node",
                BLOCKER,
                f"{node.op_type} does not follow ONNX at opset {view.opset}: {node.flaw}",
                why="the parser refuses it, or reads it as something else",
                fix="export the model again at the opset that it states",
                source="ONNX operator specification",
            )


def _find_missing_kernels(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.5, EZ3003."""
    for node in view.nodes:
        entry = view.entry_of(node)
        if entry is None or node.is_folded or not view.is_registered(node):
            continue
        if entry.missing_kernels:
            yield node.finding(
                "no-kernel",
                WARNING,
                f"{node.op_type} becomes {', '.join(entry.missing_kernels)}, for which neither "
                "AI Core nor AI CPU lists a kernel",
                why="unless a pass of the compiler replaces it, it stops here",
                fix="atlas-hpe export says it by comparisons"
                if node.op_type in _COMPARED
                else _REPLACE,
                code="EZ3003",
                rewrite="is_nan" if node.op_type in _COMPARED else None,
            )


def _find_cpu_only(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7 (engine_310) and section 10, row 11."""
    for node in view.nodes:
        entry = view.entry_of(node)
        if entry is None or node.is_folded or not view.is_registered(node):
            continue
        if entry.cpu_kernels:
            yield node.finding(
                "ai-cpu",
                WARNING,
                f"{node.op_type} runs on the AI CPU",
                why="the AI Core has no kernel for it; it is slow there and can fail",
                fix=_CPU_ADVICE.get(node.op_type, _REPLACE),
                code="507018",
                rewrite=_cpu_rewrite(node),
            )


def _cpu_rewrite(node: Node) -> Optional[str]:
    """Rewrite that says the operator in AI Core ones, where its conditions may hold."""
    indices = node.input(1)
    if node.op_type == "ScatterElements" and (indices is None or not indices.is_folded):
        return None
    return _CPU_REWRITES.get(node.op_type)


def _show_opsets(opsets: FrozenSet[int]) -> str:
    """``at opsets 8 to 15``."""
    if not opsets:
        return "at no opset"
    numbers = sorted(opsets)
    if len(numbers) > 1 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"at opsets {numbers[0]} to {numbers[-1]}"
    return f"at opset{'s' if len(numbers) > 1 else ''} " + ", ".join(str(item) for item in numbers)


RULES: Tuple[Rule, ...] = (
    _find_unknown_domains,
    _find_unregistered,
    _find_malformed,
    _find_missing_kernels,
    _find_cpu_only,
)
