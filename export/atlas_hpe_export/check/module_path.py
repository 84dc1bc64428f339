"""From a node's name to the PyTorch module that it comes from.

Names that this toolkit writes are ``/<module path with slashes>/<OpType>[_n]``, and nodes that take
a node's place are named after it: ``/up1/Softmax/Exp``. PyTorch's TorchScript exporter repeats the
path within a path, ``/layer1/layer1.0/conv1/Conv``; its torch.export one keeps the scopes in the
node's metadata, ``"['', 'layer1', 'layer1.0', 'conv2d']"``, whose last one is the call itself.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import FrozenSet, List, Optional

import onnx

__all__ = ["find_module"]

_SCOPES = "pkg.torch.onnx.name_scopes"
_MAX_SCOPES = 4096  # characters; real ones have a few hundred
_COUNTER = re.compile(r"_\d+$")


def find_module(node: onnx.NodeProto) -> Optional[str]:
    """Path of the module, with dots; ``""`` for the outermost one, None when nothing tells."""
    for entry in node.metadata_props:
        if entry.key == _SCOPES:
            return _from_scopes(entry.value)
    return _from_name(node.name)


def _from_scopes(text: str) -> Optional[str]:
    if len(text) > _MAX_SCOPES:
        return None
    try:
        scopes = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(scopes, list) or not all(isinstance(item, str) for item in scopes):
        return None
    return scopes[-2] if len(scopes) > 1 else ""


def _from_name(name: str) -> Optional[str]:
    if not name.startswith("/"):
        return None
    parts = name.strip("/").split("/")[:-1]
    while parts and _COUNTER.sub("", parts[-1]) in _operator_names():
        parts.pop()
    path: List[str] = []
    for part in parts:
        if path and part.startswith(path[-1] + "."):
            path.pop()
        path.append(part)
    return ".".join(path)


@lru_cache(maxsize=None)
def _operator_names() -> FrozenSet[str]:
    return frozenset(schema.name for schema in onnx.defs.get_all_schemas())
