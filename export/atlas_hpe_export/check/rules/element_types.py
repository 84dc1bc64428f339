"""Are the element types among those that the chip's kernels declare?

The default precision mode turns float32 into float16 wherever a kernel takes that (ascend.md
section 3.2), so the two count as one here.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterator, Optional, Tuple

from atlas_hpe_export.check.finding import BLOCKER, WARNING, Finding
from atlas_hpe_export.check.graph_view import GraphView, Node, Value
from atlas_hpe_export.check.operators import DYNAMIC, OperatorEntry
from atlas_hpe_export.check.rules.rule import Rule

__all__ = ["RULES"]

_FLOATS = frozenset({"float32", "float16"})
#: What a list that is made at compile time typically holds (the table's ``_meta``).
_TYPICAL = frozenset({"float16", "float32", "int32", "int8", "uint8", "bool"})


def _find_other_types(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.5 (EZ3002), section 3.7 (Cast, int64) and section 10, rows 5 and 11."""
    for node in view.nodes:
        entry = view.entry_of(node)
        if entry is None or node.is_folded or not view.is_registered(node):
            continue
        if "GE local" in entry.engines and len(entry.kernels) == 1:
            continue  # the graph engine moves no data for it
        for position, value in _positions(node).items():
            if value is None or value.dtype is None or position not in entry.dtypes:
                continue
            if not _is_declared(value.dtype, entry.dtypes[position]):
                yield _other_type(node, entry, value.dtype, entry.dtypes[position])
                break


def _positions(node: Node) -> Dict[str, Optional[Value]]:
    return {"in0": node.input(0), "in1": node.input(1), "out0": node.output(0)}


def _is_declared(dtype: str, declared: FrozenSet[str]) -> bool:
    if DYNAMIC in declared:
        return dtype in _TYPICAL
    return dtype in declared or (dtype in _FLOATS and bool(_FLOATS & declared))


def _other_type(node: Node, entry: OperatorEntry, dtype: str, declared: FrozenSet[str]) -> Finding:
    listed = "no list is published" if DYNAMIC in declared else ", ".join(sorted(declared))
    fix = {
        "float64": "compute in float32: make constants and buffers float32 in the network",
        "int64": "compute with int32 or float, or with constants, or leave it to the host",
    }.get(dtype, "cast to float32 before, or leave it to the host")
    rewrite = {"float64": "float64", "int64": "int64_arithmetic"}.get(dtype)
    if any("AI CPU" in engines for engines in entry.kernels.values()):
        return node.finding(
            "ai-cpu-type",
            WARNING,
            f"{node.op_type} of {dtype} runs on the AI CPU",
            why=f"the AI Core kernel takes other types ({listed}); the AI CPU is slow and can fail",
            fix=fix,
            code="507018",
            rewrite=rewrite,
        )
    return node.finding(
        "kernel-type",
        WARNING if DYNAMIC in declared else BLOCKER,
        f"{node.op_type} of {dtype} has no kernel",
        why=f"the AI Core kernel takes other types ({listed}), and the AI CPU has none",
        fix=fix,
        code="EZ3002",
        rewrite=rewrite,
    )


def _find_int64_indices(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 10, row 11."""
    for node in view.nodes_of("Gather", "GatherND"):
        indices = node.input(1)
        if indices is not None and indices.dtype == "int64" and not indices.is_folded:
            yield node.finding(
                "int64-indices",
                WARNING,
                f"{node.op_type} reads int64 indices that are computed on the board",
                why="reports have seen it move to the AI CPU",
                fix="use constant indices or int32 ones, or leave it to the host",
                source="ascend.md section 10, row 11",
                rewrite="int64_arithmetic" if node.op_type == "Gather" else None,
            )


RULES: Tuple[Rule, ...] = (_find_other_types, _find_int64_indices)
