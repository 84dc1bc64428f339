"""How the media calls fail: codes of ascend.md section 1.7, and the rule that was broken."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Iterator

from atlas_hpe_runtime.simulator.calls import AclFailure

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = [
    "BAD_PARAMETER",
    "CHANNEL_STILL_OPEN",
    "FAILURE",
    "FORMAT_MISMATCH",
    "NOT_SUPPORTED",
    "REPORT_TIMEOUT",
    "UNALIGNED",
    "UNSUPPORTED_JPEG",
    "Refusal",
    "noted",
]

BAD_PARAMETER = 100000
FORMAT_MISMATCH = 100027
#: A channel description is destroyed before its channel ("related resource not cleared").
CHANNEL_STILL_OPEN = 148051
#: Progressive, arithmetic, 12 bit, or not Y, Cb, Cr.
UNSUPPORTED_JPEG = 148052
UNALIGNED = 200003
NOT_SUPPORTED = 200006
FAILURE = 500001
REPORT_TIMEOUT = 507012


class Refusal(AclFailure):
    """A rule of the hardware is broken.

    Args:
        why: The rule and what broke it, for the ledger.
        code: The return code.
    """

    def __init__(self, why: str, code: int = BAD_PARAMETER) -> None:
        super().__init__(code)
        self.why = why


@contextmanager
def noted(machine: Machine, call: str) -> Iterator[None]:
    """Note a refusal in the ledger, as the chip's log would, and pass it on."""
    try:
        yield
    except Refusal as refusal:
        machine.ledger.note(f"acl.media.{call}: {refusal.why} (code {refusal.code})")
        raise
