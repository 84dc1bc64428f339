"""The last questions before a file is written: does it say the same, and will the board take it?"""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Sequence

import onnx

from atlas_hpe.card import ModelCard
from atlas_hpe.errors import CheckFailedError
from atlas_hpe.parity import (
    TOLERANCES,
    Comparison,
    DecodeJoints,
    ParityReport,
    Sample,
    ask,
    bind_joints,
    describe_parity,
)
from atlas_hpe.parity.comparison import decode_differs
from atlas_hpe.parity.sample import Run
from atlas_hpe.targets import Target
from atlas_hpe_export.check import CheckReport, check_onnx
from atlas_hpe_export.check.finding import BLOCKER
from atlas_hpe_export.runners import open_runner

__all__ = ["prove_board_takes", "prove_parity"]

_SHOWN = 3


def prove_parity(
    reference: Run,
    model: onnx.ModelProto,
    samples: Sequence[Sample],
    source: str,
    *,
    reference_card: Optional[ModelCard],
    card: Optional[ModelCard],
    decode_joints: Optional[DecodeJoints],
    path: Path,
    tolerance: str,
) -> ParityReport:
    """Compare the graph that will be written with the network that it came from.

    Args:
        reference: The network.
        model: The graph.
        samples: What to compare on.
        source: What the samples are, in words.
        reference_card: How the network's outputs become joints; None for tensors only.
        card: How the graph's outputs become joints.
        decode_joints: Joints from outputs; None for tensors only.
        path: The file that would be written, for the message.
        tolerance: Key of ``TOLERANCES``.

    Raises:
        CheckFailedError: The two say different things.
    """
    own_outputs = decode_differs(reference_card, card)
    comparison = Comparison(card, decode_joints, own_outputs=own_outputs)
    with open_runner(model) as candidate:
        for answer in ask(reference, samples, bind_joints(reference_card, decode_joints)):
            comparison.add(answer, candidate(answer.sample.feeds))
    report = comparison.report(TOLERANCES[tolerance], source)
    if not report.passed:
        raise CheckFailedError(
            "the exported graph does not say what the network says; no file was written",
            where=path,
            why="; ".join(report.failures),
            fix="look at: " + " / ".join(line.strip() for line in describe_parity(report)),
        )
    return report


def prove_board_takes(
    model: onnx.ModelProto, target: Target, *, path: Path, allow_blockers: bool
) -> CheckReport:
    """Hold the graph against the board's operator table.

    Raises:
        CheckFailedError: The compiler would refuse the graph, and that is not allowed.
    """
    report = check_onnx(model, soc=target.name)
    blockers = report.of(BLOCKER)
    if blockers and not allow_blockers:
        shown = [f"{item.node or 'the graph'}: {item.what}" for item in blockers[:_SHOWN]]
        rest = len(blockers) - _SHOWN
        raise CheckFailedError(
            f"the graph is not fit for {target.name}; no file was written",
            where="; ".join(shown) + (f"; and {rest} more" if rest > 0 else ""),
            why=blockers[0].why,
            fix=f"{blockers[0].fix}; or write {path.name} all the same with --allow-blockers",
        )
    return report
