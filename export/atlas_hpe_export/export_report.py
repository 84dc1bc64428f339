"""What an export did, as data and as text."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from atlas_hpe.card import ModelCard, card_to_json
from atlas_hpe.parity import ParityReport, describe_parity, parity_to_dict
from atlas_hpe_export.check import CheckReport, check_to_dict
from atlas_hpe_export.steps import Step

__all__ = ["ExportReport", "describe_export", "export_to_dict"]


@dataclass(frozen=True)
class ExportReport:
    """The result of an export.

    Attributes:
        path: The file written.
        card: The card inside it; None when no network specification was given.
        opset: ONNX opset of the default domain, read back from the file.
        ir_version: Version of the file format, read back from the file.
        rewrites: Changes made to the graph, in order, as the card lists them.
        parity: The file against the network.
        check: The file against the board's operator table.
        sizes: ``file_bytes``, ``weights`` (values in all initialisers), ``nodes``.
        steps: What was done, and what was not and why.
        warnings: What a person should look at.
    """

    path: Path
    card: Optional[ModelCard]
    opset: int
    ir_version: int
    rewrites: Tuple[str, ...]
    parity: ParityReport
    check: CheckReport
    sizes: Mapping[str, int]
    steps: Tuple[Step, ...]
    warnings: Tuple[str, ...]


def export_to_dict(report: ExportReport) -> Dict[str, object]:
    """The report for JSON."""
    return {
        "path": str(report.path),
        "card": None if report.card is None else json.loads(card_to_json(report.card)),
        "opset": report.opset,
        "ir_version": report.ir_version,
        "rewrites": list(report.rewrites),
        "parity": parity_to_dict(report.parity),
        "check": check_to_dict(report.check),
        "sizes": dict(report.sizes),
        "steps": [asdict(step) for step in report.steps],
        "warnings": list(report.warnings),
    }


def describe_export(report: ExportReport) -> List[str]:
    """The report as lines for a person."""
    lines = []
    for step in report.steps:
        count = f" x{step.count}" if step.count else ""
        lines.append(f"{step.name}{count}: {step.status} ({step.reason})")
    lines += describe_parity(report.parity)
    said = report.parity.warnings  # among the lines of parity already
    lines += [f"warning: {warning}" for warning in report.warnings if warning not in said]
    sizes = report.sizes
    lines.append(
        f"wrote {report.path}: opset {report.opset}, IR {report.ir_version}, "
        f"{sizes['weights']:,} weights, {sizes['nodes']} nodes, {sizes['file_bytes']:,} bytes"
    )
    return lines
