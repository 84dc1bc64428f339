"""What the compilers of the boards take, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict

from atlas_hpe.errors import UsageError

__all__ = ["DEFAULT_TARGET", "TARGETS", "Target", "find_target"]

DEFAULT_TARGET = "Ascend310"


@dataclass(frozen=True)
class Target:
    """A board's compiler.

    Attributes:
        name: Name in ``--target`` and in the card, a soc_version of atc.
        opset: ONNX opset of the default domain. atc looks operators up by the model's own opset and
            has no fallback to an older one; 11 is the only value that every release for the
            Ascend 310 takes (ascend.md section 3.6).
        ir_version: Version of the file format. 6 is what ONNX 1.6, the release of opset 11, wrote;
            the reader inside atc (ONNX 1.8 in CANN 5.0.4) takes 7 at most.
    """

    name: str
    opset: int
    ir_version: int


TARGETS: Dict[str, Target] = {
    "Ascend310": Target(name="Ascend310", opset=11, ir_version=6),
}


def find_target(name: str, *, option: str = "--target") -> Target:
    """The target of that name.

    Args:
        name: A soc_version of atc.
        option: Where the name comes from, for the message.

    Raises:
        UsageError: No such target.
    """
    if name not in TARGETS:
        raise UsageError(
            f"there is no target '{name}'",
            where=option,
            fix="choose one of: " + ", ".join(TARGETS),
        )
    return TARGETS[name]
