"""From a node to the PyTorch module that it comes from."""

from __future__ import annotations

from typing import Optional

import onnx

from atlas_hpe_export.node_names import NAME_SCOPES, find_module_of

__all__ = ["find_module"]


def find_module(node: onnx.NodeProto) -> Optional[str]:
    """Path of the module, with dots; ``""`` for the outermost one, None when nothing tells."""
    for entry in node.metadata_props:
        if entry.key == NAME_SCOPES:
            return find_module_of(node.name, entry.value)
    return find_module_of(node.name)
