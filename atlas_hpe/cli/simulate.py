"""``atlas-hpe simulate``: run a pyACL program without a board."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Iterator, Optional, Sequence, Tuple

import click

from atlas_hpe.cli.report import emit_json, json_option, say

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator import SimulatorSettings
    from atlas_hpe_runtime.simulator.launch import ProcessLedger

__all__ = ["command"]


@click.command("simulate", context_settings={"allow_interspersed_args": False})
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--mode", metavar="rc|ep", help="The board itself (rc, default), or a PCIe card.")
@click.option("--cann", metavar="5.0|6.0|7.0", help="Generation of the software; default 6.0.")
@click.option("--soc", metavar="NAME", help="Name of the chip; default Ascend310.")
@click.option("--devices", type=int, metavar="N", help="How many devices; default 1.")
@click.option("--memory-mb", type=int, metavar="N", help="Memory of the device; default 8192.")
@click.option(
    "--fail",
    metavar="PLAN",
    help="Calls that fail: name=code for all, name@n=code for the n-th; separated by commas.",
)
@click.option("--ledger", metavar="FILE", help="Also write the ledger to this .json file.")
@click.option("--force", is_flag=True, help="Replace a ledger file that exists.")
@json_option
def command(
    program: Tuple[str, ...],
    ledger: Optional[str],
    force: bool,
    as_json: bool,
    **settings: Optional[object],
) -> None:
    """Run PROGRAM with a simulated module acl, for example: -- python program.py.

    Ends with the ledger: what was not released, and which call on which line had made it. The exit
    code is the program's. Options that are not given come from the environment (ATLAS_HPE_SIM_...).
    """
    from atlas_hpe.outfile import check_out_path
    from atlas_hpe_runtime.simulator import SimulatorSettings
    from atlas_hpe_runtime.simulator.launch import launch

    given = {
        f"ATLAS_HPE_SIM_{name.upper()}": str(value)
        for name, value in settings.items()
        if value is not None
    }
    chosen = SimulatorSettings.from_environment({**os.environ, **given})
    out = None if ledger is None else check_out_path(ledger, [".json"], force=force)
    say(f"simulated {chosen.soc} (no board)")
    code, processes = launch(program, chosen)
    for line in _describe(processes):
        say(line)
    report = _report(chosen, code, processes)
    if out is not None:
        _write(out, report, force)
        say(f"wrote {out}")
    if as_json:
        emit_json(report)
    click.get_current_context().exit(code)


def _describe(processes: Sequence[ProcessLedger]) -> Iterator[str]:
    from atlas_hpe_runtime.simulator.ledger import describe

    if not processes:
        yield "no ledger: the program did not import acl, or did not come to its ordinary end"
    for process in processes:
        if len(processes) > 1:
            yield f"process {process.pid}:"
        yield describe(process.live, process.notes)


def _report(
    settings: SimulatorSettings, code: int, processes: Sequence[ProcessLedger]
) -> Dict[str, object]:
    return {
        "simulated": asdict(settings),
        "exit_code": code,
        "processes": [asdict(process) for process in processes],
    }


def _write(path: Path, report: Dict[str, object], force: bool) -> None:
    from atlas_hpe.outfile import AtomicFile

    text = json.dumps(report, indent=2, sort_keys=True) + "\n"
    with AtomicFile(path, force=force) as out:
        out.write(text.encode())
