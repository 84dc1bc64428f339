"""The examination: which groups are looked at, and what each is for."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Sequence, Tuple

from atlas_hpe.cann import find_atc, find_installs
from atlas_hpe.cann.runtime import find_runtime
from atlas_hpe.doctor.board import device_chip, examine_board, looks_like_board
from atlas_hpe.doctor.compiler import examine_compiler
from atlas_hpe.doctor.findings import MISSING, Diagnosis, Group
from atlas_hpe.doctor.libraries import examine_backends, examine_libraries
from atlas_hpe.doctor.machine import Machine, this_machine
from atlas_hpe.errors import UsageError
from atlas_hpe.targets import find_soc
from atlas_hpe.version import __version__

__all__ = ["NEEDS", "examine_machine"]

#: Groups that ``--need`` names.
NEEDS: Tuple[str, ...] = ("laptop", "training", "compiler", "board")


def examine_machine(
    machine: Optional[Machine] = None,
    *,
    needs: Sequence[str] = (),
    model: Optional[Path] = None,
    soc: Optional[str] = None,
) -> Diagnosis:
    """Look at a machine, without importing any of the libraries into this process.

    What is missing counts in the base install and in the groups that are needed; faults in what
    is there count always. The board is looked at on a machine that has a device, a driver or nnrt,
    or when it is needed. On such a machine the groups of which nothing is here are left out.

    Args:
        machine: What to look at, None for this machine.
        needs: Names of the groups in which what is missing counts.
        model: An .om to hold against the machine.
        soc: The chip that the model is to run on, None for the one of this machine.

    Raises:
        UsageError: There is no such group or chip.
        InputError: The model can't be read.
    """
    unknown = [name for name in needs if name not in NEEDS]
    if unknown:
        fix = "choose from: " + ", ".join(NEEDS)
        raise UsageError(f"there is no group '{unknown[0]}'", where="--need", fix=fix)
    machine = this_machine() if machine is None else machine
    target = None if soc is None else find_soc(soc).name
    installs = find_installs(machine.environ, machine.root)
    runtime = find_runtime(machine.environ, machine.root)
    on_board = looks_like_board(machine, installs)
    groups = [_libraries(machine, "base", "what every command needs", (None,), ("base",))]
    optional = [
        _libraries(machine, "laptop", "run and export models", ("host", "export"), needs),
        _libraries(machine, "training", "train the networks", ("train",), needs),
    ]
    groups += [group for group in optional if not on_board or _is_worth_showing(group)]
    groups.append(Group("back-ends", "open a model", False, examine_backends(machine)))
    if "compiler" in needs or not on_board or find_atc(machine.environ, machine.root):
        findings = examine_compiler(machine, installs)
        groups.append(Group("compiler", "compile .om", "compiler" in needs, findings))
    if on_board or "board" in needs:
        chip = device_chip(machine)
        target = target or chip
        findings = examine_board(machine, installs, runtime, chip)
        groups.append(Group("board", "run .om", "board" in needs, findings))
    # Cards need NumPy; without it there is another thing to mend first.
    if model is not None and machine.has_module("numpy"):
        from atlas_hpe.doctor.model import examine_model

        cann = runtime.version if runtime is not None and on_board else None
        findings = examine_model(machine, model, soc=target, cann=cann, on_board=on_board)
        groups.append(Group("model", f"run {model.name}", True, findings))
    return Diagnosis(
        version=__version__,
        python=machine.python_version,
        platform=f"{machine.system} {machine.processor}",
        groups=tuple(groups),
    )


def _libraries(
    machine: Machine,
    name: str,
    purpose: str,
    extras: Sequence[Optional[str]],
    needs: Sequence[str],
) -> Group:
    found = tuple(item for extra in extras for item in examine_libraries(machine, extra))
    return Group(name, purpose, name in needs, found, libraries=True)


def _is_worth_showing(group: Group) -> bool:
    return group.needed or any(item.verdict != MISSING for item in group.findings)
