"""One step down the ladder of opsets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, FrozenSet, Mapping

import onnx_ir as ir

from atlas_hpe_export.graph import GraphBuilder, Outcome

__all__ = ["Adapter", "OpsetStep"]

#: A node in its form at ``version``, and a builder that writes nodes in the form one opset below.
#: It returns the values that take the node's place, a Refusal, or None to leave the node as it is.
Adapter = Callable[[ir.Node, GraphBuilder], Outcome]


@dataclass(frozen=True)
class OpsetStep:
    """What changed when an opset came out, and how to say it in the opset before.

    Every operator of the default domain that came or changed at ``version`` is in exactly one of
    the three.

    Attributes:
        version: The opset that the step leaves; it goes to ``version - 1``.
        adapters: Operator -> how it is said one opset below.
        widened: Operators that only learned more element types, inputs or attributes at
            ``version``: a node that makes no use of what is new stays as it is.
        refused: Operator -> why it has no form below.
    """

    version: int
    adapters: Mapping[str, Adapter] = field(default_factory=dict)
    widened: FrozenSet[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
