"""How much memory there is, as a finding."""

from __future__ import annotations

from atlas_hpe.cann import available_kb
from atlas_hpe.doctor.findings import OK, Finding
from atlas_hpe.doctor.machine import Machine

__all__ = ["examine_memory"]


def examine_memory(machine: Machine, least_kb: int, verdict: str, why: str, fix: str) -> Finding:
    """Hold the memory that a program can still have against what is wanted.

    Args:
        machine: The machine; the limit of a container counts too.
        least_kb: What is wanted.
        verdict: The verdict when it is less.
        why: What less means.
        fix: What to do then.
    """
    kilobytes, limit = available_kb(machine.root)
    if kilobytes is None:
        return Finding("memory", OK, "the system does not tell how much is available")
    text = f"{kilobytes / 2**20:.1f} GB available, {limit}"
    if kilobytes >= least_kb:
        return Finding("memory", OK, text)
    return Finding("memory", verdict, f"{text}: {why}", fix)
