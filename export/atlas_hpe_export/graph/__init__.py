"""Editing a graph under watch: facts about values, a builder for new nodes, replacements, a guard.

Lowering and rewrites are written with these four and touch a graph through nothing else.
"""

from __future__ import annotations

from atlas_hpe_export.graph.builder import GraphBuilder
from atlas_hpe_export.graph.facts import (
    attribute_of,
    constant_of,
    describe_node,
    dtype_of,
    shape_of,
)
from atlas_hpe_export.graph.guard import Guard
from atlas_hpe_export.graph.inference import infer_outputs
from atlas_hpe_export.graph.model import as_ir, as_proto, infer_shapes, tidy
from atlas_hpe_export.graph.replace import (
    Outcome,
    Refusal,
    Replaced,
    Replacement,
    collect_names,
    replace_nodes,
)

__all__ = [
    "GraphBuilder",
    "Guard",
    "Outcome",
    "Refusal",
    "Replaced",
    "Replacement",
    "as_ir",
    "as_proto",
    "attribute_of",
    "collect_names",
    "constant_of",
    "describe_node",
    "dtype_of",
    "infer_outputs",
    "infer_shapes",
    "replace_nodes",
    "shape_of",
    "tidy",
]
