"""Operators that take more than a few lines to say in the older form, one file per operator.

Each file states its algebra first. Each function keeps ``Adapter``: the old node and a builder that
writes the opset below go in; the values that take the node's place, a Refusal, or None come out.
"""

from __future__ import annotations

__all__ = []
