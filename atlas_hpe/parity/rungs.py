"""The rungs of the parity ladder: each step on the way from PyTorch to the board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Tuple

from atlas_hpe.errors import UsageError

__all__ = ["RUNGS", "Rung", "file_tolerance", "find_rungs", "replay_rung"]

_EMULATED = "estimated: emulated on this machine, not measured on a board"


@dataclass(frozen=True)
class Rung:
    """One way of running a model.

    Attributes:
        name: What it is called on the command line.
        what: What is computed and where, in words.
        tolerance: Key of ``TOLERANCES``.
    """

    name: str
    what: str
    tolerance: str


#: The rungs that a laptop climbs, in order.
RUNGS: Dict[str, Rung] = {
    rung.name: rung
    for rung in (
        Rung("onnx", "the file in float32, through ONNX Runtime on this machine", "float32"),
        Rung(
            "half",
            f"the file as the board computes it, stored in fp16 and summed in fp32 ({_EMULATED})",
            "half",
        ),
        Rung(
            "aipp",
            "half, fed from NV12 pictures through the arithmetic of AIPP; only the median joint is "
            f"judged, as four pixels share one colour ({_EMULATED})",
            "aipp",
        ),
    )
}


def find_rungs(names: str) -> Tuple[str, ...]:
    """The rungs that a person asks for.

    Args:
        names: Names with commas between them.

    Returns:
        The names in the order of the ladder, each once.

    Raises:
        UsageError: There is no such rung, or none is named.
    """
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in RUNGS:
            raise UsageError(
                f"there is no rung '{name}'",
                where="--rungs",
                fix="choose from: " + ",".join(RUNGS),
            )
    return tuple(name for name in RUNGS if name in wanted)


def file_tolerance(precision: str) -> str:
    """Key of ``TOLERANCES`` for a file that ONNX Runtime computes in float32.

    Args:
        precision: What the file is stored in, ``"float32"`` or ``"float16"``.
    """
    return "float16-graph" if precision == "float16" else "float32"


def replay_rung(
    backend: str, basis: str, *, from_pictures: bool, precision: str = "float32"
) -> Rung:
    """What a replayed bundle shows, by the back-end that ran it.

    Args:
        backend: Name of the runtime's back-end.
        basis: What its results are, in its words: simulated, or measured on a board.
        from_pictures: The model was fed NV12 pictures, and normalises them itself.
        precision: What the model is stored in, as its card says.
    """
    if backend == "onnxruntime":
        what = "replayed on this machine through ONNX Runtime, not on a board"
        tolerance = file_tolerance(precision)
    else:
        what = f"replayed through the back-end '{backend}': {basis}"
        tolerance = "half"
    return Rung("replay", what, "aipp" if from_pictures else tolerance)
