"""The child's side of ``atlas-hpe simulate``: ``import acl`` there ends up here."""

from __future__ import annotations

import atexit
import json
import os
import sys
from pathlib import Path
from typing import Tuple

from atlas_hpe_runtime.simulator.install import build_acl
from atlas_hpe_runtime.simulator.machine import Machine
from atlas_hpe_runtime.simulator.settings import SimulatorSettings

__all__ = ["LEDGERS", "take_over"]

#: Name of the variable with the folder for the ledgers, one file per process.
LEDGERS = "ATLAS_HPE_SIM_LEDGERS"


def take_over() -> None:
    """Put the simulator in the place of the module ``acl`` that is being imported.

    When the process ends, its ledger goes to a file of the folder that LEDGERS names: a line of
    JSON, and then a line for each thing that objects still release while Python takes down its
    modules.
    """
    machine = Machine(SimulatorSettings.from_environment())
    sys.modules["acl"] = build_acl(machine)
    folder = os.environ.get(LEDGERS)
    if folder:
        atexit.register(_write_ledger, machine, Path(folder))


def _write_ledger(machine: Machine, folder: Path) -> None:
    report = {"pid": os.getpid(), "calls": machine.faults.counts(), **machine.ledger.to_json()}
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        file = os.open(str(folder / f"{os.getpid()}.jsonl"), flags, 0o600)
    except FileNotFoundError:  # this process outlived the command that would have read it
        return
    # Bound here: module variables may be gone when the journal is written.
    write, quote = os.write, json.dumps

    def journal(change: Tuple[object, ...]) -> None:
        write(file, (quote(change) + "\n").encode())

    journal((report,))
    machine.ledger.journal = journal
