"""What a rule is."""

from __future__ import annotations

from typing import Callable, Iterable

from atlas_hpe_export.check.finding import Finding
from atlas_hpe_export.check.graph_view import GraphView

__all__ = ["Rule"]

#: Looks at a graph and tells what it finds. It never raises for what a graph says.
Rule = Callable[[GraphView], Iterable[Finding]]
