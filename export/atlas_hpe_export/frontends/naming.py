"""Node names that say where in the network a node comes from: ``/decoder/up1/Resize``."""

from __future__ import annotations

from typing import Dict

import onnx_ir as ir
from google.protobuf.message import Message

from atlas_hpe_export.frontends.outputs import WRAPPED

__all__ = ["copy_mark", "mark_module", "name_nodes", "strip_origins"]

_MODULE = "atlas_hpe.module"
_ORIGINS = ("metadata_props", "doc_string")


def mark_module(node: ir.Node, path: str, wrapped: bool) -> None:
    """Note from which module a node comes.

    Args:
        node: Changed in place.
        path: Path of the module with dots, empty for the network itself.
        wrapped: The network was exported inside ``FlatOutputs``.
    """
    if wrapped and path.split(".")[0] == WRAPPED:
        path = path[len(WRAPPED) :].lstrip(".")
    node.metadata_props[_MODULE] = path


def copy_mark(old: ir.Node, new: ir.Node) -> None:
    """Note that a node comes from the same module as the one whose place it takes."""
    new.metadata_props[_MODULE] = old.metadata_props.get(_MODULE, "")


def name_nodes(model: ir.Model) -> None:
    """Name all nodes ``/<module path with slashes>/<OpType>[_n]`` in place, each name once."""
    taken: Dict[str, int] = {}
    for node in model.graph.all_nodes():
        path = node.metadata_props.get(_MODULE, "").replace(".", "/")
        stem = f"/{path}/{node.op_type}" if path else f"/{node.op_type}"
        count = taken.get(stem, 0)
        taken[stem] = count + 1
        node.name = f"{stem}_{count}" if count else stem


def strip_origins(message: Message) -> None:
    """Drop notes and doc strings, in place, at every depth.

    Exporters put stack traces into them, with the paths of the files on the developer's machine.
    """
    for field, value in list(message.ListFields()):
        if field.name in _ORIGINS:
            message.ClearField(field.name)
        elif field.message_type is not None:
            for item in value if not isinstance(value, Message) else [value]:
                strip_origins(item)
