"""A graph held against what the board's compiler takes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Counter as CounterType
from typing import List, Optional, Union

import onnx

from atlas_hpe_export.check.finding import SEVERITIES, Finding
from atlas_hpe_export.check.graph_view import GraphView
from atlas_hpe_export.check.opened_model import open_model
from atlas_hpe_export.check.operators import load_operators
from atlas_hpe_export.check.read_graph import read_graph
from atlas_hpe_export.check.report import CheckReport
from atlas_hpe_export.check.rules import RULES
from atlas_hpe_export.check.samples import Samples, read_samples

__all__ = ["check_onnx"]


def check_onnx(
    model: Union[str, Path, onnx.ModelProto],
    *,
    soc: str = "Ascend310",
    cann: str = "6.0",
    inputs: Optional[Samples] = None,
) -> CheckReport:
    """Look up every node and every known trap; with samples, measure ranges for float16 as well.

    Needs the onnx package only; with ``inputs`` onnxruntime too.

    Args:
        model: An .onnx file or a model in memory, which is left as it is.
        soc: Name of the chip, as :func:`atlas_hpe.targets.find_soc` takes it.
        cann: CANN release; see ``check.operators`` for what answers for which release.
        inputs: Sample inputs: an .npz file or input name -> array. An array has its input's
            shape, or one axis more in front that counts samples.

    Returns:
        The report; ``report.passed`` tells whether nothing was found that stops the model.

    Raises:
        UsageError: No facts about this chip or release.
        InputError: A file can't be read, or the samples don't fit.
        ModelFileError: Not an ONNX file, damaged, unsafe, or not a valid graph.
        MissingExtraError: onnxruntime is needed and not installed.
        DeviceError: The graph fails on a sample.
    """
    table = load_operators(soc, cann)
    opened = open_model(model)
    view = read_graph(
        opened.proto,
        table,
        cann,
        external_files=opened.external_files,
        isolated=not isinstance(model, onnx.ModelProto),
    )
    findings: List[Finding] = [item for rule in RULES for item in rule(view)]
    samples = 0
    if inputs is not None:
        from atlas_hpe_export.check.ranges import find_ranges

        feeds = read_samples(inputs, view.inputs)
        samples = len(feeds)
        findings += find_ranges(opened.proto, view, feeds)
    return CheckReport(
        model=opened.name,
        soc=table.soc,
        cann=cann,
        opset=view.opset,
        nodes=len(view.nodes),
        operators=dict(sorted(_count_operators(view).items())),
        samples=samples,
        findings=tuple(sorted(findings, key=lambda item: SEVERITIES.index(item.severity))),
    )


def _count_operators(view: GraphView) -> CounterType[str]:
    return Counter(
        f"{node.domain}::{node.op_type}" if node.domain else node.op_type for node in view.nodes
    )
