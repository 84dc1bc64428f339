"""What is looked for, one family of rules per file.

A rule is a function that takes a ``GraphView`` and yields ``Finding``. To add one: write it into
the file of its family and add its name to that file's ``RULES``.
"""

from __future__ import annotations

from typing import Tuple

from atlas_hpe_export.check.rules import (
    attributes,
    constant_inputs,
    data_dependent,
    element_types,
    graph_level,
    half_precision,
    layers,
    registration,
    resize,
)
from atlas_hpe_export.check.rules.rule import Rule

__all__ = ["RULES", "Rule"]

RULES: Tuple[Rule, ...] = (
    *graph_level.RULES,
    *registration.RULES,
    *element_types.RULES,
    *constant_inputs.RULES,
    *resize.RULES,
    *layers.RULES,
    *attributes.RULES,
    *data_dependent.RULES,
    *half_precision.RULES,
)
