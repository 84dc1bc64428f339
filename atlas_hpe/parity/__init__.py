"""Does a model still say what its reference said? The part of parity that a board can run.

NumPy alone: comparing, the table of tolerances, and bundles that a laptop records and a board
replays. What needs PyTorch or onnx is in ``atlas_hpe_export.parity``.
"""

from __future__ import annotations

from atlas_hpe.parity.bundle import (
    BUNDLE_SUFFIX,
    BundleFacts,
    ParityBundle,
    record_answers,
    record_bundle,
)
from atlas_hpe.parity.comparison import Comparison, DecodeJoints, bind_joints, compare
from atlas_hpe.parity.ladder_report import (
    LadderReport,
    RungReport,
    describe_ladder,
    ladder_to_dict,
)
from atlas_hpe.parity.replay import ReplaySession, replay_bundle
from atlas_hpe.parity.report import (
    JointLimits,
    JointParity,
    Movement,
    ParityReport,
    TensorParity,
    describe_parity,
    parity_figures,
    parity_to_dict,
)
from atlas_hpe.parity.rungs import RUNGS, Rung, file_tolerance, find_rungs
from atlas_hpe.parity.sample import Answer, Sample, ask
from atlas_hpe.parity.tally import WorstSample
from atlas_hpe.parity.tolerances import TOLERANCES, Tolerance

__all__ = [
    "BUNDLE_SUFFIX",
    "RUNGS",
    "TOLERANCES",
    "Answer",
    "BundleFacts",
    "Comparison",
    "DecodeJoints",
    "JointLimits",
    "JointParity",
    "LadderReport",
    "Movement",
    "ParityBundle",
    "ParityReport",
    "ReplaySession",
    "Rung",
    "RungReport",
    "Sample",
    "TensorParity",
    "Tolerance",
    "WorstSample",
    "ask",
    "bind_joints",
    "compare",
    "describe_ladder",
    "describe_parity",
    "file_tolerance",
    "find_rungs",
    "ladder_to_dict",
    "parity_figures",
    "parity_to_dict",
    "record_answers",
    "record_bundle",
    "replay_bundle",
]
