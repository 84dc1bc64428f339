"""``atlas-hpe doctor``: what this machine has and what it lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Tuple

import click

from atlas_hpe.cli.report import emit_json, json_option, say
from atlas_hpe.text import printable

__all__ = ["command"]


@click.command("doctor")
@click.option("--model", metavar="HAND.om", help="Hold this compiled model against the machine.")
@click.option("--soc", help="Chip that the model is to run on.  [default: this machine's]")
@click.option(
    "--need",
    "needs",
    multiple=True,
    metavar="GROUP",
    help="What is missing here counts: laptop, training, compiler or board. May repeat.",
)
@json_option
@click.pass_context
def command(
    context: click.Context,
    model: Optional[str],
    soc: Optional[str],
    needs: Tuple[str, ...],
    as_json: bool,
) -> None:
    """Show packages, back-ends, compiler and device, and for each problem the fix.

    Exit code 3 when a Python package that is needed is missing or unfit, 4 when something of the
    device or its toolchain is. Without --need only the base install, faults in what is there, and
    the model count.
    """
    from atlas_hpe.doctor import (
        describe_diagnosis,
        diagnosis_to_dict,
        examine_machine,
        next_step,
        verdict_of,
    )

    diagnosis = examine_machine(needs=needs, model=None if model is None else Path(model), soc=soc)
    if as_json:
        emit_json(diagnosis_to_dict(diagnosis))
    else:
        for line in describe_diagnosis(diagnosis):
            click.echo(printable(line))
    say(printable(verdict_of(diagnosis)))
    say(printable(f"next: {next_step(diagnosis)}"))
    context.exit(diagnosis.exit_code)
