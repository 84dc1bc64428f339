"""The rules as text and as data, for ``atlas-hpe export --list-rewrites``."""

from __future__ import annotations

from typing import Dict, List

from atlas_hpe_export.rewrites.rule import RewriteRule
from atlas_hpe_export.rewrites.table import REWRITES

__all__ = ["describe_rewrites", "rewrites_to_dict"]


def describe_rewrites() -> List[str]:
    """The rules as lines for a person, those first without which an export stops."""
    needed = [rule for rule in REWRITES if rule.remains is not None]
    better = [rule for rule in REWRITES if rule.remains is None]
    return [
        "without these the board would refuse the graph, or compute something else:",
        *[line for rule in needed for line in _describe(rule)],
        "",
        "these make it faster or safer on the board:",
        *[line for rule in better for line in _describe(rule)],
        "",
        "DepthToSpace (pixel_shuffle) is left as it is: since 2022 the plugin passes its mode on",
        "each is run before and after, and undone when a value changes; before them, lowering "
        "takes graphs of opset 12 to 21 down to 11",
    ]


def _describe(rule: RewriteRule) -> List[str]:
    return [
        f"  {rule.name} ({', '.join(rule.targets)}): {rule.example}",
        f"      {rule.reason} [{rule.source}]",
    ]


def rewrites_to_dict() -> Dict[str, object]:
    """The rules for JSON, in the order in which they run."""
    return {
        "rewrites": [
            {
                "name": rule.name,
                "targets": list(rule.targets),
                "needed": rule.remains is not None,
                "reason": rule.reason,
                "example": rule.example,
                "source": rule.source,
                "tolerance": rule.tolerance,
            }
            for rule in REWRITES
        ]
    }
